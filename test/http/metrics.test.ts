import { describe, expect, it, vi } from 'vitest';
import { createApp } from '../../src/http/app.ts';
import { createHostGuard } from '../../src/http/guard/host.ts';
import type { McpOptions } from '../../src/http/mcp.ts';
import type { Health } from '../../src/observe/health.ts';
import type { MetricsText } from '../../src/observe/registry.ts';
import { deferred, worldOf } from '../support/fakeWorld.ts';

const TEXT: MetricsText = { contentType: 'text/plain; version=0.0.4; charset=utf-8', text: 'x 1\n' };

/** The app, of which only `/metrics` is asked for. */
function served(read: () => Promise<MetricsText> = async () => TEXT) {
  let now = 0;
  const onBug = vi.fn();
  const app = createApp({
    guard: createHostGuard({ trustedHosts: [], allowedOrigins: [] }),
    mcp: { onBug } as unknown as McpOptions,
    health: { world: () => worldOf([]), health: () => ({}) as Health, details: 'auto', explain: () => ({}) },
    metrics: { read, keep: 1_000, now: () => now },
    legacySse: false,
    openapi: false,
  });
  const get = (method = 'GET', host = 'localhost') => app.request(`http://${host}/metrics`, { method, headers: { host } });
  const pass = (ms: number) => {
    now += ms;
  };
  return { get, pass, onBug };
}

describe('/metrics', () => {
  it('is text for Prometheus, under every Host name', async () => {
    const { get } = served();
    const answer = await get('GET', 'probe.example.com');
    expect([answer.status, answer.headers.get('content-type'), await answer.text()]).toEqual([200, TEXT.contentType, TEXT.text]);
    const head = await get('HEAD');
    expect([head.status, head.headers.get('content-type'), await head.text()]).toEqual([200, TEXT.contentType, '']);
  });

  it.each(['POST', 'PUT', 'DELETE'])('refuses %s', async (method) => {
    const answer = await served().get(method);
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  it('is made anew when a text has been given out long enough', async () => {
    const read = vi.fn(async () => TEXT);
    const { get, pass } = served(read);
    await get();
    pass(999);
    await get();
    expect(read).toHaveBeenCalledTimes(1);
    pass(1);
    await get();
    expect(read).toHaveBeenCalledTimes(2);
  });

  it('is made once for all who ask meanwhile, however long it takes', async () => {
    const { promise, resolve } = deferred<MetricsText>();
    const read = vi.fn(() => promise);
    const { get, pass } = served(read);
    const first = get();
    pass(5_000);
    const second = get();
    resolve(TEXT);
    const answers = await Promise.all([first, second]);
    expect(await Promise.all(answers.map((answer) => answer.text()))).toEqual([TEXT.text, TEXT.text]);
    expect(read).toHaveBeenCalledTimes(1);
  });

  it('fails for one reading only', async () => {
    const read = vi.fn(async () => TEXT).mockRejectedValueOnce(new Error('no'));
    const { get, onBug } = served(read);
    expect((await get()).status).toBe(500);
    expect(onBug).toHaveBeenCalledTimes(1);
    expect((await get()).status).toBe(200);
  });
});
