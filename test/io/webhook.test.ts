import { createHmac } from 'node:crypto';
import { createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { WebhookSpec } from '../../src/config/config.ts';
import { createSecret } from '../../src/config/secret.ts';
import { createPoster } from '../../src/io/webhook.ts';
import { createWebhookQueue } from '../../src/io/webhookQueue.ts';
import { type Limits, limitsWith } from '../../src/limits.ts';
import { until } from '../e2e/gateway.ts';
import { verifies } from '../support/verifies.ts';
import { createLog } from './stdioKit.ts';
import { hang, ok, receiver, status, webhook } from './webhookKit.ts';

const NOW = 1_700_000_000_500;
const KEY = 'a key of many characters';

function posterOf(spec: WebhookSpec, timeout = 5_000) {
  const poster = createPoster(spec, { timeout, version: '1.2.3', now: () => NOW, redact: (text) => text });
  onTestFinished(() => poster.destroy());
  return poster;
}

function queueOf(spec: WebhookSpec, changed: Partial<Limits> = {}) {
  const limits = limitsWith({
    'alerts.retryInitial': 20,
    'alerts.retryMax': 40,
    'alerts.attempts': 4,
    'alerts.flushTimeout': 200,
    ...changed,
  });
  const { log, entries, of } = createLog();
  const queue = createWebhookQueue({ poster: posterOf(spec, limits['alerts.timeout']), limits, log, random: () => 0 });
  onTestFinished(() => queue.close());
  return { queue, entries, of };
}

const message = (id: string, incident = id) => ({ id, incident, type: 'backend_failed', body: JSON.stringify({ id }) });

describe('a message', () => {
  it(verifies('alert-signed', 'is signed with its time, and carries its id and the configured headers'), async () => {
    const there = await receiver();
    const poster = posterOf(
      webhook(there.url, { secret: createSecret(KEY), headers: { 'X-Team': 'ops', Authorization: createSecret('Bearer b') } }),
    );
    expect(await poster.post({ id: 'i-opened', body: '{"a":"ü"}' })).toEqual({ ok: true, status: 204, ms: expect.any(Number) });
    const [got] = there.got;
    expect(got).toMatchObject({
      path: '/hook/T0KEN?key=s3cret',
      body: '{"a":"ü"}',
      headers: {
        'content-type': 'application/json',
        'onemcp-id': 'i-opened',
        'onemcp-timestamp': '1700000000',
        'user-agent': 'onemcp/1.2.3',
        'x-team': 'ops',
        authorization: 'Bearer b',
      },
    });
    const expected = createHmac('sha256', KEY).update(`1700000000.${got?.body}`).digest('hex');
    expect(got?.headers['onemcp-signature']).toBe(`v1=${expected}`);
  });

  it('is not signed without a key', async () => {
    const there = await receiver();
    await posterOf(webhook(there.url)).post({ id: 'i', body: '{}' });
    expect(there.got[0]?.headers).not.toHaveProperty('onemcp-signature');
  });

  it.each([
    [500, true],
    [503, true],
    [429, true],
    [400, false],
    [404, false],
    [410, false],
  ])('that is answered with %s is worth another attempt: %s', async (code, retry) => {
    const there = await receiver(status(code));
    expect(await posterOf(webhook(there.url)).post({ id: 'i', body: '{}' })).toMatchObject({
      ok: false,
      retry,
      reason: expect.stringContaining(`answered ${code}`),
    });
  });

  it('follows no redirect', async () => {
    const elsewhere = await receiver();
    const there = await receiver(status(307, { location: elsewhere.url }));
    const posted = await posterOf(webhook(there.url, { secret: createSecret(KEY) })).post({ id: 'i', body: '{}' });
    expect(posted).toMatchObject({ ok: false, retry: false, reason: expect.stringContaining('redirects are not followed') });
    expect(elsewhere.got).toEqual([]);
  });

  it('is given up when nothing answers in time, and when nobody is there; neither says the address', async () => {
    const there = await receiver(hang);
    const late = await posterOf(webhook(there.url), 100).post({ id: 'i', body: '{}' });
    expect(late).toEqual({ ok: false, retry: true, reason: `"${there.host}" did not answer within 0.1 s` });
    const closed = createServer();
    await new Promise<void>((listening) => closed.listen(0, '127.0.0.1', listening));
    const { port } = closed.address() as { port: number };
    await new Promise((done) => closed.close(done));
    const gone = await posterOf(webhook(`http://127.0.0.1:${port}/T0KEN?key=s3cret`)).post({ id: 'i', body: '{}' });
    expect(gone).toMatchObject({ ok: false, retry: true, reason: expect.stringContaining('refuses connections') });
    expect(JSON.stringify([late, gone])).not.toMatch(/T0KEN|s3cret/);
  });

  it('has arrived although the body of the answer never ends', async () => {
    const there = await receiver((response) => void response.writeHead(200).write('x'));
    expect(await posterOf(webhook(there.url), 200).post({ id: 'i', body: '{}' })).toMatchObject({ ok: true, status: 200 });
  });
});

describe('a queue', () => {
  it(verifies('alert-delivered', 'sends one after the other, again after 5xx, 429 and a lost connection, with the same id'), async () => {
    const there = await receiver(status(500), (response) => void response.destroy(), status(429), ok);
    const { queue, of } = queueOf(webhook(there.url));
    queue.send(message('a'));
    queue.send(message('b'));
    await until('both are sent', () => of('alert.sent').length === 2);
    expect(there.got.map(({ headers }) => headers['onemcp-id'])).toEqual(['a', 'a', 'a', 'a', 'b']);
    expect(of('alert.sent')[0]?.fields).toMatchObject({ target: there.host, incident: 'a', attempts: 4, status: 204 });
  });

  it('waits as long as Retry-After says', async () => {
    const there = await receiver(status(429, { 'retry-after': '1' }), ok);
    const { queue, of } = queueOf(webhook(there.url));
    const began = performance.now();
    queue.send(message('a'));
    await until('it is sent', () => of('alert.sent').length === 1);
    expect(performance.now() - began).toBeGreaterThan(950);
  });

  it('gives up after alerts.attempts, at once after another 4xx, and goes on with the next', async () => {
    const there = await receiver(status(500), status(500), status(500), status(500), status(404), ok);
    const { queue, of } = queueOf(webhook(there.url));
    for (const id of ['a', 'b', 'c']) queue.send(message(id));
    await until('the last is sent', () => of('alert.sent').length === 1);
    expect(of('alert.failed').map(({ level, fields }) => [level, fields.incident, fields.attempts])).toEqual([
      ['error', 'a', 4],
      ['error', 'b', 1],
    ]);
    expect(JSON.stringify(of('alert.failed'))).not.toMatch(/T0KEN|s3cret/);
  });

  it(verifies('alert-bounded', 'is bounded: the oldest of the same incident goes first, else the oldest; drops are counted'), async () => {
    const there = await receiver(hang);
    const { queue, of } = queueOf(webhook(there.url), { 'alerts.queue': 3, 'alerts.timeout': 60_000 });
    queue.send(message('in-flight'));
    await until('it is there', () => there.got.length === 1);
    for (const [id, incident] of [
      ['1', 'x'],
      ['2', 'y'],
      ['3', 'y'],
      ['4', 'y'],
      ['5', 'z'],
    ] as const) {
      queue.send(message(id, incident));
    }
    expect(of('alert.dropped').map(({ fields }) => [fields.incident, fields.dropped])).toEqual([
      ['y', 1],
      ['x', 2],
    ]);
    await queue.close();
    expect(of('alert.dropped').at(-1)?.fields).toMatchObject({ dropped: 5 });
  });

  it('is emptied at the end, for alerts.flushTimeout at most', async () => {
    const there = await receiver();
    const quick = queueOf(webhook(there.url));
    for (const id of ['a', 'b', 'c']) quick.queue.send(message(id));
    await quick.queue.close();
    expect(quick.of('alert.sent')).toHaveLength(3);
    quick.queue.send(message('late'));

    there.answers(hang);
    const slow = queueOf(webhook(there.url), { 'alerts.timeout': 60_000 });
    slow.queue.send(message('d'));
    slow.queue.send(message('e'));
    const began = performance.now();
    await slow.queue.close();
    expect(performance.now() - began).toBeLessThan(5_000);
    expect(slow.entries.map(({ event }) => event)).toEqual(['alert.dropped', 'alert.failed']);
    expect(there.got.map(({ headers }) => headers['onemcp-id'])).toEqual(['a', 'b', 'c', 'd']);
  });
});
