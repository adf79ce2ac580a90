import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../src/world.ts';
import { type Exposition, parseExposition } from '../support/exposition.ts';
import { verifies } from '../support/verifies.ts';
import { connect, fixture, type Running, startGateway, until, untilState } from './gateway.ts';

/** Every text is new. */
const FRESH = { metricsCache: 0 };

async function scrape({ url }: Running): Promise<Exposition> {
  const answer = await fetch(`${url}/metrics`);
  if (answer.status !== 200) throw new Error(`status ${answer.status}`);
  return parseExposition(await answer.text());
}

const rewrite = ({ folder }: Running, mcpServers: Json, gateway: Json) =>
  writeFileSync(join(folder, 'mcp.json'), JSON.stringify({ mcpServers, gateway }));

describe('/metrics of a running gateway', () => {
  it(verifies('metrics', 'counts what its clients did, each call once'), async () => {
    const running = await startGateway({ good: fixture('good'), bad: fixture('crash-on-call') }, FRESH);
    await untilState(running, 'good', 'connected');
    await untilState(running, 'bad', 'connected');
    const clients = [await connect(running.url), await connect(running.url)];
    for (const client of clients) for (let n = 0; n < 5; n++) await client.call('good__echo', { n });
    await clients[0]?.call('good__nothing');
    await clients[1]?.call('bad__boom');
    await clients[0]?.call('unknown__tool');

    const { value, sum } = await scrape(running);
    const calls = (server: string, outcome: string) => value('onemcp_calls_total', { server, method: 'tools/call', outcome });
    // A name that nobody has belongs to no server.
    expect([calls('good', 'ok'), calls('good', 'error'), calls('bad', 'error'), calls('', 'error')]).toEqual([10, 0, 1, 2]);
    expect(value('onemcp_call_errors_total', { server: 'bad', code: 'backend_exited' })).toBe(1);
    expect(sum('onemcp_calls_total')).toBe(13);
    expect(sum('onemcp_call_errors_total')).toBe(sum('onemcp_calls_total', { outcome: 'error' }));
    expect(value('onemcp_call_duration_seconds_count', { server: 'good' })).toBe(10);
    expect(value('onemcp_sessions')).toBe(2);
    expect(value('onemcp_backend_info', { server: 'good' })).toBe(1);
    expect(value('process_resident_memory_bytes')).toBeGreaterThan(1_000_000);
  });

  it(verifies('metrics', 'shows what is in flight'), async () => {
    const running = await startGateway({ slow: fixture('good', {}, { maxConcurrency: 1 }) }, FRESH);
    await untilState(running, 'slow', 'connected');
    const client = await connect(running.url);
    const both = [client.call('slow__slow', { ms: 3_000 }), client.call('slow__echo')];
    const seen = await until('one is in flight and one waits', async () => {
      const now = await scrape(running);
      return now.value('onemcp_queue_length', { server: 'slow' }) === 1 && (now.value('onemcp_queue_age_seconds') ?? 0) > 0.2 && now;
    });
    expect(seen.value('onemcp_calls_in_flight', { server: 'slow' })).toBe(1);
    expect(seen.value('onemcp_queue_age_seconds', { server: 'slow' })).toBeLessThan(3);
    await Promise.all(both);
    const after = await scrape(running);
    expect([after.value('onemcp_calls_in_flight'), after.value('onemcp_queue_length')]).toEqual([0, 0]);
  });

  it(verifies('metrics', 'shows a backend that is killed go and come back, as one restart'), async () => {
    const running = await startGateway({ good: fixture('good'), other: fixture('good') }, FRESH);
    await untilState(running, 'other', 'connected');
    const { pid } = await untilState(running, 'good', 'connected');
    const restarts = (now: Exposition) => ['good', 'other'].map((server) => now.value('onemcp_backend_restarts_total', { server }));
    expect(restarts(await scrape(running))).toEqual([0, 0]);
    process.kill(pid as number, 'SIGKILL');
    await until('it is seen to be down', async () => {
      const now = await scrape(running);
      return now.value('onemcp_backend_up', { server: 'good' }) === 0 && now.value('onemcp_gateway_status') === 1;
    });
    const back = await until('it is back', async () => {
      const now = await scrape(running);
      return now.value('onemcp_backend_state', { server: 'good', state: 'connected' }) === 1 && now;
    });
    expect(restarts(back)).toEqual([1, 0]);
    expect([back.value('onemcp_backend_up', { server: 'good' }), back.value('onemcp_gateway_status')]).toEqual([1, 0]);
  });

  it(verifies('metrics', 'counts reloads, and a server that is gone has no series left'), async () => {
    const servers = { good: fixture('good'), other: fixture('good') };
    const running = await startGateway(servers, FRESH);
    await untilState(running, 'other', 'connected');
    const reloads = (now: Exposition) =>
      ['applied', 'unchanged', 'rejected'].map((result) => now.value('onemcp_reloads_total', { result }));
    writeFileSync(join(running.folder, 'mcp.json'), '{ "mcpServers": { "good": {} } }');
    const rejected = await until('it is rejected', async () => {
      const now = await scrape(running);
      return now.value('onemcp_config_last_reload_successful') === 0 && now;
    });
    expect(reloads(rejected)).toEqual([0, 0, 1]);
    rewrite(running, { good: servers.good }, FRESH);
    const applied = await until('it is applied', async () => {
      const now = await scrape(running);
      return now.value('onemcp_backend_up', { server: 'other' }) === undefined && now;
    });
    expect(reloads(applied)).toEqual([1, 0, 1]);
    expect(applied.value('onemcp_config_last_reload_successful')).toBe(1);
    expect(applied.lines.filter(({ labels }) => labels.server === 'other')).toEqual([]);
  });

  it(verifies('metrics', 'counts the notifications of changed lists, and those that were spared'), async () => {
    const running = await startGateway({ a: fixture('list-changes') }, FRESH);
    await untilState(running, 'a', 'connected');
    const client = await connect(running.url);
    const heard = await client.listen();
    await client.request('tools/list');
    await client.call('a__add', { name: 'one' });
    await until('it is told', () => heard.some(({ method }) => method === 'notifications/tools/list_changed'));
    const told = heard.filter(({ method }) => method === 'notifications/tools/list_changed').length;
    const now = await scrape(running);
    expect(now.value('onemcp_list_changed_total', { kind: 'tools' })).toBe(told);
    expect(now.value('onemcp_event_streams')).toBe(1);
  });

  it('is not there when nobody wants it', async () => {
    const running = await startGateway({ good: fixture('good') }, { features: { metrics: false } });
    const answer = await fetch(`${running.url}/metrics`);
    expect([answer.status, await answer.text()]).toEqual([404, expect.not.stringContaining('/metrics,')]);
  });

  it('is read by a crowd at once without harm', async () => {
    const running = await startGateway({ good: fixture('good') }, FRESH);
    const answers = await Promise.all(Array.from({ length: 200 }, () => scrape(running)));
    expect(answers.every((now) => now.value('onemcp_build_info') === 1)).toBe(true);
  });
});
