import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { expect, it } from 'vitest';
import { verifies } from '../support/verifies.ts';
import { connect, fixture, isAlive, MAIN, processesWith, startGateway, textOf, until, untilState } from './gateway.ts';

it(verifies(['I127', 'drain'], 'SIGTERM: not ready at once, calls in flight are answered, no process is left, exit 0'), async () => {
  const cookie = `stop-${process.pid}-${Date.now()}`;
  const gateway = await startGateway({
    good: fixture('good', { TEST_COOKIE: cookie }),
    deaf: fixture('ignores-sigterm', { TEST_COOKIE: cookie }),
  });
  await untilState(gateway, 'good', 'connected');
  await untilState(gateway, 'deaf', 'connected');
  const client = await connect(gateway.url);
  await client.listen();
  const call = client.call('good__slow', { ms: 2000 });
  await until('the call is in flight', async () => (await untilState(gateway, 'good', 'connected')).inFlight === 1);
  const pids = processesWith(cookie);
  const began = performance.now();
  process.kill(gateway.pid, 'SIGTERM');
  await until('it is not ready', async () => (await fetch(`${gateway.url}/health/ready`)).status === 503, 2000);
  expect((await fetch(`${gateway.url}/health/live`)).status).toBe(200);
  const refused = await fetch(`${gateway.url}/mcp`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params: {} }),
  });
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
  expect(textOf(await call)).toBe('slept 2000 ms');
  expect(await gateway.exited).toBe(0);
  const took = performance.now() - began;
  console.log(`stopped ${took.toFixed(0)} ms after SIGTERM, with a call of 2 s and a backend that ignores everything`);
  expect(took).toBeLessThan(15_000);
  expect(pids.filter(isAlive)).toEqual([]);
}, 40_000);

it(verifies('drain', 'a second signal leaves at once and still kills the groups'), async () => {
  const cookie = `stop2-${process.pid}-${Date.now()}`;
  const gateway = await startGateway({ deaf: fixture('ignores-sigterm', { TEST_COOKIE: cookie }) });
  await untilState(gateway, 'deaf', 'connected');
  const client = await connect(gateway.url);
  const call = client.call('deaf__slow', { ms: 60_000 }).catch(() => undefined);
  await until('the call is in flight', async () => (await untilState(gateway, 'deaf', 'connected')).inFlight === 1);
  const pids = processesWith(cookie);
  process.kill(gateway.pid, 'SIGINT');
  await until('it drains', () => gateway.logs.some(({ event }) => event === 'gateway.draining'));
  const began = performance.now();
  process.kill(gateway.pid, 'SIGINT');
  expect(await gateway.exited).toBe(1);
  expect(performance.now() - began).toBeLessThan(3000);
  await call;
  await until('no process is left', () => !pids.some(isAlive), 5000);
}, 40_000);

it('calls that outlast the grace are told, and a stubborn backend does not hold the exit up', async () => {
  const gateway = await startGateway({ deaf: fixture('ignores-sigterm') }, { drainTimeout: '500ms', shutdownTimeout: '15s' });
  await untilState(gateway, 'deaf', 'connected');
  const client = await connect(gateway.url);
  const call = client.call('deaf__slow', { ms: 60_000 });
  await until('the call is in flight', async () => (await untilState(gateway, 'deaf', 'connected')).inFlight === 1);
  process.kill(gateway.pid, 'SIGTERM');
  const answer = await call;
  expect(answer.message.result.isError).toBe(true);
  expect(answer.message.result._meta).toMatchObject({ 'dev.onemcp/error': { server: 'deaf', reason: 'shutting_down' } });
  expect(await gateway.exited).toBe(0);
}, 40_000);

it(verifies('port-in-use', 'a port in use ends the start with one sentence and exit code 1'), async () => {
  const blocker = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => blocker.once('listening', resolve));
  const { port } = blocker.address() as { port: number };
  const gateway = await startGateway({ good: fixture('good') });
  const child = spawn(process.execPath, [MAIN, 'run', 'mcp.json', '--port', String(port)], {
    cwd: gateway.folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const code = await new Promise((resolve) => child.once('exit', resolve));
  blocker.close();
  expect(code).toBe(1);
  expect(stderr).toBe(`port ${port} on 127.0.0.1 is in use; stop the other program or choose another port with --port\n`);
});
