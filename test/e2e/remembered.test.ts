/** What a gateway knows before its backends are up. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { Json } from '../../src/world.ts';
import { verifies } from '../support/verifies.ts';
import { connect, fixture, type Running, startGateway, type TestClient, textOf, until } from './gateway.ts';

/** A state folder and a configuration file that outlive a gateway, so that the next one is its restart. */
function home() {
  const folder = mkdtempSync(join(tmpdir(), 'onemcp-home-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const stateDir = join(folder, 'state');
  return {
    folder,
    stateDir,
    catalogs: join(stateDir, 'catalog'),
    start: (mcpServers: Json, gateway: Json = {}) => startGateway(mcpServers, { stateDir, ...gateway }, [], folder),
  };
}

const NAMES = Array.from({ length: 20 }, (_, n) => `b${n}`);
/** Values of variables may differ from start to start: they do not tell one program from another. */
const all = (name: string, env: Record<string, string>) => Object.fromEntries(NAMES.map((key) => [key, fixture(name, env)]));

const namesIn = async (client: TestClient) =>
  ((await client.request('tools/list')).message.result.tools as { name: string }[]).map(({ name }) => name);
const statesOf = async (gateway: Running) => (await gateway.health()).body.servers.details.map(({ status }) => status);
const allUp = (gateway: Running) =>
  until('all are up', async () => (await statesOf(gateway)).every((state) => state === 'connected'), 30_000);
const saved = (gateway: Running, catalogs: string, count: number) =>
  until('the lists are saved', () => {
    const [file] = (existsSync(catalogs) ? readdirSync(catalogs) : []).filter((name) => name.endsWith('.json'));
    return file !== undefined && Object.keys(JSON.parse(readFileSync(join(catalogs, file), 'utf8')).backends).length === count && gateway;
  });

it(verifies(
  'remembered',
  'after a restart, lists all tools of 20 backends at once; a call waits for its backend; nothing is announced',
), async () => {
  const { start, catalogs } = home();
  const first = await start(all('slow-start', { DELAY_MS: '0' }), { startsAtOnce: 20 });
  await allUp(first);
  const before = await namesIn(await connect(first.url));
  await first.stop();
  const [file] = readdirSync(catalogs);
  const text = readFileSync(join(catalogs, String(file)), 'utf8');

  const second = await start(all('slow-start', { DELAY_MS: '4000' }), { startsAtOnce: 20 });
  const client = await connect(second.url);
  const notes = await client.listen();
  const { message, took } = await client.request('tools/list');
  expect((await statesOf(second)).filter((state) => state === 'connected')).toEqual([]);
  const after = (message.result.tools as { name: string }[]).map(({ name }) => name);
  expect([after, after.length, message.result._meta]).toEqual([before, 60, undefined]);
  console.log(`tools/list of 20 remembered backends: ${took.toFixed(0)} ms`);
  expect(Object.keys(client.initialized.capabilities as Json)).toEqual(['tools']);

  expect(textOf(await client.call('b7__echo', { text: 'patience' }))).toContain('patience');
  await allUp(second);
  await second.stop();
  expect(notes).toEqual([]);
  expect(readFileSync(join(catalogs, String(file)), 'utf8')).toBe(text);
}, 90_000);

it(verifies('remembered', 'a list that comes back different is announced once, and is what the next start has'), async () => {
  const { start, folder, catalogs } = home();
  const { command, env } = fixture('changes-on-restart', { COUNTER_FILE: join(folder, 'counter') }) as { command: string[]; env: Json };
  const late = { command: ['/bin/sh', '-c', 'sleep 1.5; exec "$@"', 'sh', ...command], env };
  const servers = { a: late, b: fixture('good') };
  const first = await start(servers, { batch: { quiet: '100ms' } });
  await allUp(first);
  await saved(first, catalogs, 2);
  // Not even a chance to say goodbye.
  await first.stop('SIGKILL');

  const second = await start(servers, { batch: { quiet: '100ms' } });
  const client = await connect(second.url);
  const notes = await client.listen();
  expect(await namesIn(client)).toContain('a__start-1');
  await allUp(second);
  await until('it is announced', () => notes.length > 0);
  const fresh = await namesIn(client);
  expect([fresh.includes('a__start-1'), fresh.includes('a__start-2')]).toEqual([false, true]);
  await second.stop();
  expect(notes.map(({ method }) => method)).toEqual(['notifications/tools/list_changed']);

  const third = await start(servers);
  expect(await namesIn(await connect(third.url))).toContain('a__start-2');
}, 60_000);

it('begins without lists where those that were kept make no sense, and keeps new ones', async () => {
  const { start, catalogs } = home();
  const first = await start({ a: fixture('good') });
  await allUp(first);
  await first.stop();
  const [file] = readdirSync(catalogs);
  writeFileSync(join(catalogs, String(file)), '{"version":1,"backends":{"a":');

  const second = await start({ a: fixture('good') });
  await allUp(second);
  expect(await namesIn(await connect(second.url))).toHaveLength(3);
  await saved(second, catalogs, 1);
  expect(second.logs.filter(({ event }) => event === 'store.corrupt')).toHaveLength(1);
  expect(readdirSync(catalogs).sort()).toEqual([file, `${file}.bad`]);
}, 30_000);

it('serves although nothing can be kept, says so, and no longer once it can', async () => {
  const { start, stateDir, catalogs } = home();
  writeFileSync(stateDir, 'in the way');
  const gateway = await start({ a: fixture('list-changes') }, { catalog: { saveDelay: '50ms' } });
  await allUp(gateway);
  const body = await until('it is a problem', async () => {
    const { body: document } = await gateway.health();
    return document.problems !== undefined && document;
  });
  expect([body.status, body.problems]).toEqual(['degraded', [expect.stringContaining('cannot be kept for the next start')]]);
  expect((await gateway.health()).status).toBe(200);
  expect(await namesIn(await connect(gateway.url))).not.toEqual([]);
  expect(gateway.logs.filter(({ event }) => event === 'catalog.unsaved')).toHaveLength(1);

  rmSync(stateDir);
  mkdirSync(stateDir);
  await gateway.stop();
  expect(gateway.logs.filter(({ event }) => event === 'catalog.saved')).toHaveLength(1);
  expect(readdirSync(catalogs)).toHaveLength(1);
}, 30_000);
