import { throwError } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { type AnyActorLogic, type AnyActorScope, createMachine, fromCallback, fromObservable, fromPromise, fromTransition } from 'xstate';
import { backendMachine } from '../../src/machines/backend.ts';
import { RESPAWN_BUDGET } from '../../src/machines/respawn.ts';
import { deferred, fakeSession, flush, tool } from '../support/fakeWorld.ts';
import { createRoot, exit, fakeIo, opened } from '../support/machines.ts';
import { verifies } from '../support/verifies.ts';

type Root = ReturnType<typeof createRoot>;
const names = (count: number) => Array.from({ length: count }, (_, n) => `b${n}`);

/** Starts all that wait; all starts succeed. */
async function connectAll(root: Root) {
  root.root.send({ type: 'RUN' });
  for (let asked = -1; asked !== root.io.opening.length; ) {
    asked = root.io.opening.length;
    for (const { resolve } of root.io.opening) resolve(opened());
    await flush();
  }
}
async function running(specs: Parameters<typeof createRoot>[0], options?: Parameters<typeof createRoot>[1]) {
  const root = createRoot(specs, options);
  await connectAll(root);
  return root;
}
async function lose(root: Root, name: string) {
  root.io.say(name, { type: 'CLOSED', error: exit(name) });
  await flush();
}

describe('starting', () => {
  it('shows every backend, idle and in configuration order, before anything starts', () => {
    const root = createRoot(['z', 'a', 'm']);
    expect([root.world().phase, Object.entries(root.states())]).toEqual([
      'booting',
      [
        ['z', 'idle'],
        ['a', 'idle'],
        ['m', 'idle'],
      ],
    ]);
    expect(root.io.opening).toEqual([]);
  });

  it(verifies('starts-at-once', 'begins with 8 at once, first come first served; each that is up lets the next begin'), async () => {
    const root = createRoot(names(12));
    root.root.send({ type: 'RUN' });
    expect(root.io.order).toEqual(names(8).map((name) => `open ${name}`));
    root.io.openOf('b3').resolve(opened());
    await flush();
    expect([root.io.order.at(-1), root.inState('starting').length, root.state('b3')]).toEqual(['open b8', 8, 'connected']);
    root.io.openOf('b0').reject(exit('b0'));
    await flush();
    expect([root.io.order.at(-1), root.inState('starting').length, root.state('b0')]).toEqual(['open b9', 8, 'retrying']);
  });

  it(verifies('starts-at-once', 'gives the slots of slow starters to others after startSlot, and lets the slow go on'), async () => {
    const root = createRoot(names(10), { limits: { startsAtOnce: 2, startSlot: 3_000 } });
    root.root.send({ type: 'RUN' });
    root.clock.increment(2_999);
    expect(root.inState('starting')).toEqual(['b0', 'b1']);
    root.clock.increment(1);
    expect(root.inState('starting')).toEqual(['b0', 'b1', 'b2', 'b3']);
    root.io.openOf('b0').resolve(opened());
    await flush();
    expect([root.state('b0'), root.inState('starting')]).toEqual(['connected', ['b1', 'b2', 'b3']]);
  });

  it(
    verifies('starts-at-once', 'counts restarts too: a hundred that die together come back 8 at a time, spread over their delays'),
    async () => {
      let seed = 1;
      const random = () => {
        seed = (seed * 16_807) % 2_147_483_647;
        return seed / 2_147_483_647;
      };
      const root = await running(names(100), { random });
      expect(root.inState('connected').length).toBe(100);
      for (const name of names(100)) root.io.say(name, { type: 'CLOSED', error: exit(name) });
      await flush();
      const began: number[] = [];
      let known = root.io.opening.length;
      for (let ms = 0; ms <= 1_000; ms += 10) {
        root.clock.increment(10);
        expect(root.inState('starting').length).toBeLessThanOrEqual(8);
        for (let asked = -1; asked !== root.io.opening.length; ) {
          asked = root.io.opening.length;
          for (const { resolve } of root.io.opening) resolve(opened());
          await flush();
        }
        while (known < root.io.opening.length) {
          began.push(root.clock.now());
          known++;
        }
      }
      expect([root.inState('connected').length, began.length]).toEqual([100, 100]);
      expect((began.at(-1) as number) - (began[0] as number)).toBeGreaterThan(250);
    },
  );

  it('again after a crash is the matter of one backend: the others do not notice', async () => {
    const root = await running(['a', 'b']);
    const before = root.view('b');
    await lose(root, 'a');
    expect([root.state('a'), root.view('b') === before]).toEqual(['retrying', true]);
    root.clock.increment(750);
    root.io.openOf('a').resolve(opened());
    await flush();
    expect(root.view('a')).toMatchObject({ state: 'connected', connects: 2, generation: 0 });
    expect(root.view('b')).toBe(before);
  });
});

describe('stopping', () => {
  it(verifies('stop-order', 'goes in reverse start order, and ends with nothing left'), async () => {
    const root = await running(['a', 'b', 'c']);
    root.io.order.length = 0;
    root.root.send({ type: 'DRAIN' });
    await flush();
    expect(root.io.order).toEqual(['close c', 'close b', 'close a']);
    expect([root.root.getSnapshot().status, root.world().phase, root.inState('stopped').length, root.kills]).toEqual([
      'done',
      'stopped',
      3,
      0,
    ]);
  });

  it(verifies('drain', 'waits until calls in flight have settled, while the backends stay connected'), async () => {
    const { promise, resolve } = deferred<void>();
    const root = await running(['a'], { settle: () => promise });
    root.root.send({ type: 'DRAIN' });
    root.clock.increment(9_999);
    await flush();
    expect([root.world().phase, root.state('a')]).toEqual(['draining', 'connected']);
    resolve();
    await flush();
    expect(root.world().phase).toBe('stopped');
  });

  it(verifies('drain', 'waits for them no longer than drainTimeout'), async () => {
    let given: AbortSignal | undefined;
    const root = await running(['a'], {
      settle: (signal) => {
        given = signal;
        return new Promise(() => {});
      },
    });
    root.root.send({ type: 'DRAIN' });
    root.clock.increment(10_000);
    expect([root.world().phase, given?.aborted]).toEqual(['stopping', true]);
    await flush();
    expect(root.world().phase).toBe('stopped');
  });

  it(verifies('drain', 'waits for nothing after a second DRAIN'), async () => {
    const root = await running(['a'], { settle: () => new Promise(() => {}) });
    root.root.send({ type: 'DRAIN' });
    root.root.send({ type: 'DRAIN' });
    expect(root.world().phase).toBe('stopping');
  });

  it(verifies('drain', 'kills what is left shortly before shutdownTimeout is over, counted from DRAIN'), async () => {
    const io = fakeIo({ closesAtOnce: false });
    const root = await running(['deaf', 'good'], { io, settle: () => new Promise(() => {}) });
    root.root.send({ type: 'DRAIN' });
    root.clock.increment(10_000);
    io.closing.find(({ name }) => name === 'good')?.resolve();
    await flush();
    root.clock.increment(4_499);
    expect([root.world().phase, root.kills, root.state('good'), root.state('deaf')]).toEqual(['stopping', 0, 'stopped', 'stopping']);
    root.clock.increment(1);
    expect([root.world().phase, root.kills, root.root.getSnapshot().status]).toEqual(['stopped', 1, 'done']);
  });

  it(verifies('drain', 'of a second DRAIN does not get more time than the first'), async () => {
    const io = fakeIo({ closesAtOnce: false });
    const root = await running(['deaf'], { io, settle: () => new Promise(() => {}) });
    root.root.send({ type: 'DRAIN' });
    root.clock.increment(9_000);
    root.root.send({ type: 'DRAIN' });
    root.clock.increment(5_500);
    expect(root.kills).toBe(1);
  });

  it(verifies('drain', 'is over within shutdownTimeout although the wall clock is set back meanwhile'), async () => {
    const io = fakeIo({ closesAtOnce: false });
    let wall = 2_000_000_000;
    const root = await running(['deaf'], { io, now: () => wall, settle: () => new Promise(() => {}) });
    root.root.send({ type: 'DRAIN' });
    wall -= 3 * 86_400_000;
    root.clock.increment(10_000);
    root.clock.increment(4_500);
    expect([root.kills, root.world().phase]).toEqual([1, 'stopped']);
  });

  it(verifies('drain', 'is over within shutdownTimeout although drainTimeout is longer'), async () => {
    const root = await running(['a'], { limits: { drainTimeout: 60_000 }, settle: () => new Promise(() => {}) });
    root.root.send({ type: 'DRAIN' });
    root.clock.increment(14_500);
    expect([root.kills, root.world().phase]).toEqual([1, 'stopped']);
  });

  it('before anything ran is immediate', async () => {
    const root = createRoot(['a']);
    root.root.send({ type: 'DRAIN' });
    await flush();
    expect([root.world().phase, root.io.opening]).toEqual(['stopped', []]);
  });

  it('starts nobody any more', async () => {
    const root = await running(['a', 'b'], { settle: () => new Promise(() => {}) });
    await lose(root, 'a');
    root.root.send({ type: 'DRAIN' });
    root.clock.increment(5_000);
    expect([root.state('a'), root.io.opening.length]).toEqual(['retrying', 2]);
  });

  it('without any backend works as well', async () => {
    const root = createRoot([]);
    root.root.send({ type: 'RUN' });
    expect(root.world().phase).toBe('running');
    root.root.send({ type: 'DRAIN' });
    await flush();
    expect(root.world().phase).toBe('stopped');
  });
});

describe('the World', () => {
  it('keeps the identity of what did not change', async () => {
    const root = await running(['a', 'b']);
    const before = root.world();
    root.io.say('a', { type: 'ITEMS', items: opened({ tools: [tool('t')] }).items, notes: [] });
    expect([root.world() === before, root.view('b') === before.backends.get('b')]).toEqual([false, true]);
    expect([...root.world().backends.keys()]).toEqual(['a', 'b']);
  });

  it('never shows a session of a backend that is not connected', async () => {
    const root = await running(['a'], { io: fakeIo({ closesAtOnce: false }) });
    expect(root.view('a').session).toBeDefined();
    await lose(root, 'a');
    expect([root.state('a'), root.view('a').session]).toEqual(['error', undefined]);
  });

  it.each(['a.b', 'a*', '*', 'a#0', 'ä ö', 'constructor', '__proto__'])('knows a backend with the odd name %j', async (name) => {
    const root = await running(['a', name]);
    expect(root.states()).toEqual(
      Object.fromEntries([
        ['a', 'connected'],
        [name, 'connected'],
      ]),
    );
    await lose(root, name);
    expect([root.state('a'), root.state(name)]).toEqual(['connected', 'retrying']);
  });
});

it(
  verifies('no-actor-leak', 'ended actors are forgotten: a hundred crashes of actors, and a hundred restarts, leave as many as before'),
  async () => {
    const io = fakeIo();
    let broken = false;
    const backend = backendMachine.provide({
      actors: io.actors as never,
      actions: {
        entered: () => {
          if (!broken) return;
          broken = false;
          throw new Error('a bug');
        },
      },
    });
    const root = await running(['a', 'b'], { io, backend });
    for (let n = 0; n < 100; n++) {
      broken = true;
      root.io.say('a', { type: 'CLOSED', error: exit('a') });
      await connectAll(root);
      root.clock.increment(RESPAWN_BUDGET.within);
      expect(root.state('a')).toBe('connected');
    }
    expect(root.view('a').generation).toBe(100);
    expect(root.children().sort()).toEqual(['a#100', 'b#0']);
    for (let n = 0; n < 100; n++) {
      await lose(root, 'b');
      root.clock.increment(30_000);
      await connectAll(root);
    }
    expect([root.view('b').connects, root.children().sort()]).toEqual([101, ['a#100', 'b#0']]);
    root.root.send({ type: 'DRAIN' });
    await flush();
    expect(root.children()).toEqual([]);
  },
);

describe('a throw', () => {
  const boom = () => {
    throw new TypeError('boom');
  };
  type Args = { context: { spec: { name: string } } };
  /** A piece of a machine that throws for one backend, and does its work for the others. */
  const onlyFor = (name: string, run: () => void, work?: (args: Args) => unknown) => (args: Args) => {
    if (args.context.spec.name === name) run();
    return work?.(args);
  };
  /** One hole filled with other logic, for `bad` only. */
  const withActor = (hole: 'open' | 'live' | 'close', logic: unknown) => (io: ReturnType<typeof fakeIo>) =>
    backendMachine.provide({ actors: { ...io.actors, [hole]: forBad(logic as AnyActorLogic, io.actors[hole]) } as never });

  const machineWith = (patch: object) => (io: ReturnType<typeof fakeIo>) =>
    backendMachine.provide({ actors: io.actors as never, ...patch } as never);
  /** The machine with a piece of its configuration replaced. */
  const machineOf = (state: string, patch: object) => (io: ReturnType<typeof fakeIo>) => {
    const config = structuredCloneConfig(backendMachine.config) as { states: Record<string, object> };
    config.states[state] = { ...config.states[state], ...patch };
    return (createMachine(config as never, backendMachine.implementations as never) as unknown as typeof backendMachine).provide({
      actors: io.actors as never,
    });
  };

  /** Where the throw leaves the backend: a failure of the server is retried, a bug of ours is respawned. */
  const cases: [what: string, outcome: 'retried' | 'respawned', machine: (io: ReturnType<typeof fakeIo>) => typeof backendMachine][] = [
    ['in open, at once', 'retried', withActor('open', fromPromise(boom))],
    [
      'in open, later',
      'retried',
      withActor(
        'open',
        fromPromise(async () => flush().then(boom)),
      ),
    ],
    ['in live, a callback', 'retried', withActor('live', fromCallback(boom))],
    [
      'in an observable in place of live',
      'retried',
      withActor(
        'live',
        fromObservable(() => throwError(() => new TypeError('boom'))),
      ),
    ],
    ['in the creation of an observable', 'retried', withActor('live', fromObservable(boom))],
    [
      'in a reducer in place of live',
      'retried',
      withActor(
        'live',
        fromTransition(boom, () => boom() as never),
      ),
    ],
    ['in a child machine in place of live, on entry', 'retried', withActor('live', createMachine({ entry: boom } as never))],
    [
      'in a child machine in place of live, later',
      'retried',
      withActor('live', createMachine({ after: { 1: { actions: boom } } } as never)),
    ],
    ['in close', 'retried', withActor('close', fromPromise(boom))],
    ['in the action of an entry', 'respawned', machineWith({ actions: { entered: onlyFor('bad', boomOnce(2)) } })],
    ['in the action of a transition', 'respawned', machineWith({ actions: { connect: onlyFor('bad', boom) } })],
    ['in the action of an exit', 'respawned', machineOf('starting', { exit: onlyFor('bad', boom) })],
    ['in a delay', 'respawned', machineWith({ delays: { startTimeout: onlyFor('bad', boom, () => 1_000) } })],
    [
      'in a guard',
      'respawned',
      machineOf('idle', {
        initial: 'queued',
        states: {
          asleep: {},
          closing: {},
          queued: { tags: 'waiting', on: { START: { target: '#backend.starting', guard: onlyFor('bad', boom, () => true) } } },
        },
        on: { STOP: 'stopping' },
      }),
    ],
    [
      'in the input of an actor',
      'respawned',
      machineOf('connected', {
        invoke: { src: 'live', input: onlyFor('bad', boom, ({ context }) => context) },
      }),
    ],
  ];

  it.each(cases)(verifies('root-survives', '%s leaves the root and the other backends alone, and is %s'), async (_, outcome, machine) => {
    const io = fakeIo();
    const root = createRoot(['good', 'bad'], { io, backend: machine(io) });
    const errors = new Set<string | undefined>();
    root.root.subscribe(() => errors.add(root.world().backends.get('bad')?.lastError?.message));
    root.root.send({ type: 'RUN' });
    io.openOf('good').resolve(opened());
    const settleOpen = async () => {
      for (const { name, resolve } of io.opening) if (name === 'bad') resolve(opened());
      await flush();
      await flush();
    };
    await settleOpen();
    root.clock.increment(1);
    if (io.isLive('bad')) io.say('bad', { type: 'CLOSED', error: exit('bad') });
    await settleOpen();
    expect(root.root.getSnapshot().status).toBe('active');
    expect([root.state('good'), io.isLive('good'), root.view('good').generation]).toEqual(['connected', true, 0]);
    const { state, generation, settled } = root.view('bad');
    expect(settled).toBe(true);
    if (outcome === 'retried') expect([state, generation]).toEqual(['retrying', 0]);
    else {
      expect(generation).toBeGreaterThan(0);
      expect([...errors]).toContainEqual(expect.stringMatching(/^onemcp failed to supervise "bad": .*boom; please report it$/s));
    }
    root.root.send({ type: 'DRAIN' });
    await flush();
    await flush();
    expect(root.root.getSnapshot().status).toBe('done');
  });

  it(verifies('root-survives', 'before a backend is even known is respawned'), async () => {
    const io = fakeIo();
    const root = createRoot(['good', 'bad'], { io, backend: machineWith({ actions: { entered: onlyFor('bad', boomOnce(1)) } })(io) });
    await connectAll(root);
    expect([root.root.getSnapshot().status, root.states()]).toEqual(['active', { good: 'connected', bad: 'connected' }]);
    expect(root.view('bad').generation).toBe(1);
  });

  it(verifies('root-survives', 'in the end of live leaves everybody alone'), async () => {
    const io = fakeIo();
    const live = fromCallback(({ sendBack }) => {
      queueMicrotask(() => sendBack({ type: 'CLOSED', error: exit('bad') }));
      return boom;
    });
    const root = createRoot(['good', 'bad'], { io, backend: withActor('live', live)(io) });
    await connectAll(root);
    await flush();
    expect([root.root.getSnapshot().status, root.state('good')]).toEqual(['active', 'connected']);
    expect(root.state('bad')).not.toBe('connected');
  });

  it.each([
    ['at once', () => boom()],
    ['later', () => Promise.reject(new TypeError('boom'))],
  ])(verifies('root-survives', 'in settle, %s, ends the waiting, not the shutdown'), async (_, settle) => {
    const root = await running(['a'], { settle });
    root.root.send({ type: 'DRAIN' });
    await flush();
    expect([root.root.getSnapshot().status, root.world().phase]).toEqual(['done', 'stopped']);
  });

  it(verifies('respawn-budget', 'that repeats ends in a visible error, while the others go on'), async () => {
    const io = fakeIo();
    const root = createRoot(['good', 'bad'], { io, backend: machineWith({ actions: { connect: onlyFor('bad', boom) } })(io) });
    await connectAll(root);
    for (let n = 0; n < 20; n++) {
      root.clock.increment(1);
      for (const { resolve } of io.opening) resolve(opened());
      await flush();
    }
    expect(io.order.filter((one) => one === 'open bad').length).toBe(RESPAWN_BUDGET.restarts + 1);
    expect(root.view('bad')).toMatchObject({ state: 'error', session: undefined, settled: true });
    expect(root.view('bad').lastError?.message).toContain('please report it');
    expect([root.state('good'), root.children()]).toEqual(['connected', ['good#0']]);
  });

  it('in a connected backend ends its session, which its actor can no longer do', async () => {
    const io = fakeIo();
    let broken = false;
    const root = createRoot(['bad'], {
      io,
      backend: machineWith({
        actions: {
          entered: () => {
            if (!broken) return;
            broken = false;
            boom();
          },
        },
      })(io),
    });
    root.root.send({ type: 'RUN' });
    const session = fakeSession();
    io.openOf('bad').resolve(opened({}, session));
    await flush();
    broken = true;
    io.say('bad', { type: 'CLOSED', error: exit('bad') });
    expect(root.closedSessions).toEqual([session]);
  });
});

function boomOnce(at: number): () => void {
  let calls = 0;
  return () => {
    if (++calls === at) throw new TypeError('boom');
  };
}

/** Logic that is `bad` for the backend of that name, and `good` for all others. */
function forBad(bad: AnyActorLogic, good: AnyActorLogic): AnyActorLogic {
  const chosen = new WeakMap<object, AnyActorLogic>();
  const of = (scope: AnyActorScope) => chosen.get(scope.self) as AnyActorLogic;
  return {
    getInitialSnapshot(scope: AnyActorScope, input: { spec?: { name: string }; id?: string }) {
      chosen.set(scope.self, (input.spec?.name ?? input.id) === 'bad' ? bad : good);
      return of(scope).getInitialSnapshot(scope, input as never);
    },
    start: (snapshot: never, scope: AnyActorScope) => of(scope).start?.(snapshot, scope),
    transition: (snapshot: never, event: never, scope: AnyActorScope) => of(scope).transition(snapshot, event, scope),
    getPersistedSnapshot: (snapshot: never) => snapshot,
  } as unknown as AnyActorLogic;
}

/** Like `structuredClone`, with functions kept. */
function structuredCloneConfig(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(structuredCloneConfig);
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, structuredCloneConfig(child)]));
}
