import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { inUnit } from '../../src/config/units.ts';
import { LIMITS } from '../../src/limits.ts';
import { until } from '../e2e/gateway.ts';
import { verifies } from '../support/verifies.ts';
import { composeFlaws, composeOf, DCLINT, merged } from './composeSpec.ts';
import { healthcheckOf, lastOf, wordsOf } from './dockerfile.ts';
import { ends, freePort, hasTini, layOut, ROOT, read, stage, start, wordsHere } from './layout.ts';
import { yamlOf } from './yaml.ts';

const words = z.array(z.string());
const time = z.string().regex(/^\d+(ms|s|m)$/);
const healthcheck = z.strictObject({
  test: z.tuple([z.literal('CMD')], z.string()).optional(),
  interval: time.optional(),
  timeout: time.optional(),
  retries: z.int().optional(),
  start_period: time.optional(),
});
const mount = z.strictObject({
  type: z.enum(['bind', 'volume', 'tmpfs']),
  source: z.string().optional(),
  target: z.string().startsWith('/'),
  read_only: z.boolean().optional(),
  tmpfs: z.strictObject({ size: z.int(), mode: z.int() }).optional(),
});
const service = z.strictObject({
  build: z.strictObject({ context: z.literal('.'), target: z.string() }).nullish(),
  image: z.string().optional(),
  init: z.boolean().optional(),
  ports: words.optional(),
  volumes: z.array(mount).optional(),
  tmpfs: words.optional(),
  read_only: z.boolean().optional(),
  user: z.string().optional(),
  cap_drop: words.optional(),
  security_opt: words.optional(),
  stop_grace_period: time.optional(),
  stop_signal: z.literal('SIGTERM').optional(),
  healthcheck: healthcheck.optional(),
  environment: z.record(z.string(), z.string()).optional(),
  entrypoint: words.optional(),
  command: words.optional(),
  depends_on: z.record(z.string(), z.strictObject({ condition: z.enum(['service_healthy', 'service_started']) })).optional(),
  restart: z.enum(['no', 'always', 'on-failure', 'unless-stopped']).optional(),
  secrets: words.optional(),
  ulimits: z.record(z.string(), z.int()).optional(),
  logging: z.strictObject({ driver: z.string(), options: z.record(z.string(), z.string()) }).optional(),
  deploy: z
    .strictObject({
      resources: z.strictObject({
        limits: z.strictObject({ cpus: z.string(), memory: z.string() }),
        reservations: z.strictObject({ memory: z.string() }),
      }),
    })
    .optional(),
});
const file = z.strictObject({
  name: z.string().optional(),
  services: z.record(z.string(), service),
  volumes: z.record(z.string(), z.strictObject({})).optional(),
  secrets: z.record(z.string(), z.strictObject({ file: z.string() })).optional(),
});

const compose = (kind?: string) => file.parse(yamlOf(read(`docker-compose.${kind ? `${kind}.` : ''}yml`))[0]);
const base = compose();
const overlays = { development: compose('development'), test: compose('test'), production: compose('production') };
/** The files that are given together. */
const TOGETHER = {
  alone: [base],
  development: [base, overlays.development],
  test: [base, overlays.development, overlays.test],
  production: [base, overlays.production],
} as const;

/** Where a configuration of a container is in this repository. */
const CONFIG = /^\/etc\/onemcp\/(mcp[a-z.]*\.json|smoke\.mjs)$/;

describe.each(Object.entries(TOGETHER))('docker-compose, %s', (_, files) => {
  const services = files.flatMap((one) => Object.entries(one.services));
  const names = new Set(services.map(([name]) => name));

  it('refers only to services, volumes, secrets, stages and files that are there', () => {
    for (const [, { depends_on = {}, volumes = [], secrets = [], build, command = [], entrypoint = [] }] of services) {
      for (const name of Object.keys(depends_on)) expect(names).toContain(name);
      const all = Object.assign({}, ...files.map((one) => one.volumes ?? {})) as object;
      for (const { type, source } of volumes) if (type === 'volume') expect(all).toHaveProperty(source as string);
      for (const name of secrets) expect(files.some((one) => one.secrets?.[name])).toBe(true);
      if (build) expect(stage(build.target).name).toBe(build.target);
      for (const word of [...command, ...entrypoint]) {
        const [, name] = CONFIG.exec(word) ?? [];
        if (name) expect(existsSync(join(ROOT, 'deploy/docker', name)), word).toBe(true);
      }
    }
  });

  it('who is waited for says how it is', () => {
    for (const [, { depends_on = {} }] of services) {
      for (const [name, { condition }] of Object.entries(depends_on)) {
        expect(condition).toBe('service_healthy');
        expect(services.some(([other, { healthcheck: check }]) => other === name && check?.test)).toBe(true);
      }
    }
  });
});

describe('docker-compose', () => {
  const { onemcp } = base.services;

  it('publishes to this machine only, writes nowhere but to its volumes, and is nobody', () => {
    for (const port of onemcp?.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/);
    expect(onemcp).toMatchObject({ read_only: true, user: '10001:10001', cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] });
    expect(onemcp?.volumes?.map(({ target, read_only = false }) => [target, read_only])).toEqual([
      ['/etc/onemcp', true],
      ['/var/lib/onemcp', false],
    ]);
    for (const { services } of Object.values(overlays)) {
      for (const { ports = [] } of Object.values(services)) expect(ports).toEqual([]);
    }
  });

  it('gives it longer to stop than it takes', () => {
    expect(inUnit(onemcp?.stop_grace_period, 'ms')).toBeGreaterThan(LIMITS.shutdownTimeout.default + 5_000);
  });

  it("has the guide's interval, timeout and retries, and asks what the guide asks", () => {
    expect(onemcp?.healthcheck).toMatchObject({ interval: '30s', timeout: '10s', retries: 3 });
    expect(onemcp?.healthcheck?.test?.slice(1)).toEqual(healthcheckOf(stage('gateway')));
  });

  it('keeps configuration, state and logs outside of the container', () => {
    expect(overlays.production.services.onemcp?.volumes?.map(({ target }) => target)).toEqual(['/etc/onemcp', '/var/log/onemcp']);
    expect(Object.keys({ ...base.volumes, ...overlays.production.volumes })).toEqual(['state', 'logs']);
  });

  const docker = spawnSync('docker', ['compose', 'version'], { stdio: 'ignore' });
  it.skipIf(docker.status !== 0)("is what Docker's own parser takes it for", () => {
    const env = { ...process.env, ONEMCP_IMAGE: 'onemcp:1', ONEMCP_CONFIG: './deploy/docker' };
    for (const kinds of [[], ['development'], ['development', 'test'], ['production']]) {
      const files = ['', ...kinds.map((kind) => `${kind}.`)].flatMap((kind) => ['-f', `docker-compose.${kind}yml`]);
      const { status, stderr, stdout } = spawnSync('docker', ['compose', ...files, 'config', '--format', 'json'], {
        cwd: ROOT,
        env,
        encoding: 'utf8',
      });
      expect(status, stderr).toBe(0);
      const { services } = JSON.parse(stdout) as { services: { onemcp: { ports?: { host_ip?: string }[]; build?: unknown } } };
      for (const { host_ip } of services.onemcp.ports ?? []) expect(host_ip).toBe('127.0.0.1');
      if (kinds.includes('test')) expect(services.onemcp.ports ?? []).toEqual([]);
      if (kinds.includes('production')) expect(services.onemcp.build ?? null).toBeNull();
    }
  });
});

describe('the schema of the Compose Specification', () => {
  const nameOf = (kind: string) => `docker-compose.${kind && `${kind}.`}yml`;
  const kinds = ['', 'development', 'test', 'production'];

  it.each(kinds.map(nameOf))('accepts %s', (name) => {
    expect(composeFlaws(composeOf(name))).toEqual([]);
  });

  it.each([[['', 'development']], [['', 'development', 'test']], [['', 'production']]])('accepts what %s make together', (files) => {
    const all = merged(files.map((kind) => composeOf(nameOf(kind)))) as unknown as z.infer<typeof file>;
    expect(composeFlaws(all)).toEqual([]);
    const { ports, build } = all.services.onemcp ?? {};
    expect(ports).toEqual(files.includes('test') ? undefined : ['127.0.0.1:${ONEMCP_PORT:-3050}:3050']);
    expect(build).toEqual(files.includes('production') ? undefined : { context: '.', target: 'gateway' });
  });

  it.each([
    ['a misspelt field', { imagge: 'onemcp' }, '/services/onemcp must NOT have additional properties: imagge'],
    ['a wrong type', { image: 1 }, '/services/onemcp/image must be string'],
    [
      'a word that is none of those allowed',
      { depends_on: { a: { condition: 'healthy' } } },
      '/services/onemcp/depends_on/a/condition must be equal to one of the allowed values',
    ],
  ])('refuses %s', (_, service, flaw) => {
    expect(composeFlaws({ services: { onemcp: service } })).toContain(flaw);
  });
});

describe('dclint, with the rules of .dclintrc.yaml', () => {
  const lint = (...files: string[]) => {
    const program = join(DCLINT, 'bin/dclint.cjs');
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, '--max-warnings', '0', '-f', 'json', ...files], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    return { status, stderr, said: (JSON.parse(stdout) as { messages: { rule: string }[] }[]).flatMap(({ messages }) => messages) };
  };

  it('has nothing to say about what is shipped', () => {
    const files = ['', 'development.', 'test.', 'production.'].map((kind) => `docker-compose.${kind}yml`);
    expect(lint(...files)).toEqual({ status: 0, stderr: '', said: [] });
  });

  it('has something to say about a file that is not right', () => {
    const folder = mkdtempSync(join(tmpdir(), 'onemcp-compose-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    writeFileSync(join(folder, 'docker-compose.yml'), 'services:\n  a:\n    image: x\n    ports:\n      - "80:80"\n      - "80:81"\n');
    const { status, said } = lint(join(folder, 'docker-compose.yml'));
    expect(status).not.toBe(0);
    expect(said.map(({ rule }) => rule)).toContain('no-duplicate-exported-ports');
  });
});

it(verifies(
  'compose',
  'the test composition, container by container: each starts when those before it are healthy, and the client ends with 0',
), async () => {
  const demo = stage('demo');
  const [serverPort, port] = [await freePort(), await freePort()];
  const layout = layOut({ '/etc/onemcp': 'deploy/docker' });
  const { everything } = overlays.development.services;
  const { onemcp, client } = overlays.test.services;

  const gatewayWords = [...layout.entrypoint, ...(onemcp?.command ?? []), '--port', String(port)];
  const environment = { ...overlays.development.services.onemcp?.environment, ...onemcp?.environment };
  expect(environment.EVERYTHING_URL).toBe('http://everything:3001/mcp');
  const state = layout.here('/var/lib/onemcp');
  const env = { ...environment, ONEMCP_STATE_DIR: state, EVERYTHING_URL: `http://127.0.0.1:${serverPort}/mcp` };
  const healthy = async () => (await ends(wordsHere(layout.healthcheck, layout, port), layout)).code === 0;

  // The other way round than depends_on has it: the gateway comes up all the same, and says that it is not healthy.
  const gateway = start(wordsHere(gatewayWords, layout, port), layout, env);
  const exited = new Promise((resolve) => gateway.once('exit', resolve));
  await until('it is alive', async () => (await fetch(`http://127.0.0.1:${port}/health/live`).catch(() => undefined))?.ok);
  expect(await healthy()).toBe(false);

  const server = spawn(process.execPath, [...wordsOf(lastOf(demo, 'ENTRYPOINT')).slice(1), ...wordsOf(lastOf(demo, 'CMD'))], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, PORT: String(serverPort) },
    stdio: 'ignore',
  });
  onTestFinished(() => void server.kill('SIGKILL'));
  const probe = (everything?.healthcheck?.test ?? []).slice(1).map((word) => word.replace('3001', String(serverPort)));
  await until('the server is healthy', async () => (await ends([process.execPath, ...probe.slice(1)], layout)).code === 0);
  await until('the gateway is healthy', healthy, 30_000);

  const smoke = [...(client?.entrypoint ?? []), `http://127.0.0.1:${port}`].map(layout.here);
  expect(await ends([process.execPath, ...smoke.slice(1)], layout)).toEqual({ code: 0, out: expect.stringContaining('Echo: hi') });
  gateway.kill('SIGTERM');
  expect(await exited).toBe(0);
}, 90_000);

it(verifies('compose', 'in production the log goes to both places, to the last line, and signals reach the gateway'), async () => {
  const layout = layOut();
  const port = await freePort();
  const { entrypoint = [], command = [] } = overlays.production.services.onemcp ?? {};
  const [shell = '', flag = '', line = '', name = ''] = entrypoint;
  const here = (hasTini ? line : line.replace('tini -- ', '')).replace('$$@', '$@').replaceAll(/\/(app|var)\/[\w/.]+/g, layout.here);
  const node = here.replace(/ node /, ` ${process.execPath} `);
  const child = start([shell, flag, node, name, ...command.map(layout.here), '--port', String(port)], layout);
  const exited = new Promise((resolve) => child.once('exit', resolve));
  let log = '';
  child.stderr?.on('data', (chunk) => {
    log += chunk;
  });
  await until('it serves', () => log.includes('gateway.listening'));
  child.kill('SIGTERM');
  expect(await exited).toBe(0);
  const kept = () => readFileSync(layout.here('/var/log/onemcp/onemcp.jsonl'), 'utf8');
  await until('the file has the last line', () => kept().includes('gateway.stopped'));
  await until('so has the log', () => log.includes('gateway.stopped'));
  // What is odd in the configuration is said before there is a log.
  const lines = kept()
    .trimEnd()
    .split('\n')
    .filter((text) => !text.startsWith('warning: '));
  for (const text of lines) expect(JSON.parse(text)).toHaveProperty('event');
}, 60_000);
