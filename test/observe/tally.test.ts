import { Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { createTally } from '../../src/observe/tally.ts';
import type { InstanceView, World } from '../../src/world.ts';
import { type FakeBackend, viewOf, worldOf } from '../support/fakeWorld.ts';
import { instanceOf } from '../support/machines.ts';
import { verifies } from '../support/verifies.ts';

/** A tally that is shown one World after the other. */
function watching() {
  const worlds = new Subject<World>();
  const tally = createTally(worlds);
  const instances = new Map<string, InstanceView>();
  const show = (...backends: readonly [string, FakeBackend][]) =>
    worlds.next({ ...worldOf(backends.map(([name, patch]) => viewOf(name, patch))), instances: new Map(instances) });
  const showInstance = (key: string, patch: FakeBackend | undefined) => {
    const instance = instanceOf('a', key);
    if (patch) instances.set(instance.id, { ...viewOf('a', patch), instance });
    else instances.delete(instance.id);
  };
  return { tally, show, showInstance };
}

describe('restarts', () => {
  it(verifies('metrics', 'are connections after the first, each once'), () => {
    const { tally, show } = watching();
    show(['a', { state: 'starting' }]);
    show(['a', { connects: 1 }]);
    show(['a', { connects: 1, notes: ['a list has changed'] }]);
    expect(tally.restarts('a')).toBe(0);
    show(['a', { state: 'error', connects: 1 }]);
    show(['a', { state: 'retrying', connects: 1 }]);
    expect(tally.restarts('a')).toBe(0);
    show(['a', { connects: 2 }]);
    show(['a', { connects: 4 }]);
    expect([tally.restarts('a'), tally.restarts('b')]).toEqual([3, 0]);
  });

  it(verifies('metrics', 'are not what ends a sleep'), () => {
    const { tally, show } = watching();
    show(['a', { state: 'idle', asleep: true }]);
    show(['a', { connects: 1 }]);
    show(['a', { state: 'idle', asleep: true, connects: 1 }]);
    show(['a', { state: 'starting', connects: 1 }]);
    show(['a', { connects: 2 }]);
    expect(tally.restarts('a')).toBe(0);
    show(['a', { state: 'error', connects: 2 }]);
    show(['a', { connects: 3 }]);
    expect(tally.restarts('a')).toBe(1);
  });

  it('of instances count for their backend, also when the instance has ended', () => {
    const { tally, show, showInstance } = watching();
    showInstance('client-1', { connects: 1 });
    show(['a', { connects: 1 }]);
    showInstance('client-1', { connects: 2 });
    show(['a', { connects: 1 }]);
    expect(tally.restarts('a')).toBe(1);
    showInstance('client-1', undefined);
    show(['a', { connects: 1 }]);
    // One that comes under the same name is another one.
    showInstance('client-1', { connects: 1 });
    show(['a', { connects: 1 }]);
    expect(tally.restarts('a')).toBe(1);
  });

  it('of a backend that is no longer configured are forgotten', () => {
    const { tally, show } = watching();
    show(['a', { connects: 1 }], ['b', { connects: 1 }]);
    show(['a', { connects: 2 }], ['b', { connects: 2 }]);
    show(['b', { connects: 2 }]);
    expect([tally.restarts('a'), tally.restarts('b')]).toEqual([0, 1]);
    show(['a', { connects: 1 }], ['b', { connects: 2 }]);
    expect(tally.restarts('a')).toBe(0);
  });
});

describe('changes of lists', () => {
  it(verifies('metrics', 'are coalesced when they are announced together'), () => {
    const { tally } = watching();
    for (const kind of ['tools', 'tools', 'prompts', 'tools'] as const) tally.changed(kind);
    expect(tally.coalesced).toEqual({ tools: 0, prompts: 0, resources: 0 });
    tally.announced(new Set(['tools', 'prompts']));
    expect(tally.coalesced).toEqual({ tools: 2, prompts: 0, resources: 0 });
    tally.changed('tools');
    tally.announced(new Set(['tools']));
    expect(tally.coalesced).toEqual({ tools: 2, prompts: 0, resources: 0 });
  });
});
