import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import type { Json } from '../../src/world.ts';
import type { Id, RawClient } from './client.ts';
import { type Comparing, differencesOf, report } from './compare.ts';
import { answerOf, BARRIER, CAPABILITIES, isListing, MARK, OPENING, PREPARATION, RULES, SCRIPT } from './everything.ts';
import { addressed, type Exposing } from './expose.ts';
import { directly, type Front, NAMESPACE, through } from './gateway.ts';
import { isListChange, type Played, type PlayOptions, play, type Step } from './play.ts';

const SERVER = resolve(import.meta.dirname, '../../node_modules/@modelcontextprotocol/server-everything/dist/index.js');
const ENTRY: Json = { command: [process.execPath, SERVER], env: MARK };

const FRONTS: readonly Front[] = [
  { carrier: 'stdio', naming: 'never' },
  { carrier: 'stdio', naming: 'always' },
  { carrier: 'http', naming: 'never' },
  { carrier: 'http', naming: 'always' },
];

const optionsFor = (exposing: Exposing): PlayOptions => ({
  address: (message) => addressed(message, exposing),
  answer: answerOf,
  barrier: BARRIER,
});

/** Progress of two calls at a time comes in any order, that of one call in its own. */
const callOf = ({ method, params }: Json) => (method === 'notifications/progress' ? ((params as Json).progressToken as Id) : undefined);

/**
 * The server asks for the roots some time after the handshake: on a slow machine that is while the lists are still being
 * read. What came first is not compared; that it came is.
 */
async function playOpening(client: RawClient, options: PlayOptions): Promise<readonly Played[]> {
  const { direct: before, ...preparing } = options;
  const preparation = await play(PREPARATION, client, preparing);
  const early = preparation.flatMap(({ messages }) => messages.filter(({ method }) => method !== undefined && !isListChange(method)));
  const steps = OPENING.map((step) => ({ ...step, until: (messages: readonly Json[]) => step.until?.([...early, ...messages]) ?? true }));
  const played = await play(steps, client, { ...preparing, ...(before && { direct: before }) });
  return played.map(({ messages }, index) => ({
    step: OPENING[index] as Step,
    messages: index === 0 ? [...early, ...messages] : messages,
  }));
}

let known: Promise<{ opening: readonly Played[]; script: readonly Played[]; lists: readonly Played[] }> | undefined;

/** How the server itself plays it; once for all fronts. */
function direct() {
  known ??= (async () => {
    const options = optionsFor({ namespace: undefined });
    const bare = await directly(ENTRY, {});
    const client = await directly(ENTRY, CAPABILITIES);
    const opening = await playOpening(client, options);
    return { opening, script: await play(SCRIPT, client, options), lists: await play(SCRIPT.filter(isListing), bare, options) };
  })();
  return known;
}

/**
 * The catalog over HTTP is everybody's: it shows what the server shows to a client without capabilities, and what a
 * server does for one client alone does not change it.
 */
function withSharedCatalog(script: readonly Played[], lists: readonly Played[]): readonly Played[] {
  return script.map((played) => {
    const list = lists.find(({ step }) => step === played.step);
    return list ?? { ...played, messages: played.messages.filter(({ method }) => !isListChange(method)) };
  });
}

/**
 * What the server refuses itself although the gateway refuses it elsewhere: a URI that names its namespace is its own,
 * and over HTTP, where every client has a server of its own that may list more to it than to all, a name in no list too.
 */
function asRefused(script: readonly Step[], { carrier, naming }: Front): readonly Step[] {
  const isServers = ({ send: [first] }: Step) => {
    const { name, uri } = (first?.params ?? {}) as Json;
    if (first?.method === 'resources/read') return naming === 'always' && typeof uri === 'string';
    return carrier === 'http' && first?.method === 'tools/call' && typeof name === 'string' && name !== '';
  };
  return script.map((step) => {
    if (!isServers(step)) return step;
    const { own: _, ...servers } = step;
    return servers;
  });
}

it('the script is long enough and every id is used once', () => {
  const ids = SCRIPT.flatMap(({ send }) => send.flatMap(({ id, method }) => (id === undefined || method === undefined ? [] : [id])));
  expect(ids.length).toBeGreaterThanOrEqual(150);
  expect(new Set(ids).size).toBe(ids.length);
});

it.each(FRONTS)('$carrier, prefix $naming: the official server says the same through the gateway', { timeout: 240_000 }, async (front) => {
  const exposing: Exposing = { namespace: front.naming === 'always' ? NAMESPACE : undefined };
  const comparing: Comparing = { ...exposing, rules: RULES, owner: callOf, ordered: front.carrier === 'stdio' };
  const { opening, script, lists } = await direct();
  const client = await through(front, ENTRY, CAPABILITIES);
  const options = optionsFor(exposing);
  const openingPlayed = await playOpening(client, { ...options, direct: opening });
  const expected = front.carrier === 'http' ? withSharedCatalog(script, lists) : script;
  const played = await play(asRefused(SCRIPT, front), client, { ...options, direct: expected });
  const differences = [
    ...differencesOf(opening, openingPlayed, { ...comparing, ordered: false }),
    ...differencesOf(expected, played, comparing),
  ];
  if (differences.length > 0) expect.fail(`${differences.length} differences\n${report(differences)}`);
});
