/**
 * An MCP server that says everything oddly: random fields in all places. What it answers depends only on SEED and on the
 * request, so that it says the same again through a gateway. It repeats to the client what it was sent.
 */
import type { Json } from '../../src/world.ts';
import { anyJson, metaOf, nested, type Random, randomFor, SCHEMES, spiced, uriOf } from './random.ts';

const SEED = process.env.SEED ?? '1';
const about = (...purpose: readonly unknown[]) => randomFor(SEED, ...purpose);
const many = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, index) => make(index));

const tools = many(30, (index) => {
  const random = about('tool', index);
  const known: Json = { name: `tool-${index}`, inputSchema: spiced(random, { type: 'object' }, { meta: false }) };
  if (random.chance(0.5)) known.annotations = spiced(random, { readOnlyHint: true });
  if (random.chance(0.3)) known.outputSchema = spiced(random, { type: 'object' });
  if (random.chance(0.3)) known.icons = [spiced(random, { src: 'https://example.com/i.png' }), anyJson(random)];
  return spiced(random, known);
});
const prompts = many(12, (index) => {
  const random = about('prompt', index);
  return spiced(random, { name: `prompt-${index}`, arguments: [spiced(random, { name: 'a' }), spiced(random, { name: 'b' })] });
});
/** `data:` holds its own content: nobody reads it from a server. */
const LISTED = SCHEMES.filter((scheme) => !scheme.startsWith('data:'));
const resources = many(20, (index) =>
  spiced(about('resource', index), { uri: `${uriOf(about('uri', index), LISTED)}/${index}`, name: `r ${index}` }),
);
const resourceTemplates = many(8, (index) =>
  spiced(about('template', index), { uriTemplate: `fuzz://templates/${index}/{a}{?b}`, name: `t ${index}` }),
);

function block(random: Random): unknown {
  const kind = random.below(9);
  if (kind === 0) return spiced(random, { type: 'text', text: String(anyJson(random, 0)) });
  if (kind === 1) return spiced(random, { type: 'image', data: 'AAAA', mimeType: 'image/png' });
  if (kind === 2) return spiced(random, { type: 'audio', data: '', mimeType: 'audio/wav' });
  if (kind === 3) return spiced(random, { type: 'resource_link', uri: uriOf(random), name: 'link' });
  if (kind === 4) return spiced(random, { type: 'resource', resource: spiced(random, { uri: uriOf(random), text: 'embedded' }) });
  if (kind === 5) return spiced(random, { type: `unknown-${random.below(3)}`, uri: uriOf(random), resource: { uri: uriOf(random) } });
  if (kind === 6) return spiced(random, { type: anyJson(random, 1) as Json });
  if (kind === 7) return spiced(random, { type: random.pick(['resource', 'resource_link']) }, { reserved: ['uri', 'resource'] });
  return anyJson(random);
}

/** Codes that say something about one hop are not for the client. */
const CODES = [1, -1, 0, 404, -32000, -32001, -32010, -32099, -32602, -32603, -31000, 99_999];

class Refusal {
  readonly error: Json;
  constructor(error: Json) {
    this.error = error;
  }
}

function perhapsRefuse(random: Random): void {
  if (!random.chance(0.15)) return;
  const data = random.pick([undefined, anyJson(random), spiced(random, {}), nested(random)]);
  throw new Refusal(spiced(random, { code: random.pick(CODES), message: String(anyJson(random, 0)), ...(data !== undefined && { data }) }));
}

/** What the client sent, without what belongs to this hop. */
function received(params: Json): Json {
  const copy = JSON.parse(JSON.stringify(params)) as Json;
  const meta = copy._meta as Json | undefined;
  delete meta?.progressToken;
  if (meta && Object.keys(meta).length === 0) delete copy._meta;
  return copy;
}

const send = (message: Json) => void process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);

const waiting = new Map<unknown, (answer: Json) => void>();
let asked = 0;
function ask(method: string, params: Json): Promise<Json> {
  const id = ++asked % 2 ? asked : `own-${asked}`;
  return new Promise((resolve) => {
    waiting.set(id, resolve);
    send({ id, method, params });
  });
}

const LEVELS = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'];

/** `owner` tells the client which of its calls a message belongs to. */
async function call(params: Json): Promise<Json> {
  const { owner } = params.arguments as { owner: unknown };
  const random = about('call', params.name, owner);
  const progressToken = (params._meta as Json | undefined)?.progressToken;
  if (owner === 'barrier') return { content: [] };
  // Whether there is a token must not change what comes later.
  for (let left = progressToken === undefined ? 0 : about('steps', owner).below(3), progress = 0.5; left > 0; left--, progress++) {
    send({ method: 'notifications/progress', params: spiced(about('progress', owner, progress), { progressToken, progress, owner }) });
  }
  if (random.chance(0.3)) {
    const known: Json = { level: random.pick(LEVELS), data: { owner, more: anyJson(random) } };
    if (random.chance(0.5)) known.logger = 'fuzz';
    send({ method: 'notifications/message', params: spiced(random, known, { reserved: ['logger', 'level'] }) });
  }
  if (random.chance(0.2)) {
    const uri = (resources[random.below(5)] as Json).uri as string;
    send({ method: 'notifications/resources/updated', params: spiced(random, { uri, owner }, { reserved: ['owner'] }) });
  }
  const said: Json[] = [];
  if (random.chance(0.15)) {
    const requestedSchema = spiced(random, { type: 'object', properties: { a: spiced(random, { type: 'string' }) } });
    said.push(await ask('elicitation/create', spiced(random, { message: 'm', requestedSchema, owner }, { reserved: ['mode', 'task'] })));
  }
  if (random.chance(0.1)) {
    const messages = [
      spiced(random, { role: 'user', content: block(random) as Json }),
      spiced(random, { role: 'user', content: [block(random)] as unknown as Json }),
    ];
    said.push(
      await ask('sampling/createMessage', spiced(random, { messages, maxTokens: 9, owner }, { reserved: ['includeContext', 'tools'] })),
    );
  }
  if (random.chance(0.05)) said.push(await ask('roots/list', spiced(random, { owner })));
  perhapsRefuse(random);
  const known: Json = { received: received(params), said: said.map(({ id, jsonrpc, ...answer }) => answer) };
  if (random.chance(0.9)) known.content = many(random.below(5), () => block(random));
  if (random.chance(0.5)) known.structuredContent = anyJson(random, 5);
  if (random.chance(0.2)) known.isError = random.chance(0.5);
  return spiced(random, known, { reserved: ['content', 'structuredContent', 'isError'] });
}

type Handler = (params: Json) => Json | Promise<Json>;

const methods = new Map<string, Handler>([
  [
    'initialize',
    () => ({
      ...spiced(about('initialize'), {
        protocolVersion: '2025-11-25',
        capabilities: spiced(about('capabilities'), {
          tools: { listChanged: true },
          prompts: {},
          resources: { subscribe: true },
          completions: {},
          logging: {},
        }),
        serverInfo: spiced(about('info'), { name: 'fuzzer', version: '1' }),
      }),
    }),
  ],
  ['ping', () => ({})],
  // Two pages, so that a gateway has to join them.
  ['tools/list', ({ cursor }) => (cursor === '' ? { tools: tools.slice(15) } : { tools: tools.slice(0, 15), nextCursor: '' })],
  ['prompts/list', () => ({ prompts })],
  ['resources/list', () => ({ resources })],
  ['resources/templates/list', () => ({ resourceTemplates })],
  ['resources/subscribe', () => ({})],
  ['resources/unsubscribe', () => ({})],
  ['logging/setLevel', () => ({})],
  ['tools/call', call],
  [
    'prompts/get',
    (params) => {
      const random = about('get', received(params));
      perhapsRefuse(random);
      const messages = many(random.below(4), () => spiced(random, { role: 'user', content: block(random) as Json }));
      return spiced(random, { messages, received: received(params) });
    },
  ],
  [
    'resources/read',
    (params) => {
      const random = about('read', params.uri);
      perhapsRefuse(random);
      if (random.chance(0.1))
        throw new Refusal(spiced(random, { code: -32002, message: 'none', data: spiced(random, { uri: params.uri }) }));
      const contents = [spiced(random, { uri: params.uri, text: 't' }), spiced(random, { uri: uriOf(random), blob: '' }), anyJson(random)];
      return spiced(random, { contents: contents.slice(0, 1 + random.below(3)), received: received(params) });
    },
  ],
  [
    'completion/complete',
    (params) => {
      const random = about('complete', params.argument);
      perhapsRefuse(random);
      const completion = spiced(random, { values: many(random.below(5), () => String(anyJson(random, 0))), hasMore: false });
      return spiced(random, { completion, received: received(params), _meta: metaOf(random) });
    },
  ],
]);

async function answer({ id, method, params }: Json): Promise<void> {
  const handler = methods.get(String(method));
  if (!handler) return send({ id, error: { code: -32601, message: 'Method not found' } });
  try {
    send({ id, result: await handler((params ?? {}) as Json) });
  } catch (error) {
    send({ id, error: error instanceof Refusal ? error.error : { code: -32603, message: String(error) } });
  }
}

let rest = '';
process.stdin.setEncoding('utf8');
process.stdin.on('data', (chunk: string) => {
  const lines = (rest + chunk).split('\n');
  rest = lines.pop() as string;
  for (const line of lines) {
    const message = JSON.parse(line) as Json;
    if (message.method === undefined) waiting.get(message.id)?.(message);
    else if (message.id !== undefined) void answer(message);
  }
});
process.stdin.on('end', () => process.exit(0));
