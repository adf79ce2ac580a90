import { describe, expect, it } from 'vitest';
import type { BackendSpec } from '../../src/config/config.ts';
import { OnemcpError } from '../../src/errors.ts';
import { limitsWith } from '../../src/limits.ts';
import { judged, NO_FAILURES, probeDelay, type Verdict } from '../../src/machines/restart.ts';
import { flush } from '../support/fakeWorld.ts';
import { createRoot, exit, opened, specOf } from '../support/machines.ts';
import { verifies } from '../support/verifies.ts';

async function running(spec: BackendSpec | string = 'a', options: Parameters<typeof createRoot>[1] = {}) {
  const root = createRoot([spec], { random: () => 0, ...options });
  root.root.send({ type: 'RUN' });
  root.io.openOf('a').resolve(opened());
  await flush();
  return root;
}
const lose = async (root: ReturnType<typeof createRoot>, error: OnemcpError = exit('a')) => {
  root.io.say('a', { type: 'CLOSED', error });
  await flush();
};
/** Lets time pass until the next start, and lets it fail or succeed. */
async function nextStart(root: ReturnType<typeof createRoot>, outcome: 'fails' | 'connects') {
  const wait = (root.view('a').retryAt as number) - root.clock.now();
  root.clock.increment(wait);
  if (outcome === 'fails') root.io.openOf('a').reject(exit('a'));
  else root.io.openOf('a').resolve(opened());
  await flush();
  return wait;
}

describe('the circuit of a backend', () => {
  it(
    verifies('circuit', 'opens at the fifth failure in a minute; it is probed after 30 s, then after twice as long, at most 300 s'),
    async () => {
      const root = await running();
      await lose(root);
      const waits: number[] = [];
      for (let n = 0; n < 3; n++) waits.push(await nextStart(root, 'fails'));
      expect([root.state('a'), waits]).toEqual(['retrying', [500, 1_000, 2_000]]);
      waits.push(await nextStart(root, 'fails'));
      expect([root.state('a'), root.view('a').failures]).toEqual(['failed', 5]);
      const probes: number[] = [];
      for (let n = 0; n < 6; n++) probes.push(await nextStart(root, 'fails'));
      expect(probes).toEqual([30_000, 60_000, 120_000, 240_000, 300_000, 300_000]);
      expect(root.state('a')).toBe('failed');
    },
  );

  it(verifies('circuit', 'stays half open until the backend has run well for a minute: a failure before opens it again'), async () => {
    const root = await running();
    await lose(root);
    for (let n = 0; n < 4; n++) await nextStart(root, 'fails');
    await nextStart(root, 'connects');
    root.clock.increment(59_999);
    await lose(root);
    expect([root.state('a'), (root.view('a').retryAt as number) - root.clock.now()]).toEqual(['failed', 60_000]);
    await nextStart(root, 'connects');
    root.clock.increment(60_000);
    await lose(root);
    expect([root.state('a'), root.view('a').failures, (root.view('a').retryAt as number) - root.clock.now()]).toEqual(['retrying', 1, 500]);
  });

  it('does not open for failures that are far apart', async () => {
    const root = await running('a', { limits: { 'restart.resetAfter': 1_000_000 } });
    for (let n = 0; n < 12; n++) {
      await lose(root);
      expect(root.state('a')).toBe('retrying');
      await nextStart(root, 'connects');
      root.clock.increment(15_000);
    }
  });

  it('is closed by an operator who starts it', async () => {
    const root = await running();
    await lose(root);
    for (let n = 0; n < 4; n++) await nextStart(root, 'fails');
    root.root.send({ type: 'OPERATE', operation: { op: 'start', name: 'a' } });
    await flush();
    root.io.openOf('a').resolve(opened());
    await flush();
    expect(root.view('a')).toMatchObject({ state: 'connected', failures: 0 });
    await lose(root);
    expect(root.state('a')).toBe('retrying');
  });
});

describe('a backend', () => {
  const clean = new OnemcpError('backend_exited', '"a" exited with code 0', { server: 'a', reason: 'exit', exitCode: 0 });
  const permanent = new OnemcpError('unsupported_version', 'speaks 1999', { server: 'a', retryable: false });

  it(verifies('permanent-error', 'with an error that stays is not tried again by itself'), async () => {
    const root = createRoot(['a']);
    root.root.send({ type: 'RUN' });
    root.io.openOf('a').reject(permanent);
    await flush();
    root.clock.increment(10 * 60_000);
    expect(root.view('a')).toMatchObject({ state: 'failed', retryAt: undefined, failures: 1 });
    expect(root.io.opening.length).toBe(1);
  });

  it(verifies('restart-policy', 'with restart "never" is not restarted'), async () => {
    const root = await running(specOf('a', { restart: 'never' }));
    await lose(root);
    root.clock.increment(10 * 60_000);
    expect(root.view('a')).toMatchObject({ state: 'failed', retryAt: undefined });
  });

  it(verifies('restart-policy', 'with restart "on-failure" that exits with code 0 is done; any other end is a failure'), async () => {
    const root = await running(specOf('a', { restart: 'on-failure' }));
    await lose(root);
    expect(root.state('a')).toBe('retrying');
    await nextStart(root, 'connects');
    await lose(root, clean);
    expect(root.view('a')).toMatchObject({ state: 'stopped', lastError: clean });
    root.root.send({ type: 'OPERATE', operation: { op: 'start', name: 'a' } });
    root.io.openOf('a').resolve(opened());
    await flush();
    expect(root.state('a')).toBe('connected');
  });

  it('that exits with code 0 is restarted otherwise', async () => {
    const root = await running();
    await lose(root, clean);
    expect(root.state('a')).toBe('retrying');
  });

  it('is given the time that it asks for', async () => {
    const root = await running();
    await lose(root, new OnemcpError('http_status', '503', { server: 'a', retryable: true, retryAfterMs: 120_000 }));
    expect((root.view('a').retryAt as number) - root.clock.now()).toBe(120_000);
  });

  it(verifies('install-time', 'that may have to fetch its packages has more time until its first connection, not after it'), async () => {
    const root = createRoot([specOf('a', { startTimeout: 10_000, installTimeout: 200_000 })], { random: () => 0 });
    root.root.send({ type: 'RUN' });
    root.clock.increment(199_999);
    expect(root.state('a')).toBe('starting');
    root.io.openOf('a').resolve(opened());
    await flush();
    await lose(root);
    root.clock.increment(500);
    expect(root.state('a')).toBe('starting');
    root.clock.increment(10_000);
    await flush();
    expect(root.view('a').lastError?.message).toBe('"a" was not ready within 10 s of its start');
  });
});

describe('what comes after a failure', () => {
  const error = (code: OnemcpError['code'], data = {}, cause?: unknown) => new OnemcpError(code, 'x', data, cause);
  const table: readonly [what: string, OnemcpError, BackendSpec['restart'], connected: boolean, Verdict][] = [
    ['an exit', error('backend_exited', { exitCode: 1 }), 'always', true, 'retry'],
    ['a clean exit', error('backend_exited', { exitCode: 0 }), 'always', true, 'retry'],
    ['a clean exit, on-failure', error('backend_exited', { exitCode: 0 }), 'on-failure', true, 'end'],
    ['a clean exit before it was connected, on-failure', error('backend_exited', { exitCode: 0 }), 'on-failure', false, 'retry'],
    ['an exit, on-failure', error('backend_exited', { exitCode: 1 }), 'on-failure', true, 'retry'],
    ['a signal, on-failure', error('backend_exited', { signal: 'SIGKILL' }), 'on-failure', true, 'retry'],
    ['an exit, never', error('backend_exited', { exitCode: 1 }), 'never', true, 'give-up'],
    ['a program that is not installed', error('spawn_failed', {}, { code: 'ENOENT' }), 'always', false, 'probe'],
    ['too many open files', error('spawn_failed', {}, { code: 'EMFILE' }), 'always', false, 'retry'],
    ['a refusal that stays', error('http_status', { status: 401, retryable: false }), 'always', false, 'probe'],
    ['an overload', error('http_status', { status: 503, retryable: true }), 'always', false, 'retry'],
    ['an unknown version', error('unsupported_version'), 'always', false, 'give-up'],
    ['a timeout', error('timeout', { retryable: true }), 'always', false, 'retry'],
  ];
  it.each(table)(verifies('restart-policy', '%s'), (_, failure, restart, connected, verdict) => {
    expect(judged(NO_FAILURES, { error: failure, connected, now: 1 }, restart, limitsWith())[1]).toBe(verdict);
  });

  it('is a probe at intervals that chance makes a little longer, never shorter', () => {
    const probe = { initial: 30_000, max: 300_000 };
    expect([probeDelay(1, 0, probe), probeDelay(1, 0.999, probe), probeDelay(40, 0.5, probe)]).toEqual([30_000, 32_997, 300_000]);
  });
});
