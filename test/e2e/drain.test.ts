import { request } from 'node:http';
import { expect, it } from 'vitest';
import { verifies } from '../support/verifies.ts';
import { connect, fixture, startGateway, textOf, until, untilState } from './gateway.ts';

/** A POST with its status, headers and body. */
const post = (url: string, session: string, message: object) =>
  new Promise<{ status: number; connection: string | undefined; text: string }>((resolve, reject) => {
    const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream', 'mcp-session-id': session };
    const sent = request(`${url}/mcp`, { method: 'POST', headers }, (answer) => {
      let text = '';
      answer.on('data', (chunk) => {
        text += chunk;
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, connection: answer.headers.connection, text }));
    });
    sent.on('error', reject);
    sent.end(JSON.stringify({ jsonrpc: '2.0', ...message }));
  });

it(verifies('drain-sessions', 'what is new is sent elsewhere by 404 and a closed connection, what is in flight is answered'), async () => {
  const gateway = await startGateway({ good: fixture('good') });
  await untilState(gateway, 'good', 'connected');
  const client = await connect(gateway.url);
  const old = await connect(gateway.url, '2025-03-26');
  const call = client.call('good__slow', { ms: 2_000 });
  await until('the call is in flight', async () => (await untilState(gateway, 'good', 'connected')).inFlight === 1);
  process.kill(gateway.pid, 'SIGTERM');
  await until('it drains', async () => (await fetch(`${gateway.url}/health/ready`)).status === 503);

  const refused = await post(gateway.url, client.session, { id: 7, method: 'tools/call', params: { name: 'good__echo', arguments: {} } });
  expect(refused).toMatchObject({ status: 404, connection: 'close' });
  expect(JSON.parse(refused.text)).toMatchObject({ id: 7, error: { data: { reason: 'draining' } } });
  expect((await post(gateway.url, client.session, { id: 8, method: 'tools/list' })).status).toBe(404);
  const batch = await fetch(`${gateway.url}/mcp`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', 'mcp-session-id': old.session },
    body: JSON.stringify([{ jsonrpc: '2.0', id: 1, method: 'tools/list' }]),
  });
  expect(batch.status).toBe(404);
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } };
  const opening = await post(gateway.url, 'none', { id: 9, method: 'initialize', params });
  expect(opening).toMatchObject({ status: 503, connection: 'close' });
  // A client may still ask whether it lives, cancel, and answer.
  expect((await post(gateway.url, client.session, { id: 10, method: 'ping' })).status).toBe(200);
  expect((await post(gateway.url, client.session, { method: 'notifications/roots/list_changed' })).status).toBe(202);
  expect((await post(gateway.url, client.session, { id: 'x', result: {} })).status).toBe(202);

  expect(textOf(await call)).toBe('slept 2000 ms');
  expect(await gateway.exited).toBe(0);
}, 30_000);

it(verifies(
  'drain-sessions',
  'drainDelay: it goes on saying so although nothing is in flight, and a second signal ends the wait',
), async () => {
  const gateway = await startGateway({ good: fixture('good') }, { drainDelay: '1500ms' });
  await untilState(gateway, 'good', 'connected');
  const client = await connect(gateway.url);
  const began = performance.now();
  process.kill(gateway.pid, 'SIGTERM');
  await until('it drains', async () => (await fetch(`${gateway.url}/health/ready`)).status === 503);
  expect((await post(gateway.url, client.session, { id: 1, method: 'tools/list' })).status).toBe(404);
  expect(await gateway.exited).toBe(0);
  expect(performance.now() - began).toBeGreaterThan(1_450);

  const other = await startGateway({ good: fixture('good') }, { drainDelay: '9s' });
  await untilState(other, 'good', 'connected');
  process.kill(other.pid, 'SIGTERM');
  await until('it drains', async () => (await fetch(`${other.url}/health/ready`)).status === 503);
  const again = performance.now();
  process.kill(other.pid, 'SIGTERM');
  expect(await other.exited).toBe(1);
  expect(performance.now() - again).toBeLessThan(5_000);
}, 40_000);
