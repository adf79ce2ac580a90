import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createSecret } from '../src/config/secret.ts';
import { type ControlOptions, createControl } from '../src/control.ts';
import { OnemcpError } from '../src/errors.ts';
import { limitsWith } from '../src/limits.ts';
import type { BackendView, Operation, World } from '../src/world.ts';
import { fakeSession, viewOf, worldOf } from './support/fakeWorld.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** The operations over a World that a test changes as it likes. */
function control(views: readonly BackendView[], more: Partial<ControlOptions> & { readonly first?: World } = {}) {
  let world = more.first ?? worldOf(views, { disabled: ['off'] });
  const listeners = new Set<() => void>();
  const operations: Operation[] = [];
  const ops = createControl({
    world: () => world,
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    operate: (operation) => void operations.push(operation),
    facts: () => ({ version: '1', pid: 1, url: undefined, startedAt: 0, now: 0, story: () => undefined }),
    spec: () => undefined,
    limits: limitsWith(),
    redact: (text) => text.replaceAll('hunter2', '***'),
    ...more,
  });
  const show = (...next: readonly BackendView[]) => {
    world = worldOf(next);
    for (const listener of [...listeners]) listener();
  };
  return { ops, operations, show, listeners };
}

const waiting = () => ({ wait: true, signal: new AbortController().signal });
const down = viewOf('a', { state: 'stopped' });

describe('operations on a running system', () => {
  it('are over when the World says so', async () => {
    const { ops, operations, show, listeners } = control([down]);
    const result = ops.operate({ op: 'start', name: 'a' }, waiting());
    expect(operations).toEqual([{ op: 'start', name: 'a' }]);
    show(viewOf('a', { state: 'starting' }));
    show(viewOf('a', { session: fakeSession({ pid: 5 }) }));
    expect(await result).toMatchObject({ ok: true, message: '"a" is connected (pid 5, 0 tools)', server: { status: 'connected' } });
    expect([listeners.size, vi.getTimerCount()]).toEqual([0, 0]);
  });

  it('are not waited for for ever', async () => {
    const { ops, listeners } = control([{ ...down, connects: 1 }]);
    const result = ops.operate({ op: 'start', name: 'a' }, waiting());
    await vi.advanceTimersByTimeAsync(40_000);
    expect(await result).toMatchObject({ ok: false, message: expect.stringContaining('not over after') });
    expect(listeners.size).toBe(0);
  });

  it('are not waited for when nobody wants to know, or has gone', async () => {
    const { ops } = control([down]);
    const told = { ok: true, message: '"a" was told to start' };
    expect(await ops.operate({ op: 'start', name: 'a' }, { ...waiting(), wait: false })).toMatchObject(told);
    const gone = new AbortController();
    const result = ops.operate({ op: 'start', name: 'a' }, { wait: true, signal: gone.signal });
    gone.abort();
    expect(await result).toMatchObject(told);
  });

  it('are refused for what there is not, with the name that was meant', async () => {
    const { ops, operations } = control([viewOf('github')]);
    const refusal = (name: string) =>
      ops.operate({ op: 'stop', name }, waiting()).catch(({ code, message }: OnemcpError) => ({ code, message }));
    expect(await refusal('githbu')).toEqual({ code: 'unknown_server', message: 'there is no server "githbu"; did you mean "github"?' });
    expect(await refusal('zzz')).toEqual({ code: 'unknown_server', message: 'there is no server "zzz"; there are github' });
    expect(await refusal('off')).toEqual({ code: 'unknown_server', message: 'server "off" is disabled in the configuration' });
    expect(() => ops.why('githbu')).toThrow('did you mean "github"?');
    expect(operations).toEqual([]);
  });

  it('are refused while the gateway goes down', async () => {
    const { ops } = control([], { first: worldOf([down], { phase: 'draining' }) });
    await expect(ops.operate({ op: 'start', name: 'a' }, waiting())).rejects.toMatchObject({ code: 'draining' });
  });
});

it('nothing that leaves shows a secret', async () => {
  const lastError = new OnemcpError('internal', 'wrong token hunter2');
  const spec = { name: 'a', kind: 'stdio', command: createSecret('hunter2'), env: { A: 'hunter2' } };
  const plan = { start: [spec], stop: [], swap: [], retag: [], unchanged: [], order: ['a'], needsRestart: [] };
  const { ops } = control([viewOf('a', { state: 'failed', lastError })], {
    reload: async () => ({ ok: true, plan: plan as never, warnings: [] }),
  });
  const documents = [ops.status(), ops.why('a'), await ops.reload?.()];
  for (const document of documents) {
    expect(JSON.stringify(document)).toContain('***');
    expect(JSON.stringify(document)).not.toContain('hunter2');
  }
});
