import { describe, expect, it } from 'vitest';
import { createSecret } from '../../src/config/secret.ts';
import { type ErrorCode, OnemcpError } from '../../src/errors.ts';
import { type AdviceFacts, advice, adviceFor, commandLine } from '../../src/observe/advice.ts';
import type { StatusFacts } from '../../src/observe/status.ts';
import type { Story } from '../../src/observe/story.ts';
import { whyOf, whyText } from '../../src/observe/why.ts';
import { type FakeBackend, fakeSession, viewOf, worldOf } from '../support/fakeWorld.ts';
import { BASE_SPEC } from '../support/specs.ts';

const spec = {
  ...BASE_SPEC,
  name: 'a',
  namespace: 'a',
  kind: 'stdio' as const,
  command: 'npx',
  args: ['-y', "it's", createSecret('hunter2')],
  env: { TOKEN: createSecret('hunter2'), PLAIN: 'seen' },
  cwd: '/my work',
  maxMemory: 0,
};
const remote = {
  ...BASE_SPEC,
  name: 'a',
  namespace: 'a',
  kind: 'remote' as const,
  url: 'https://x.example',
  headers: {},
  type: 'auto' as const,
};

const story = (patch: Partial<Story> = {}): Story => ({ path: [], changes: 0, stderr: undefined, failedAt: undefined, ...patch });
const about = (stories: Readonly<Record<string, Story>> = {}): StatusFacts & { spec: typeof spec } => ({
  version: '1',
  pid: 1,
  url: undefined,
  startedAt: 0,
  now: 60_000,
  story: (name) => stories[name],
  spec,
});
const facts = (patch: FakeBackend = {}, of: AdviceFacts['spec'] = spec): AdviceFacts => ({
  view: viewOf('a', { state: 'retrying', kind: of?.kind ?? 'stdio', ...patch }),
  spec: of,
});

/** Every code that the last error of a backend can have, with what the advice must say. */
type Case = [code: ErrorCode, data: Record<string, unknown>, says: RegExp, of?: AdviceFacts['spec']];
const LAST_ERRORS: readonly Case[] = [
  ['backend_exited', { exitCode: 1 }, /Run it by hand/],
  ['backend_exited', { exitCode: 0 }, /ended by itself without an error/],
  ['backend_exited', { exitCode: 127 }, /not installed/],
  ['backend_exited', { signal: 'SIGKILL' }, /lack of memory/],
  ['spawn_failed', {}, /may run it/],
  ['timeout', {}, /startTimeout/],
  ['unresponsive', {}, /hangs/],
  ['memory_exceeded', {}, /maxMemory/],
  ['connection_failed', { reason: 'connection-refused' }, /url .* is right/, remote],
  ['connection_failed', { reason: 'dns' }, /host name/, remote],
  ['connection_failed', { reason: 'tls' }, /NODE_EXTRA_CA_CERTS/, remote],
  ['http_status', { status: 401 }, /credentials/, remote],
  ['http_status', { status: 403 }, /credentials/, remote],
  ['http_status', { status: 404 }, /path of its "url"/, remote],
  ['http_status', { status: 302, reason: 'redirect' }, /final address/, remote],
  ['http_status', { status: 429 }, /too often/, remote],
  ['http_status', { status: 500 }, /on its side/, remote],
  ['session_lost', {}, /by itself/, remote],
  ['unauthorized', {}, /credentials/, remote],
  ['unsupported_version', {}, /update it/],
  ['invalid_response', { reason: 'web-page' }, /web page/, remote],
  ['invalid_response', { reason: 'init-error' }, /refused to start a session/],
  ['invalid_response', {}, /not MCP/],
  ['message_too_large', {}, /message\.maxBytes/],
  ['busy', {}, /maxConcurrency/],
  ['backend_unavailable', {}, /by itself/],
  ['cancelled', {}, /by itself/],
  ['shutting_down', {}, /by itself/],
  ['draining', {}, /by itself/],
  ['internal', {}, /report it/],
];

describe('what one can do', () => {
  it.each<Case>(LAST_ERRORS)('about %s %j', (code, data, says, of = spec) => {
    const text = adviceFor(new OnemcpError(code, 'x', data), facts({}, of));
    expect(text).toMatch(says);
    expect(text).not.toContain('hunter2');
  });

  it('about a command that there is not', () => {
    const error = new OnemcpError('spawn_failed', 'command not found: npx', undefined, { code: 'ENOENT' });
    expect(adviceFor(error, facts())).toContain('Install "npx", or write its absolute path');
  });

  it('shows a command that can be pasted, without values that may be secret', () => {
    expect(commandLine(spec)).toBe("cd '/my work' && TOKEN=*** PLAIN=*** npx -y 'it'\\''s' ***");
  });

  it.each<[what: string, patch: FakeBackend, says: RegExp | '']>([
    ['one that serves', { state: 'connected' }, ''],
    ['one that starts for the first time', { state: 'starting' }, ''],
    ['one that is held', { state: 'connected', held: { since: 1, until: undefined } }, /^An operator.*onemcp resume a$/],
    ['one that waits', { state: 'idle', waitsFor: ['db'] }, /"db" is connected.*onemcp why db/],
    ['one that waits for two', { state: 'idle', waitsFor: ['db', 'cache'] }, /"db", "cache" are connected/],
    ['a sleeper', { state: 'idle', asleep: true }, /onemcp start a/],
    ['one that is stopped', { state: 'stopped' }, /onemcp start a/],
    ['one that failed for good', { state: 'failed', lastError: new OnemcpError('internal', 'x') }, /onemcp restart a$/],
    [
      'one whose successor fails',
      {
        state: 'connected',
        next: { generation: 1, state: 'retrying', since: 1, lastError: new OnemcpError('timeout', 'slow'), retryAt: 2 },
      },
      /goes on serving.*startTimeout.*undo it/,
    ],
  ])('about %s', (_, patch, says) => {
    if (says === '') expect(advice(facts(patch))).toBe('');
    else expect(advice(facts(patch))).toMatch(says);
  });
});

describe('why', () => {
  const lastError = new OnemcpError('backend_exited', '"a" exited with code 3; its last line on stderr: full', {
    server: 'a',
    exitCode: 3,
  });
  const failed = viewOf('a', { state: 'retrying', since: 40_000, lastError, retryAt: 70_000, failures: 2, dependsOn: ['db'] });
  const path = [
    { at: 30_000, from: undefined, to: 'starting' as const, generation: 0 },
    { at: 39_000, from: 'starting' as const, to: 'error' as const, generation: 0, error: 'full', exitCode: 3 },
  ];
  const stories = { a: story({ path, changes: 2, stderr: 'one\nthe disk is full', failedAt: 39_000 }) };

  it('tells state, path, error, exit code, stderr, next start and advice', () => {
    const world = worldOf([failed, viewOf('db'), viewOf('web', { dependsOn: ['a'] })]);
    const document = whyOf('a', world, about(stories));
    expect(document).toMatchObject({
      name: 'a',
      server: { status: 'retrying', since: '1970-01-01T00:00:40.000Z', nextRetry: '1970-01-01T00:01:10.000Z', failures: 2 },
      path: [
        { at: '1970-01-01T00:00:30.000Z', to: 'starting' },
        { to: 'error', error: 'full', exitCode: 3 },
      ],
      lastError: { code: 'backend_exited', exitCode: 3, at: '1970-01-01T00:00:39.000Z' },
      stderr: ['one', 'the disk is full'],
      circuit: 'closed',
      dependsOn: ['db'],
      neededBy: ['web'],
      advice: expect.stringContaining('npx -y'),
    });
    const text = whyText(document as NonNullable<typeof document>);
    for (const part of [
      'a is retrying, since',
      '(20s)',
      'next start in 10s',
      'starting → error',
      'exit code 3',
      'the disk is full',
      'It needs db.',
      'web needs it.',
      'What you can do:',
    ])
      expect(text).toContain(part);
  });

  it('shows the stderr of now while it is connected', () => {
    const session = { ...fakeSession(), stderrTail: 'all is well\n' };
    const document = whyOf('a', worldOf([viewOf('a', { session })]), about(stories));
    expect(document?.stderr).toEqual(['all is well']);
    expect(document).not.toHaveProperty('advice');
  });

  it('says how the circuit is', () => {
    const circuit = (patch: FakeBackend, from?: 'failed') =>
      whyOf('a', worldOf([viewOf('a', patch)]), about({ a: story({ path: [{ at: 1, from, to: 'starting', generation: 0 }] }) }))?.circuit;
    expect(circuit({ state: 'failed' })).toBe('open');
    expect(circuit({ state: 'starting' }, 'failed')).toBe('half-open');
    expect(circuit({ state: 'starting' })).toBe('closed');
  });

  it('remembers what is no longer configured, and knows nothing of what never was', () => {
    const removed = [{ at: 50_000, from: 'connected' as const, to: undefined, generation: 0 }];
    const document = whyOf('old', worldOf([]), about({ old: story({ path: removed }) }));
    expect(whyText(document as NonNullable<typeof document>)).toMatch(
      /^old is no longer configured\n\nIts path:\n {2}\S+( \S+)? {2}connected → removed$/,
    );
    expect(whyOf('never', worldOf([]), about())).toBeUndefined();
  });

  it('lets no backend write to the terminal', () => {
    const evil = '\u001b[2Jgone\u202e';
    const view = viewOf('a', { state: 'error', lastError: new OnemcpError('internal', evil) });
    const document = whyOf('a', worldOf([view]), about({ a: story({ stderr: `${evil}\n${evil}`, path: [{ ...path[0]!, error: evil }] }) }));
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(whyText(document as NonNullable<typeof document>)).not.toMatch(/[\u001b\u202e]/);
  });
});
