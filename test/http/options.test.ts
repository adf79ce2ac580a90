/** Options of the configuration, from the file to what a client sees. */
import { resolve } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { createGateway } from '../../src/gateway.ts';
import type { Health } from '../../src/observe/health.ts';
import type { Json } from '../../src/world.ts';
import { until } from './serverKit.ts';

const EXOTIC = { command: [process.execPath, resolve(import.meta.dirname, '../fixtures/backends/exotic.mjs')] };

/** Two servers that offer the same, behind a gateway with some options. */
async function start(gateway: Json) {
  const text = JSON.stringify({ mcpServers: { a: EXOTIC, b: EXOTIC }, gateway });
  const loaded = await loadConfig({ file: '<test>', text, env: {}, secrets: { read: async () => '' } });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.issues));
  const errors: [event: string, message: unknown][] = [];
  const running = createGateway({
    config: loaded.config,
    log: (level, event, fields) => level === 'error' && errors.push([event, fields?.message]),
  });
  onTestFinished(() => running.close());
  running.start();
  const isUp = () => [...running.world().backends.values()].every(({ state }) => state === 'connected');
  await until(isUp, 20_000);

  const send = (path: string, init: RequestInit = {}) => running.fetch(new Request(`http://localhost:3050${path}`, init));
  const initialize = async (): Promise<Json> => {
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params });
    const answer = await send('/mcp', { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    return ((await answer.json()) as { result: Json }).result;
  };
  return { errors, send, initialize };
}

it('prefix never, instructions names, legacySse false: all are in force, and what is hidden is told', async () => {
  const { errors, send, initialize } = await start({ naming: { prefix: 'never' }, instructions: 'names', features: { legacySse: false } });
  expect((await initialize()).instructions).toBe('# a\n\n# b');
  expect((await send('/sse', { headers: { accept: 'text/event-stream' } })).status).toBe(404);

  const { servers } = (await (await send('/health')).json()) as Health;
  const [a, b] = servers.details.map(({ notes = [] }) => notes.filter((note) => note.includes('hidden')));
  expect([a, b?.[0]]).toEqual([[], expect.stringMatching(/^tools\/list: \d items are hidden, because "a" has the same: .*odd/)]);
  expect(errors).toEqual(b?.map((note) => ['backend.hidden', `b: ${note}`]));
});

it('without these options instructions are full, HTTP+SSE is there, and nothing is hidden', async () => {
  const { errors, send, initialize } = await start({});
  expect((await initialize()).instructions).toBe('# a (tools: a__…)\nUse with care.\n\n# b (tools: b__…)\nUse with care.');
  // Refused, but not unknown.
  expect((await send('/sse', { headers: { accept: 'application/json' } })).status).toBe(406);
  expect([errors, JSON.stringify(await (await send('/health')).json()).includes('hidden')]).toEqual([[], false]);
});
