/** Random requests to the fuzzing server, directly and through the gateway. */
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { Json } from '../../src/world.ts';
import type { Id } from './client.ts';
import { type Comparing, differencesOf, report } from './compare.ts';
import { addressed, type Exposing } from './expose.ts';
import { directly, type Front, NAMESPACE, through } from './gateway.ts';
import { type PlayOptions, play, type Step } from './play.ts';
import { anyJson, metaOf, type Random, randomFor, spiced } from './random.ts';

const CAPABILITIES: Json = { elicitation: {}, sampling: {}, roots: {} };

const LISTS = ['tools/list', 'prompts/list', 'resources/list', 'resources/templates/list'];

/** In flight together. */
const WIDTH = 8;

export interface Fuzzing {
  readonly seed: number;
  /** Messages of the client, its answers not counted. */
  readonly messages: number;
}

function requestOf(random: Random, id: Id, uris: readonly string[]): Json {
  const extra = (known: Json, reserved: readonly string[] = []) => spiced(random, known, { reserved: ['cursor', 'task', ...reserved] });
  const kind = random.below(100);
  if (kind < 65) {
    const params = extra({ name: `tool-${random.below(30)}`, arguments: spiced(random, { owner: id }, { reserved: ['owner'] }) }, [
      'arguments',
    ]);
    if (random.chance(0.5))
      params._meta = { ...(random.chance(0.5) && metaOf(random)), ...(params._meta as Json | undefined), progressToken: id };
    return { id, method: 'tools/call', params };
  }
  if (kind < 75)
    return { id, method: 'prompts/get', params: extra({ name: `prompt-${random.below(12)}`, arguments: spiced(random, { a: 'x' }) }) };
  if (kind < 88) return { id, method: 'resources/read', params: extra({ uri: random.pick(uris) }) };
  if (kind < 96) {
    const ref = random.chance(0.5)
      ? spiced(random, { type: 'ref/prompt', name: `prompt-${random.below(12)}` }, { reserved: ['uri'] })
      : spiced(random, { type: 'ref/resource', uri: `fuzz://templates/${random.below(8)}/{a}{?b}` }, { reserved: ['name'] });
    const argument = spiced(random, { name: 'a', value: String(anyJson(random, 0)) });
    return { id, method: 'completion/complete', params: extra({ ref, argument, context: { arguments: spiced(random, {}) } }) };
  }
  return {
    id,
    method: random.pick([...LISTS, 'ping']),
    params: extra({}),
  };
}

function scriptOf({ seed, messages }: Fuzzing, uris: readonly string[]): Step[] {
  // Without it a gateway may leave out what is less than a client would miss.
  const steps: Step[] = [{ name: 'log everything', send: [{ id: 'level', method: 'logging/setLevel', params: { level: 'debug' } }] }];
  const subscriptions: Step[] = uris.slice(0, 5).map((uri, index) => ({
    name: `subscribe to ${uri}`,
    send: [{ id: `subscribe ${index}`, method: 'resources/subscribe', params: { uri } }],
  }));
  steps.push(...subscriptions);
  for (let from = 0; from < messages; from += WIDTH) {
    const send = Array.from({ length: Math.min(WIDTH, messages - from) }, (_, index) => {
      const number = from + index;
      return requestOf(randomFor(seed, 'request', number), number % 2 ? number : `n${number}`, uris);
    });
    steps.push({ name: `messages from ${from}, seed ${seed}`, send, together: true });
  }
  return steps;
}

/** Answers of the client are odd as well, and depend only on what it was asked. */
const answerFor =
  (seed: number) =>
  ({ method, params }: Json): Json => {
    const random = randomFor(seed, 'answer', method, (params as Json).owner);
    if (random.chance(0.1)) return { error: spiced(random, { code: -1, message: 'rejected', data: anyJson(random) }) };
    if (method === 'roots/list') return { result: spiced(random, { roots: [spiced(random, { uri: 'file:///a' })] }) };
    if (method === 'elicitation/create')
      return { result: spiced(random, { action: 'accept', content: { a: String(anyJson(random, 0)) } }) };
    return { result: spiced(random, { role: 'assistant', model: 'm', content: spiced(random, { type: 'text', text: 't' }) }) };
  };

/** Messages of concurrent calls are told apart by the call that they belong to. */
function ownerOf({ method, params }: Json): unknown {
  const { owner, data } = (params ?? {}) as Json;
  return method === 'notifications/message' ? (data as Json | undefined)?.owner : owner;
}

/** A first page with its rest: a gateway shows lists as a whole. */
function joined(message: Json, rest: readonly Json[]): Json {
  const { result } = message as { result?: Json };
  if (!Array.isArray(result?.tools) || result.nextCursor === undefined) return message;
  return { ...message, result: { tools: [...result.tools, ...rest] } };
}

/** Plays the same random messages both ways and expects no difference. */
export async function fuzz(front: Front, fuzzing: Fuzzing): Promise<void> {
  const loader = import.meta.resolve('tsx');
  const program = fileURLToPath(new URL('./fuzzer.ts', import.meta.url));
  const entry: Json = {
    command: [process.execPath, '--import', loader, program],
    env: { SEED: String(fuzzing.seed) },
    samplingContext: true,
  };
  const exposing: Exposing = { namespace: front.naming === 'always' ? NAMESPACE : undefined };
  const options: PlayOptions = {
    address: (message) => addressed(message, exposing),
    answer: answerFor(fuzzing.seed),
    barrier: { method: 'tools/call', params: { name: 'tool-0', arguments: { owner: 'barrier' } } },
  };
  const itself = { ...options, address: (message: Json) => message };

  const server = await directly(entry, CAPABILITIES);
  const ask = async (method: string, params: Json = {}) => {
    const [played] = await play([{ name: method, send: [{ id: 'ask', method, params }] }], server, itself);
    return played?.messages[0]?.result as Json;
  };
  const script = scriptOf(
    fuzzing,
    ((await ask('resources/list')).resources as { uri: string }[]).map(({ uri }) => uri),
  );
  const rest = (await ask('tools/list', { cursor: '' })).tools as Json[];
  const direct = (await play(script, server, itself)).map((played) => ({
    ...played,
    messages: played.messages.map((message) => joined(message, rest)),
  }));

  const client = await through(front, entry, CAPABILITIES);
  // A client that has seen the lists is told of no change that came before.
  const lists = LISTS.map((method) => ({ id: `come ${method}`, method }));
  await play([{ name: 'the server has come', send: lists, together: true }], client, options);
  const played = await play(script, client, { ...options, direct });
  const comparing: Comparing = { ...exposing, rules: [], ordered: false, owner: ownerOf };
  const differences = differencesOf(direct, played, comparing);
  if (differences.length > 0) expect.fail(`${differences.length} differences\n${report(differences)}`);
  const answers = played.flatMap(({ messages }) => messages.filter(({ method }) => method === undefined));
  expect(answers.length).toBe(fuzzing.messages + 1 + 5);
}
