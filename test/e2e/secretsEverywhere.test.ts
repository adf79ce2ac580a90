/** Secrets of every provider, servers that tell theirs in every way, faults of all kinds: and then a search in all that is left. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { Json } from '../../src/world.ts';
import { startVault } from '../fixtures/http/vault.ts';
import { verifies } from '../support/verifies.ts';
import { connect, fixture, type HealthBody, until } from './gateway.ts';
import { command, createPlaces, formsOf, leaksIn, listenTo, type Places, type Raw, run, type Sink, sink } from './secretsKit.ts';

/** Milliseconds for what takes its time on a machine that has much to do. */
const LONG = 40_000;

const CRASHES = resolve(import.meta.dirname, '../fixtures/crashes.mjs');

/** Every secret once before and once after its rotation. Its characters are such that each encoding of it is another text. */
const NAMES = [
  'file',
  'store',
  'env',
  'dotenv',
  'program',
  'vault',
  'literal',
  'variable',
  'header',
  'query',
  'hook-path',
  'hook-key',
] as const;
type Name = (typeof NAMES)[number];
const secretOf = (name: Name, round: number): string => `${name}-${round}-a+b/c&d="é <%>-of-${name}-${round}`;

const tells = (reference: string, how = 'serves', more: Json = {}): Json =>
  fixture('tells-secret', { CHAOS_SECRET: reference, CHAOS_HOW: how }, more);

interface Stage {
  readonly home: string;
  readonly env: Record<string, string | undefined>;
  readonly secrets: Record<string, string>;
  readonly places: Places;
  readonly hooks: Sink;
  readonly spans: Sink;
  readonly vault: Awaited<ReturnType<typeof startVault>>;
  /** Writes the configuration; with `broken`, one that quotes a secret where no key is. */
  configure(broken?: boolean): void;
  rotate(): Promise<void>;
  onemcp(args: readonly string[], more?: { env?: Record<string, string>; input?: string }): Promise<string>;
  /** What the test itself has written. */
  readonly own: readonly string[];
}

async function stage(): Promise<Stage> {
  const home = mkdtempSync(join(tmpdir(), 'onemcp-everywhere-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const at = (...names: string[]) => join(home, ...names);
  for (const folder of ['mounted', 'tmp', 'config', 'cache', 'run', 'program']) mkdirSync(at(folder), { mode: 0o700 });
  const [vault, hooks, spans] = [await startVault(), await sink(() => ({ status: 503, body: 'later' })), await sink()];
  const echo = ({ url, headers }: { url: string; headers: Record<string, unknown> }) => `no: ${url} ${JSON.stringify(headers)}`;
  const said = (asked: Parameters<typeof echo>[0]) =>
    JSON.stringify({ jsonrpc: '2.0', id: null, error: { code: -32000, message: echo(asked), data: asked } });
  const json = { 'content-type': 'application/json' };
  const refuses = await sink((asked) => ({
    status: 401,
    headers: { 'www-authenticate': `Bearer realm="${encodeURI(echo(asked))}"` },
    body: echo(asked),
  }));
  const breaks = await sink((asked) => ({ status: 500, headers: json, body: said(asked) }));
  const moves = await sink(({ url }) => ({ status: 307, headers: { location: `https://elsewhere.invalid${url}` } }));
  const garbles = await sink((asked) => ({ headers: { 'content-type': 'application/json' }, body: echo(asked) }));
  const encodes = await sink(({ url }) => ({ headers: { 'content-encoding': url, ...json }, body: '{}' }));

  const secrets: Record<string, string> = { 'vault-token': vault.rootToken };
  const env = {
    ...process.env,
    HOME: home,
    TMPDIR: at('tmp'),
    XDG_CONFIG_HOME: at('config'),
    XDG_CACHE_HOME: at('cache'),
    XDG_RUNTIME_DIR: at('run'),
    ONEMCP_STATE_DIR: at('state'),
    ONEMCP_SECRET_KEY_FILE: at('secret.key'),
    DBUS_SESSION_BUS_ADDRESS: '',
    NODE_COMPILE_CACHE: '',
    NODE_DISABLE_COMPILE_CACHE: '1',
    NO_PROXY: '*',
    VAULT_TOKEN: vault.rootToken,
    FROM_ENV: secretOf('env', 1),
    VARIABLE: secretOf('variable', 1),
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${spans.origin}/v1/traces`,
  };

  const url = (there: Sink) => `${there.origin}/mcp/\${SECRET:query}?key=\${SECRET:query}`;
  const headers = { Authorization: 'Bearer ${SECRET:header}', 'X-Api-Key': '${VARIABLE}' };
  let round = 0;
  const configure = (broken = false) => {
    const config = {
      serverDefaults: { env: { SHARED_TOKEN: '${SECRET:store}' }, headers: { 'X-Shared': '${SECRET:store}' }, startTimeout: '30s' },
      mcpServers: {
        file: tells('${SECRET:from-file}'),
        store: tells('${SECRET:store}', 'init-error'),
        env: tells('${SECRET:from-env}', 'version'),
        dotenv: tells('${SECRET:env:FROM_DOTENV}', 'list-error'),
        program: tells('${SECRET:exec:any}', 'exits'),
        vault: tells('${SECRET:vault:db#password}'),
        // Known to be a credential by its name, as it is written or from a variable.
        literal: { ...tells('x'), env: { API_KEY: secretOf('literal', round), CHAOS_HOW: 'serves', CHAOS_SECRET: '${SECRET:from-file}' } },
        variable: { ...fixture('good'), env: { MY_TOKEN: '${VARIABLE}' } },
        argument: {
          command: [...(fixture('tells-secret').command as string[]), '--token', '${SECRET:from-file}'],
          env: { CHAOS_HOW: 'plain' },
        },
        mute: { ...tells('${SECRET:from-file}', 'mute'), startTimeout: '1500ms' },
        missing: { command: ['./no/${SECRET:from-file}', '--token', '${SECRET:from-file}'] },
        refuses: { url: url(refuses), type: 'http', headers },
        breaks: { url: url(breaks), headers },
        moves: { url: url(moves), type: 'http', headers },
        garbles: { url: url(garbles), type: 'http', headers },
        encodes: { url: url(encodes), type: 'http', headers },
        legacy: { url: url(breaks), type: 'sse', headers },
        nowhere: { url: 'http://nowhere.invalid/${SECRET:query}?key=${SECRET:query}', type: 'http', headers },
        untrusted: { url: `https://${new URL(breaks.origin).host}/\${SECRET:query}`, type: 'http', headers },
        ...(broken && { [secretOf('file', round)]: { command: ['x'], [secretOf('file', round)]: secretOf('file', round) } }),
      },
      gateway: {
        reload: { quiet: '50ms' },
        // Nobody has to wait here for a server that does not come.
        callWait: '300ms',
        initialWait: '1s',
        restart: { initial: '300ms', max: '1s', failures: 3 },
        secrets: {
          poll: 200,
          file: { folders: ['mounted'] },
          exec: { command: ['/bin/sh', 'program/manager.sh', '{name}'] },
          vault: { address: vault.settings.address },
        },
        alerts: {
          webhooks: [
            { url: '${SECRET:hook-url}', secret: '${SECRET:hook-key}' },
            { url: '${SECRET:hook-url}', format: 'slack' },
          ],
          after: '300ms',
          retryInitial: '200ms',
          attempts: 2,
        },
      },
    };
    writeFileSync(at('mcp.json'), JSON.stringify(config, null, 2));
    writeFileSync(at('other.json'), JSON.stringify({ ...config, mcpServers: { probed: tells('${SECRET:from-file}') } }, null, 2));
  };
  const onemcp: Stage['onemcp'] = (args, { env: more = {}, input = '' } = {}) => command(args, home, { env: { ...env, ...more }, input });

  const rotate = async () => {
    round++;
    for (const name of NAMES) secrets[`${name} ${round}`] = secretOf(name, round);
    writeFileSync(at('mounted/from-file'), secretOf('file', round));
    writeFileSync(at('mounted/header'), secretOf('header', round));
    writeFileSync(at('mounted/query'), secretOf('query', round));
    writeFileSync(at('mounted/hook-key'), secretOf('hook-key', round));
    writeFileSync(at('mounted/hook-url'), `${hooks.origin}/hook/${secretOf('hook-path', round)}`);
    writeFileSync(at('.env'), `FROM_DOTENV='${secretOf('dotenv', round)}'\n`);
    writeFileSync(at('program/value'), secretOf('program', round));
    vault.put('db', { password: secretOf('vault', round) });
    places.add(`onemcp secret set (${round})`, await onemcp(['secret', 'set', 'store'], { input: secretOf('store', round) }));
    configure();
  };
  writeFileSync(at('program/manager.sh'), 'cat program/value\n[ ! -e program/broken ] || { cat program/value >&2; exit 4; }\n');
  const places = createPlaces();
  await rotate();
  secrets['store-key'] = readFileSync(at('secret.key'), 'utf8').trim();
  const own = ['mounted', 'program', 'mcp.json', 'other.json', '.env', 'secret.key', 'wrong.key'].map((name) => at(name));
  return { home, env, secrets, places, hooks, spans, vault, configure, rotate, onemcp, own };
}

type Details = HealthBody['servers']['details'];
const detailsOf = async ({ url }: Raw): Promise<Details> => ((await (await fetch(`${url}/health`)).json()) as HealthBody).servers.details;

/** Waits until a server is up, as another process than before if there was one. */
const untilUp = (gateway: Raw, name: string, before?: number) =>
  until(
    `${name} is up`,
    async () => {
      const found = (await detailsOf(gateway)).find((entry) => entry.name === name);
      return found?.status === 'connected' && found.pid !== before && (found.pid as number);
    },
    LONG,
  );

const FAILS = [
  'store',
  'env',
  'dotenv',
  'program',
  'mute',
  'missing',
  'refuses',
  'breaks',
  'moves',
  'garbles',
  'encodes',
  'legacy',
  'nowhere',
  'untrusted',
];

/** A client asks for all there is. What servers answer is its own business; what errors say is ours. */
async function ask({ url }: Raw, places: Places, round: string): Promise<void> {
  const client = await connect(url);
  await client.listen();
  const answers = [
    await client.request('tools/list'),
    ...(await Promise.all(
      ['file', 'vault', 'literal', 'argument'].flatMap((name) => [
        client.call(`${name}__boom`),
        client.call(`${name}__tells`, {}, { progressToken: 1 }),
      ]),
    )),
    ...(await Promise.all(FAILS.map((name) => client.call(`${name}__boom`)))),
    await client.request('prompts/get', { name: 'x' }),
    await client.request('resources/read', { uri: 'x://y' }),
  ];
  const errors = answers.flatMap(({ message }) => (message.error ? [message.error] : message.result.isError ? [message.result] : []));
  expect(errors.length).toBeGreaterThan(FAILS.length);
  places.add(`errors to a client (${round})`, JSON.stringify(errors));
  await client.close();
}

const QUICK = [['status'], ['status', '--json'], ['why', 'file'], ['plan'], ['reload']];
const REST = [
  ...[['why', 'dotenv'], ['why', 'breaks', '--json'], ['check'], ['list'], ['list', '--json'], ['secret', 'list'], ['alert', 'test']],
  ...[
    ['config', 'explain', '--all'],
    ['config', 'explain', '--all', '--json'],
    ['plan', 'other.json', '--probe'],
  ],
];

/** Runs these, two at a time. */
async function print({ onemcp, places }: Stage, commands: readonly (readonly string[])[], round: string): Promise<void> {
  const waiting = [...commands];
  const worker = async () => {
    for (let args = waiting.shift(); args; args = waiting.shift()) places.add(`onemcp ${args.join(' ')} (${round})`, await onemcp(args));
  };
  await Promise.all([worker(), worker()]);
}

/** What an operator sees, by HTTP and on the command line. */
async function look(there: Stage, gateway: Raw, round: string): Promise<void> {
  const { places } = there;
  const get = async (path: string, headers = {}) =>
    places.add(`GET ${path} (${round})`, await (await fetch(gateway.url + path, { headers })).text());
  const stories = (await detailsOf(gateway)).map(({ name }) => `/health?explain=${name}`);
  for (const path of ['/health', '/health/live', '/health/ready', '/metrics', '/openapi.json', ...stories]) await get(path);
  for (const path of ['/health', '/health?explain=file']) await get(path, { 'x-forwarded-for': '203.0.113.1' });
  await print(there, QUICK, round);
  places.add(`/proc/gateway/cmdline (${round})`, readFileSync(`/proc/${gateway.pid}/cmdline`, 'latin1'));
}

/** Starts it with all its ways to say something open: log, log file, inspection; and waits until nothing happens any more. */
async function start({ home, env, places, onemcp }: Stage, format: string) {
  const hasLogFile = (await onemcp(['run', '--help'])).includes('--log-file');
  const log = ['--log-format', format, '--log-level', 'debug', ...(hasLogFile ? ['--log-file', 'gateway.log'] : [])];
  const bug = { NODE_OPTIONS: `--import=${CRASHES}`, CRASH_WORDS: `${secretOf('file', 2)} ${JSON.stringify(secretOf('literal', 1))}` };
  const gateway = await run(['mcp.json', '--port', '0', '--inspect', ...log], home, { ...env, ...bug });
  const link = await until('the link is printed', () => /inspect the machines at (\S+?\?token=[\w-]+)/.exec(gateway.said())?.[1]);
  const token = String(new URL(link).searchParams.get('token'));
  const events = await listenTo(`${gateway.url}/inspect/events`, { authorization: `Bearer ${token}` });
  places.add('the page of --inspect', await (await fetch(link)).text());
  await until(
    'the others have failed',
    async () => {
      const details = await detailsOf(gateway);
      return FAILS.every((name) => details.find((entry) => entry.name === name)?.lastError);
    },
    LONG,
  );
  return { gateway, events, hasLogFile };
}

/** Every secret becomes another one, and a server is killed. */
async function change({ rotate }: Stage, gateway: Raw): Promise<void> {
  const names = ['file', 'vault', 'literal', 'argument'];
  const pids = await Promise.all(names.map((name) => untilUp(gateway, name)));
  await rotate();
  const [, , , argument] = await Promise.all(names.map((name, index) => untilUp(gateway, name, pids[index])));
  process.kill(argument as number, 'SIGKILL');
  await untilUp(gateway, 'argument', argument);
}

/** The file quotes a secret where no key is; then it is good again, and nobody can tell secrets any more. */
async function fail(there: Stage, gateway: Raw): Promise<void> {
  const { home, configure, vault, places, onemcp } = there;
  configure(true);
  await until('it is refused', () => gateway.said().includes('stays in force until'), LONG);
  await print(there, [['status'], ['reload']], 'refused');
  places.add('GET /health (refused)', await (await fetch(`${gateway.url}/health`)).text());
  configure();
  vault.be('broken');
  writeFileSync(join(home, 'program/broken'), '');
  writeFileSync(join(home, 'wrong.key'), 'ab'.repeat(32), { mode: 0o600 });
  await look(there, gateway, 'providers fail');
  places.add('with the wrong key', await onemcp(['check'], { env: { ONEMCP_SECRET_KEY_FILE: join(home, 'wrong.key') } }));
}

const PROVED = 'whatever servers do and whatever fails, no secret is in a log, metric, health answer, event, alert, span or file';

it.each(['json', 'pretty'])(
  verifies('secrets-nowhere', `${PROVED}: %s`),
  async (format) => {
    const there = await stage();
    const { home, secrets, places, hooks, spans, onemcp } = there;
    const { gateway, events, hasLogFile } = await start(there, format);
    await ask(gateway, places, 'at first');
    await change(there, gateway);
    await ask(gateway, places, 'rotated');
    const more = /^ {2}logs\b/m.test(await onemcp(['--help'])) ? [['logs']] : [];
    // The log is all that is different with the other format.
    if (format === 'json') await print(there, [...REST, ...more], 'rotated');
    await fail(there, gateway);
    await until('alerts were sent', () => hooks.got.length > 3, LONG);

    // In the end it dies of a bug that says what nobody should.
    process.kill(gateway.pid, format === 'json' ? 'SIGUSR2' : 'SIGTERM');
    expect(await gateway.exited).toBe(format === 'json' ? 1 : 0);
    const said = gateway.said();
    places.add('stdout and stderr', said);
    places.add('events of --inspect', events());
    for (const [index, got] of hooks.got.entries()) places.add(`alert ${index + 1}`, got);
    expect(spans.got.length).toBeGreaterThan(0);
    for (const [index, got] of spans.got.entries()) places.add(`spans ${index + 1}`, got);
    places.addFolder(home, there.own);
    expect(leaksIn(places, secrets)).toEqual([]);

    // What should have been said was said, without the secret.
    for (const what of ['plain: ***', 'url: ***', 'base64: ***', 'chunks: ***']) expect(said).toContain(what);
    if (format === 'json') expect(said).toContain('unexpected error, please report it: Error: unexpected: *** ');
    const names = places.all.map(([name]) => name);
    expect(names).toContain(join(home, 'state/secrets/store.json'));
    if (hasLogFile) expect(names.some((name) => name.startsWith(join(home, 'gateway.log')))).toBe(true);
    expect(places.all.filter(([, text]) => text === '').map(([name]) => name)).toEqual([]);

    // The search would have found it, in each of these places and in each form.
    const last = secretOf('hook-key', 2);
    for (const [how, forms] of formsOf(last)) {
      const planted = places.all.map(([name, text]) => [name, `${text}${forms.at(-1)}`] as const);
      const found = leaksIn({ all: planted }, { last }).filter((leak) => leak.startsWith(`last as ${how} in `));
      expect([how, found.length]).toEqual([how, places.all.length]);
    }
  },
  120_000,
);
