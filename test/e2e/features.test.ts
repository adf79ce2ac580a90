/** Each switch of `gateway.features`, on and off, in the program. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { FEATURE_NAMES, type FeatureName } from '../../src/config/features.ts';
import { verifies } from '../support/verifies.ts';
import { fixture, MAIN, type Running, startGateway, until, untilState } from './gateway.ts';

const SERVERS = { good: fixture('good') };
const OPTIONS = { catalog: { saveDelay: 10 } };

function onemcp({ folder }: Running, ...args: string[]) {
  const env = { PATH: process.env.PATH, ONEMCP_STATE_DIR: join(folder, 'state') };
  return spawnSync(process.execPath, [MAIN, ...args], { cwd: folder, encoding: 'utf8', env });
}

const isThere = async ({ url }: Running, path: string) => {
  const aborter = new AbortController();
  const { status } = await fetch(`${url}${path}`, { signal: aborter.signal });
  aborter.abort();
  return status === 200;
};

/** What the state folder has of the lists. */
const remembered = ({ folder }: Running): readonly string[] => {
  const place = join(folder, 'state', 'catalog');
  return existsSync(place) ? readdirSync(place) : [];
};

const applied = ({ logs }: Running) => logs.filter(({ event }) => event === 'config.applied').length;

/** Edits the file, and asks for a reload; how often that was applied tells whether the edit alone was. */
async function editsAreSeen(running: Running, features: object): Promise<boolean> {
  const servers = { good: fixture('good', {}, { tags: ['edited'] }) };
  writeFileSync(join(running.folder, 'mcp.json'), JSON.stringify({ mcpServers: servers, gateway: { ...OPTIONS, features } }));
  const seen = await until('the edit is applied', () => applied(running) === 1, 3_000).catch(() => false);
  // What is not watched is read all the same when somebody asks.
  process.kill(running.pid, 'SIGHUP');
  await until('it is read', () => running.logs.some(({ event }) => event === 'config.applied' || event === 'config.unchanged'));
  await until('the server is tagged', async () => {
    const [server] = (await running.health()).body.servers.details;
    return (server?.tags as readonly string[] | undefined)?.includes('edited');
  });
  return seen;
}

it.each([undefined, ...FEATURE_NAMES])(verifies('features', 'without %s: it is not there, and all others are'), async (off) => {
  const features = off === undefined ? {} : { [off]: false };
  const running = await startGateway(SERVERS, { ...OPTIONS, features });
  await untilState(running, 'good', 'connected');
  if (off !== 'catalog') await until('the lists are saved', () => remembered(running).length > 0);
  const found: Record<FeatureName, boolean> = {
    legacySse: await isThere(running, '/sse'),
    metrics: await isThere(running, '/metrics'),
    openapi: await isThere(running, '/openapi.json'),
    control: onemcp(running, 'status').status === 0,
    reload: await editsAreSeen(running, features),
    // Written soon after they came; the end writes what is left, so that is looked at again.
    catalog: remembered(running).length > 0,
  };
  expect(found).toEqual(Object.fromEntries(FEATURE_NAMES.map((name) => [name, name !== off])));
  expect(await running.stop()).toBe(0);
  if (off === 'catalog') expect(remembered(running)).toEqual([]);
});

it('a variable switches, too, and an unknown feature is told with the right word', async () => {
  const running = await startGateway(SERVERS);
  const { folder } = running;
  const env = { PATH: process.env.PATH, ONEMCP_FEATURES_LEGACY_SSE: 'false', ONEMCP_FEATURES_METRIKS: '0' };
  const explained = spawnSync(process.execPath, [MAIN, 'config', 'explain', 'features'], { cwd: folder, encoding: 'utf8', env });
  expect(explained.stdout).toMatch(/^features\.legacySse +false +ONEMCP_FEATURES_LEGACY_SSE +true \(default\)$/m);
  for (const name of FEATURE_NAMES) expect(explained.stdout).toContain(`features.${name} `);
  expect(explained.stderr).toContain('ONEMCP_FEATURES_METRIKS: unknown variable, did you mean ONEMCP_FEATURES_METRICS?');
  writeFileSync(join(folder, 'mcp.json'), '{ "mcpServers": {}, "gateway": { "features": { "relaod": false } } }');
  expect(onemcp(running, 'check').stderr).toBe('./mcp.json:1:48 gateway.features.relaod: unknown key, did you mean "reload"?\n');
});
