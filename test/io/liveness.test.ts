/** Dead and deaf backends, with real processes and sockets. */
import { afterEach, describe, expect, it } from 'vitest';
import type { BackendSpec } from '../../src/config/config.ts';
import type { OnemcpError } from '../../src/errors.ts';
import { watchPulse } from '../../src/io/pulse.ts';
import { openSession } from '../../src/io/session.ts';
import { createTransport } from '../../src/io/transports/index.ts';
import type { Limits } from '../../src/limits.ts';
import type { BackendSession, Json } from '../../src/world.ts';
import { start } from '../fixtures/http/index.mjs';
import { remoteSpec } from '../fixtures/http/peer.ts';
import { verifies } from '../support/verifies.ts';
import { closeAll, createDeps, eventually, lives, onClose, specOf } from './stdioKit.ts';

afterEach(closeAll);

async function connect(spec: BackendSpec, changed: Partial<Limits> = {}) {
  const deps = createDeps({ 'ping.interval': 200, 'ping.timeout': 300, ...changed });
  const { limits, log } = deps;
  const session = await openSession(await createTransport(spec, deps), {
    name: spec.name,
    requestTimeout: spec.requestTimeout,
    requestTotalTimeout: spec.requestTotalTimeout,
    humanTotalTimeout: 60_000,
    floodMessages: limits['flood.messages'],
    floodProgress: limits['flood.progress'],
    clientInfo: { name: 'test', version: '1' },
    log,
    signal: new AbortController().signal,
  });
  const dead: OnemcpError[] = [];
  const closed: OnemcpError[] = [];
  session.subscribe((event) => event.type === 'closed' && closed.push(event.error));
  onClose(watchPulse(session, { name: spec.name, limits, onDead: (error) => dead.push(error) }));
  onClose(() => session.close({ kill: true }));
  return { session, dead, closed, deps };
}

const call = (session: BackendSession, name: string, args: Json = {}) => session.request('tools/call', { name, arguments: args });
const failure = (promise: Promise<unknown>): Promise<OnemcpError> =>
  promise.then(
    () => Promise.reject(new Error('it succeeded')),
    (error) => error,
  );
const remote = async (fixture: string, options: Record<string, unknown> = {}) => {
  const backend = await start(fixture, options);
  onClose(backend.close);
  return backend;
};

describe('a backend', () => {
  it.skipIf(process.platform === 'win32')(verifies('dead-found', 'that freezes while nothing is asked of it is found'), async () => {
    const { session, dead } = await connect(specOf('freezes', { env: { AFTER: '500' } }));
    const pid = session.pid as number;
    await eventually(() => dead.length > 0, 'it is found dead', 10_000);
    expect(dead).toMatchObject([{ code: 'unresponsive' }]);
    const began = performance.now();
    await session.close({ kill: true });
    expect(lives(pid)).toBe(false);
    // Asked to end by itself it would have had stop.stdin + stop.term.
    expect(performance.now() - began).toBeLessThan(1_000);
  });

  it.skipIf(process.platform === 'win32')('that freezes in a call is found with its timeout', async () => {
    const { session, dead } = await connect({ ...specOf('freezes'), requestTimeout: 500 }, { 'ping.interval': 60_000 });
    expect(await failure(call(session, 'boom'))).toMatchObject({ code: 'timeout' });
    await eventually(() => dead.length > 0, 'it is found dead', 10_000);
    expect(dead[0]?.message).toContain('did not answer a ping');
  });

  it('that is only slow with one call lives on', async () => {
    const { session, dead } = await connect({ ...specOf('good'), requestTimeout: 300 });
    expect(await failure(call(session, 'slow', { ms: 60_000 }))).toMatchObject({ code: 'timeout' });
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect([dead, await call(session, 'echo')]).toEqual([[], { content: [{ type: 'text', text: '{}' }] }]);
  });

  it(verifies('dead-found', 'at the far end of a connection that is half open is found'), async () => {
    const backend = await remote('goes-silent');
    const { session, dead } = await connect({ ...remoteSpec(backend.url), requestTimeout: 60_000 });
    const controller = new AbortController();
    const boom = session.request('tools/call', { name: 'boom' }, { signal: controller.signal });
    boom.catch(() => {});
    await eventually(() => backend.requests.some(({ message }) => message.params?.name === 'boom'), 'boom has arrived');
    controller.abort();
    await eventually(() => dead.length > 0, 'it is found dead', 10_000);
    expect(dead).toMatchObject([{ code: 'unresponsive' }]);
    const began = performance.now();
    await session.close({ kill: true });
    // A DELETE would wait for its answer.
    expect(performance.now() - began).toBeLessThan(1_000);
  });

  it(verifies('deaf-found', 'that does not read is killed, and says what it was never sent'), async () => {
    const { session, closed } = await connect(specOf('deaf'), { 'message.drainTimeout': 1_000, 'ping.interval': 0 });
    const pid = session.pid as number;
    const boom = failure(call(session, 'boom'));
    const large = { text: 'x'.repeat(1 << 20) };
    // More than a pipe holds, so its end was never sent, but its start was.
    const torn = failure(call(session, 'echo', large));
    await new Promise((resolve) => setTimeout(resolve, 100));
    const waiting = failure(call(session, 'echo', large));
    const errors = await Promise.all([boom, torn, waiting]);
    expect(errors.map(({ code, data }) => [code, data?.reason, data?.sent])).toEqual([
      ['unresponsive', 'not-reading', undefined],
      ['unresponsive', 'not-reading', undefined],
      ['unresponsive', 'not-reading', false],
    ]);
    expect(closed).toMatchObject([{ code: 'unresponsive' }]);
    await session.close();
    expect(lives(pid)).toBe(false);
  });

  it('that is asked to end by itself can still be killed', async () => {
    const { session } = await connect(specOf('ignores-sigterm'), { 'stop.stdin': 30_000, 'ping.interval': 0 });
    const closing = session.close();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(lives(session.pid as number)).toBe(true);
    await session.close({ kill: true });
    await closing;
    expect(lives(session.pid as number)).toBe(false);
  });
});

describe('a request', () => {
  it(verifies('not-sent', 'that has no room is refused as not sent, one in the pipe is not'), async () => {
    const { session } = await connect(specOf('deaf'), { 'message.queueBytes': 1 << 20, 'ping.interval': 0 });
    const boom = failure(call(session, 'boom'));
    await new Promise((resolve) => setTimeout(resolve, 100));
    const large = { text: 'x'.repeat(600_000) };
    const torn = failure(call(session, 'echo', large));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await failure(call(session, 'echo', large))).toMatchObject({ code: 'busy', data: { reason: 'not-reading', sent: false } });
    await session.close({ kill: true });
    expect((await boom).data).not.toHaveProperty('sent');
    expect((await torn).data).not.toHaveProperty('sent');
    expect(await failure(call(session, 'echo'))).toMatchObject({ code: 'shutting_down', data: { sent: false } });
  });

  it('that was written to a program which exits is not said to be unsent', async () => {
    const { session } = await connect(specOf('crash-on-call'));
    const error = await failure(call(session, 'boom'));
    expect(error.code).toBe('backend_exited');
    expect(error.data).not.toHaveProperty('sent');
  });

  it(verifies('not-sent', 'to a server that refuses connections is not sent; one that resets them leaves it open'), async () => {
    const backend = await remote('good');
    const { session } = await connect(remoteSpec(backend.url), { 'ping.interval': 0 });
    await backend.close();
    expect(await failure(call(session, 'echo'))).toMatchObject({ data: { reason: 'connection-refused', sent: false } });
    const resets = await remote('reset');
    const other = await connect(remoteSpec(resets.url), { 'ping.interval': 0 });
    expect((await failure(call(other.session, 'boom'))).data).not.toHaveProperty('sent');
  });
});

describe('a flood', () => {
  const flooded = async (spec: BackendSpec) => {
    const { session, deps } = await connect(spec);
    const began = performance.now();
    const answers: Json[] = [];
    for (let n = 0; n < 3; n++) answers.push(await call(session, 'boom'));
    return { session, answers, took: (performance.now() - began) / 3, deps };
  };

  it('of a program does not hide its answers, nor hold our event loop', async () => {
    const { answers, took, deps } = await flooded(specOf('log-flood'));
    expect(answers).toEqual(Array(3).fill({ content: [{ type: 'text', text: 'through the flood' }] }));
    expect(took).toBeLessThan(2_000);
    let [beats, latest] = [0, performance.now()];
    const until = latest + 1_000;
    while (performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      const now = performance.now();
      if (now - latest < 50) beats++;
      latest = now;
    }
    // A quarter is the flood's.
    expect(beats).toBeGreaterThan(50);
    await eventually(() => deps.logged.of('backend.flood')[0], 'it is reported', 10_000);
  });

  it('of a server does not hide its answers', async () => {
    const backend = await remote('floods', { ms: 100 });
    const { answers, took } = await flooded(remoteSpec(backend.url));
    expect(answers).toHaveLength(3);
    expect(took).toBeLessThan(5_000);
  });

  it('of pings is answered', async () => {
    const { session } = await connect(specOf('request-storm'));
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const { content } = (await call(session, 'answered')) as { content: [{ text: string }] };
    const { sent, answered } = JSON.parse(content[0].text) as { sent: number; answered: number };
    expect(sent).toBeGreaterThan(100);
    expect(answered / sent).toBeGreaterThan(0.5);
  });
});
