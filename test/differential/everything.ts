/** The recorded script for the official `server-everything`: what is asked, in order, and what the client answers. */
import type { Json } from '../../src/world.ts';
import type { Id } from './client.ts';
import type { Rule } from './compare.ts';
import type { Step } from './play.ts';

/** What the client declares. */
export const CAPABILITIES: Json = {
  elicitation: { form: {}, url: {} },
  sampling: { tools: {}, 'x-odd': {} },
  roots: { listChanged: true },
};

/** A variable that the configuration gives to the server, to find its environment again. */
export const MARK = { DIFFERENTIAL_MARK: 'Grüße "x" \\ \u2028' };

let last = 0;
/** Numbers, texts, and texts that look like numbers take turns. */
function nextId(): Id {
  last++;
  return [last, `id-${last}`, String(last), -last][last % 4] as Id;
}

type More = Omit<Partial<Step>, 'send'>;

function one(method: string, params?: Json, more: More = {}): Step {
  const id = nextId();
  const name = `${method} ${JSON.stringify(params ?? {}).slice(0, 120)}`;
  return { name, send: [{ id, method, ...(params && { params }) }], ...more };
}

const call = (tool: string, args?: Json, more: More & { meta?: Json; extra?: Json } = {}): Step => {
  const { meta, extra, ...rest } = more;
  return one('tools/call', { name: tool, ...(args && { arguments: args }), ...(meta && { _meta: meta }), ...extra }, rest);
};
const prompt = (name: string, args?: Json, more?: More) => one('prompts/get', { name, ...(args && { arguments: args }) }, more);
const read = (uri: string, more?: More) => one('resources/read', { uri }, more);
const complete = (ref: Json, name: string, value: string, context?: Json, more?: More) =>
  one('completion/complete', { ref, argument: { name, value }, ...(context && { context: { arguments: context } }) }, more);

const invalid: More = { own: -32602 };
const unknownMethod: More = { own: -32601 };
const count =
  (method: string, number = 1) =>
  (messages: readonly Json[]) =>
    messages.filter((message) => message.method === method).length >= number;

const LEVELS = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'];
const DOCUMENTS = ['architecture.md', 'extension.md', 'features.md', 'how-it-works.md', 'instructions.md', 'startup.md', 'structure.md'];
const static_ = (file: string) => `demo://resource/static/document/${file}`;
const dynamic = (kind: string, id: string) => `demo://resource/dynamic/${kind}/${id}`;
const promptRef = (name: string): Json => ({ type: 'ref/prompt', name });
const resourceRef = (uri: string): Json => ({ type: 'ref/resource', uri });

const LONG = 'trigger-long-running-operation';
const isLog = ({ method }: Json) => method === 'notifications/message';

/** Lists before anything else, so that no announcement of what happened at the start comes later. */
export const PREPARATION: readonly Step[] = ['tools/list', 'prompts/list', 'resources/list', 'resources/templates/list'].map((method) =>
  one(method),
);

/** The first steps: the server asks for the roots once, when it was initialised some time ago. */
export const OPENING: readonly Step[] = [
  call('echo', { message: 'the first call' }, { name: 'after the handshake', until: (messages) => messages.some(isLog) }),
];

/** Steps that the gateway answers from its catalog. */
const LISTS: readonly Step[] = [
  one('tools/list'),
  one('tools/list', {}),
  one('tools/list', { _meta: { 'example.com/odd': 1 }, 'x-odd': [null] }),
  one('prompts/list'),
  one('resources/list'),
  one('resources/templates/list'),
];

const calls: readonly Step[] = [
  one('ping'),
  one('ping', { _meta: { 'example.com/odd': { deep: [1] } } }),
  ...[
    'plain',
    '',
    'ünïcødé 🎉 \u2028\u0000',
    'a "quoted" \\ text',
    '\ud800 alone',
    ' '.repeat(300),
    '{"json":true}',
    'x'.repeat(100_000),
  ].map((message) => call('echo', { message })),
  call('echo', { message: 'more', 'x-extra': { a: [1, null] } }, { extra: { 'x-param': 1, y: null } }),
  call('echo', { message: 'vendor' }, { meta: { 'example.com/kept': { a: 1 }, 'x-odd': null, traceparent: '00-1-2-01' } }),
  call('echo'),
  call('echo', {}),
  call('echo', { message: 7 }),
  call('echo', undefined, { extra: { arguments: [] }, name: 'tools/call echo with an array of arguments' }),
  call('echo', undefined, { extra: { arguments: 'text' }, name: 'tools/call echo with a text for arguments' }),
  call('get-sum', { a: 1, b: 2 }),
  call('get-sum', { a: 0.1, b: 0.2 }),
  call('get-sum', { a: -1e21, b: 9007199254740991 }),
  call('get-sum', { a: '1', b: 2 }),
  call('get-sum', { a: 1 }),
  ...['error', 'success', 'debug'].flatMap((messageType) =>
    [true, false].map((includeImage) => call('get-annotated-message', { messageType, includeImage })),
  ),
  call('get-annotated-message', { messageType: 'none' }),
  call('get-tiny-image', {}),
  call('get-tiny-image'),
  call('get-env', {}),
  ...['New York', 'Chicago', 'Los Angeles', 'Paris'].map((location) => call('get-structured-content', { location })),
  ...[1, 2, 3, 10, 0, 11].map((number) => call('get-resource-links', { count: number })),
  call('get-resource-links', {}),
  ...['Text', 'Blob'].flatMap((resourceType) =>
    [1, 77, 0, -1].map((resourceId) => call('get-resource-reference', { resourceType, resourceId })),
  ),
  call('get-resource-reference', {}),
  call('get-resource-reference', { resourceType: 'Other' }),
  call('simulate-research-query', { topic: 'without a task' }),
  call('no-such-tool', {}, invalid),
  call('', {}, invalid),
  one('tools/call', {}, invalid),
  one('tools/call', { name: 7 }, invalid),
  one('tools/call', undefined, invalid),
];

const prompts: readonly Step[] = [
  prompt('simple-prompt'),
  prompt('simple-prompt', { not: 'wanted' }),
  prompt('args-prompt', { city: 'Köln' }),
  prompt('args-prompt', { city: 'Austin', state: 'Texas' }),
  prompt('args-prompt', {}),
  prompt('args-prompt'),
  prompt('completable-prompt', { department: 'Sales', name: 'Eve' }),
  prompt('resource-prompt', { resourceType: 'Text', resourceId: '4' }),
  prompt('resource-prompt', { resourceType: 'Blob', resourceId: '5' }),
  prompt('resource-prompt', { resourceType: 'Other', resourceId: '1' }),
  prompt('resource-prompt', { resourceType: 'Text', resourceId: 'x' }),
  prompt('no-such-prompt', undefined, invalid),
  one('prompts/get', {}, invalid),
  complete(promptRef('completable-prompt'), 'department', ''),
  complete(promptRef('completable-prompt'), 'department', 'S'),
  complete(promptRef('completable-prompt'), 'department', 'none'),
  complete(promptRef('completable-prompt'), 'name', '', { department: 'Sales' }),
  complete(promptRef('completable-prompt'), 'name', 'G', { department: 'Marketing' }),
  complete(promptRef('completable-prompt'), 'name', ''),
  complete(promptRef('resource-prompt'), 'resourceType', 'B'),
  complete(promptRef('resource-prompt'), 'resourceId', '12'),
  complete(promptRef('simple-prompt'), 'any', ''),
  complete(promptRef('args-prompt'), 'city', 'K'),
  complete(promptRef('no-such-prompt'), 'any', '', undefined, invalid),
  complete(resourceRef(dynamic('text', '{resourceId}')), 'resourceId', '3'),
  complete(resourceRef(dynamic('blob', '{resourceId}')), 'resourceId', 'x'),
  complete(resourceRef(dynamic('text', '{resourceId}')), 'other', '3'),
  complete(resourceRef(static_('features.md')), 'any', ''),
  complete(resourceRef('nobody://has/{this}'), 'this', '', undefined, invalid),
  one('completion/complete', {}, invalid),
];

const resources: readonly Step[] = [
  ...DOCUMENTS.map((file) => read(static_(file))),
  ...['text', 'blob'].flatMap((kind) => ['1', '42', '0', 'x'].map((id) => read(dynamic(kind, id)))),
  read('demo://resource/session/none'),
  read('demo://resource/static/document/%2e%2e%2fpackage.json'),
  read('nobody://has/this', { own: -32002 }),
  one('resources/read', {}, invalid),
  one('resources/read', { uri: 1 }, invalid),
  call('gzip-file-as-resource', { name: 'a.gz', data: 'data:text/plain,hello', outputType: 'resourceLink' }),
  read('demo://resource/session/a.gz'),
  call('gzip-file-as-resource', { name: 'b.gz', data: 'data:text/plain;base64,aGVsbG8=', outputType: 'resource' }),
  read('demo://resource/session/b.gz'),
  call('gzip-file-as-resource', { name: 'c.gz', data: 'file:///etc/hostname' }),
  call('gzip-file-as-resource', { name: 'd.gz', data: 'data:text/plain,x', outputType: 'other' }),
];

/** After the server has got resources of this session. */
const CHANGED_LISTS: readonly Step[] = [one('resources/list', { again: true }), one('tools/list', { again: true })];

const subscriptions: readonly Step[] = [
  one('resources/subscribe', { uri: static_('features.md') }),
  one('resources/subscribe', { uri: dynamic('text', '1'), _meta: { 'example.com/odd': 1 } }),
  one('resources/subscribe', { uri: dynamic('blob', '2') }),
  call('toggle-subscriber-updates', {}, { until: count('notifications/resources/updated', 3) }),
  call('toggle-subscriber-updates', {}),
  one('resources/unsubscribe', { uri: dynamic('text', '1') }),
  call('toggle-subscriber-updates', {}, { until: count('notifications/resources/updated', 2) }),
  call('toggle-subscriber-updates', {}),
  one('resources/unsubscribe', { uri: static_('features.md') }),
  one('resources/unsubscribe', { uri: dynamic('blob', '2') }),
  call('toggle-subscriber-updates', {}),
  call('toggle-subscriber-updates', {}),
  one('resources/subscribe', {}, invalid),
  one('resources/unsubscribe', { uri: null }, invalid),
];

const logging: readonly Step[] = [
  ...LEVELS.map((level) => one('logging/setLevel', { level })),
  // The server says on level `info` that it subscribed.
  one('logging/setLevel', { level: 'warning' }),
  one('resources/subscribe', { uri: static_('startup.md') }),
  one('logging/setLevel', { level: 'info' }),
  one('resources/unsubscribe', { uri: static_('startup.md') }),
  one('logging/setLevel', { level: 'debug', 'x-odd': 1 }),
  call('toggle-simulated-logging', {}),
  call('toggle-simulated-logging', {}),
  one('logging/setLevel', { level: 'loud' }, invalid),
  one('logging/setLevel', {}, invalid),
];

const unknown: readonly Step[] = [
  one('example/none', { a: 1 }, unknownMethod),
  one('tools/none', {}, unknownMethod),
  one('', {}, unknownMethod),
  one('__proto__', {}, unknownMethod),
  one('constructor', {}, unknownMethod),
  { name: 'unknown notifications', send: [{ method: 'notifications/example', params: { a: 1 } }, { method: 'notifications/none' }] },
];

const progress: readonly Step[] = [
  ...['token', 7, 0, '0', '', 'ü'].map((progressToken) => call(LONG, { duration: 0.2, steps: 2 }, { meta: { progressToken } })),
  call(LONG, { duration: 0.1, steps: 2 }),
  call('echo', { message: 'no progress' }, { meta: { progressToken: 'unused' } }),
  {
    name: 'two calls with ids and tokens that differ only in type',
    send: [
      { id: 7001, method: 'tools/call', params: { name: LONG, arguments: { duration: 0.3, steps: 3 }, _meta: { progressToken: 1 } } },
      { id: '7001', method: 'tools/call', params: { name: LONG, arguments: { duration: 0.4, steps: 2 }, _meta: { progressToken: '1' } } },
      { id: 'between', method: 'tools/call', params: { name: 'echo', arguments: { message: 'between' } } },
    ],
    together: true,
  },
];

const ELICIT = 'trigger-elicitation-request';
const ACCEPTED: Json = {
  result: {
    action: 'accept',
    content: { name: 'Ada', check: true, email: 'a@example.com', integer: 7, number: 1.5, untitledMultipleSelectEnum: ['Guitar', 'Drums'] },
    _meta: { 'example.com/kept': { a: [1] } },
    'x-odd': null,
  },
};
const elicitation: readonly Step[] = [
  call(ELICIT, {}, { name: 'elicitation accepted', answers: { 'elicitation/create': ACCEPTED } }),
  call(ELICIT, {}, { name: 'elicitation declined', answers: { 'elicitation/create': { result: { action: 'decline' } } } }),
  call(ELICIT, {}, { name: 'elicitation cancelled', answers: { 'elicitation/create': { result: { action: 'cancel' } } } }),
  call(
    ELICIT,
    {},
    {
      name: 'elicitation answered with an error',
      answers: { 'elicitation/create': { error: { code: -32603, message: 'no screen', data: { a: [1] } } } },
    },
  ),
  call(
    ELICIT,
    {},
    {
      name: 'elicitation answered with nonsense',
      answers: { 'elicitation/create': { result: { action: 'accept', content: { name: 7 } } } },
    },
  ),
  ...['accept', 'decline', 'cancel'].map((action) =>
    call(
      'trigger-url-elicitation',
      { url: `https://example.com/${action}?a=b#c`, message: 'Öffne', elicitationId: `mine-${action}` },
      { name: `url elicitation: ${action}`, answers: { 'elicitation/create': { result: { action } } } },
    ),
  ),
  call('trigger-url-elicitation', { url: 'https://example.com/required', errorPath: true }, { name: 'url elicitation required' }),
  call(
    'trigger-url-elicitation',
    { url: 'https://example.com/required', errorPath: true },
    { name: 'url elicitation required, once more', answers: { 'elicitation/create': { result: { action: 'accept' } } } },
  ),
  call('trigger-url-elicitation', { url: 'no url' }),
];

const SAMPLE = 'trigger-sampling-request';
const sampled = (content: unknown): Json => ({ result: { role: 'assistant', model: 'm', stopReason: 'endTurn', content } });
const sampling: readonly Step[] = [
  call(SAMPLE, { prompt: 'hello' }, { name: 'sampling' }),
  call(
    SAMPLE,
    { prompt: 'ü', maxTokens: 3 },
    {
      name: 'sampling with an image and odd fields',
      answers: { 'sampling/createMessage': sampled({ type: 'image', data: 'AAAA', mimeType: 'image/png', _meta: { 'example.com/a': 1 } }) },
    },
  ),
  call(
    SAMPLE,
    { prompt: 'no' },
    { name: 'sampling refused', answers: { 'sampling/createMessage': { error: { code: -1, message: 'User rejected sampling request' } } } },
  ),
  call(
    SAMPLE,
    { prompt: 'odd' },
    { name: 'sampling answered with nonsense', answers: { 'sampling/createMessage': sampled({ type: 'hologram' }) } },
  ),
  call(SAMPLE, {}),
];

const roots: readonly Step[] = [
  call('get-roots-list', {}),
  {
    name: 'the roots change',
    send: [{ method: 'notifications/roots/list_changed' }],
    answers: {
      'roots/list': { result: { roots: [{ uri: 'file:///other%20place', name: 'Ö', 'x-odd': 1 }], _meta: { 'example.com/a': 1 } } },
    },
    until: (messages) => messages.some(isLog),
  },
  call('get-roots-list', {}),
  {
    name: 'the roots cannot be listed',
    send: [{ method: 'notifications/roots/list_changed' }],
    answers: { 'roots/list': { result: { roots: [] } } },
    until: (messages) => messages.some(isLog),
  },
];

/** Longer than the cancelled call would have taken. */
const LATER: Json = { method: 'tools/call', params: { name: LONG, arguments: { duration: 0.3, steps: 1 } } };
const cancelled = (requestId: Id, more?: Json): Json => ({ method: 'notifications/cancelled', params: { requestId, ...more } });
const slow = (id: Id): Json => ({ id, method: 'tools/call', params: { name: LONG, arguments: { duration: 0.4, steps: 1 } } });
const echo = (id: Id): Json => ({ id, method: 'tools/call', params: { name: 'echo', arguments: { message: `to ${id}` } } });
const answerTo = (id: Id) => (message: Json) => message.id === id && message.method === undefined;

const cancellation: readonly Step[] = [
  {
    name: 'a cancelled call gets no answer',
    send: [slow('gone'), echo('signal 1')],
    afterwards: { when: answerTo('signal 1'), send: cancelled('gone', { reason: 'enough', 'x-odd': 1 }) },
    silent: ['gone'],
    barrier: LATER,
  },
  {
    name: 'an id is cancelled by its type',
    send: [slow(8001), slow('8001'), echo('signal 2')],
    afterwards: { when: answerTo('signal 2'), send: cancelled('8001') },
    silent: ['8001'],
    together: true,
    barrier: LATER,
  },
  { name: 'unknown and finished requests are not cancelled', send: [cancelled('never asked'), cancelled('signal 1'), cancelled(99_999)] },
  {
    name: 'a call that waits for its client is cancelled',
    send: [{ id: 'asking', method: 'tools/call', params: { name: SAMPLE, arguments: { prompt: 'too late' } } }],
    afterwards: { when: ({ method }) => method === 'sampling/createMessage', send: cancelled('asking') },
    silent: ['asking'],
    until: count('sampling/createMessage'),
  },
  { name: 'a cancellation without an id', send: [{ method: 'notifications/cancelled', params: {} }] },
  echoStep('after the cancellations'),
];

function echoStep(name: string): Step {
  return call('echo', { message: name }, { name });
}

export const SCRIPT: readonly Step[] = [
  ...LISTS,
  ...calls,
  ...prompts,
  ...resources,
  ...CHANGED_LISTS,
  ...subscriptions,
  ...logging,
  ...unknown,
  ...progress,
  ...elicitation,
  ...sampling,
  ...roots,
  ...cancellation,
];

/** Steps whose answer is a list. */
export const isListing = ({ send: [first] }: Step): boolean => String(first?.method).endsWith('/list');

export const BARRIER: Json = { method: 'tools/call', params: { name: 'echo', arguments: { message: 'barrier' } } };

/** What the client answers to requests of the server that a step says nothing about. */
export function answerOf({ method }: Json): Json {
  if (method === 'roots/list') return { result: { roots: [{ uri: 'file:///home/a', name: 'A' }, { uri: 'file:///b%20c' }] } };
  if (method === 'elicitation/create') return { result: { action: 'decline' } };
  if (method === 'sampling/createMessage') return sampled({ type: 'text', text: 'said by the model', _meta: { 'example.com/a': 1 } });
  if (method === 'ping') return { result: {} };
  return { error: { code: -32601, message: `Method not found: ${method}` } };
}

/** Changes every text that a value holds. */
function eachText(holder: unknown, change: (text: string, key: string) => string): void {
  if (typeof holder !== 'object' || holder === null) return;
  for (const [key, value] of Object.entries(holder)) {
    if (typeof value === 'string') (holder as Json)[key] = change(value, key);
    else eachText(value, change);
  }
}

const withoutTime = (text: string) => text.replace(/ created at [0-9:]+( [AP]M)?$/, ' created at (time)');

/** Everything that this server makes up anew each time; nothing else is left out. */
export const RULES: readonly Rule[] = [
  {
    why: 'texts and blobs of dynamic resources hold the time of day',
    apply: ({ result }) =>
      eachText(result, (text, key) => {
        if (key !== 'blob') return withoutTime(text);
        const plain = Buffer.from(text, 'base64').toString('latin1');
        return / created at [0-9:]/.test(plain) ? Buffer.from(withoutTime(plain), 'latin1').toString('base64') : text;
      }),
  },
  {
    why: 'the error "url elicitation required" holds a random id',
    apply: ({ error }) => {
      const { code, data } = (error ?? {}) as Json;
      if (code === -32042) eachText(data, (text, key) => (key === 'elicitationId' && /^[0-9a-f-]{36}$/.test(text) ? '(random)' : text));
    },
  },
  {
    why: 'a url elicitation without an id of the caller gets a random one, which its result repeats',
    apply: ({ method, params, result }) => {
      const { elicitationId } = (params ?? {}) as Json;
      if (method === 'elicitation/create' && /^[0-9a-f-]{36}$/.test(String(elicitationId))) (params as Json).elicitationId = '(random)';
      eachText(result, (text) => text.replace(/(Elicitation ID: )[0-9a-f-]{36}/, '$1(random)'));
    },
  },
  {
    why: 'the environment is that of each process; only the variables of the configuration are promised',
    apply: ({ result }, asked) => {
      if ((asked?.params as Json | undefined)?.name === 'get-env') {
        eachText(result, (text) =>
          text.startsWith('{') ? JSON.stringify({ DIFFERENTIAL_MARK: (JSON.parse(text) as Json).DIFFERENTIAL_MARK }) : text,
        );
      }
    },
  },
  {
    why: 'simulated log messages have a random level',
    apply: ({ method, params }) => {
      const { data } = (params ?? {}) as Json;
      if (method !== 'notifications/message' || !/^[A-Z][a-z]+( |-)level(-| )message$/.test(String(data))) return;
      Object.assign(params as Json, { level: '(random)', data: '(random)' });
    },
  },
];
