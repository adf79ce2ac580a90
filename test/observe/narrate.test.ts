import { Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { OnemcpError } from '../../src/errors.ts';
import { narrate } from '../../src/observe/narrate.ts';
import { worldTable } from '../../src/observe/table.ts';
import { worldStream } from '../../src/observe/world.ts';
import type { InstanceView, World } from '../../src/world.ts';
import { fakeGateway, fakeSession, tool, viewOf, worldOf } from '../support/fakeWorld.ts';
import { instanceOf } from '../support/machines.ts';

/** The lines that a sequence of Worlds gives. */
function told(...worlds: readonly World[]) {
  const lines: [level: string, event: string, message: unknown][] = [];
  const world$ = new Subject<World>();
  narrate(world$, (level, event, fields) => lines.push([level, event, fields?.message]));
  for (const world of worlds) world$.next(world);
  return lines;
}

describe('the story of the backends', () => {
  it('tells each transition once, with what follows from it', () => {
    const error = new OnemcpError('backend_exited', '"a" exited with code 1');
    const starting = viewOf('a', { state: 'starting', since: 1_000 });
    const up = viewOf('a', {
      since: 1_250,
      session: fakeSession({ pid: 7 }),
      items: { tools: [tool('x'), tool('y')], prompts: [{ name: 'p' }] },
    });
    const failed = viewOf('a', { state: 'error', lastError: error, failures: 1 });
    const retrying = viewOf('a', { state: 'retrying', since: 2_000, retryAt: 3_500, failures: 1 });
    const again = { ...up, since: 4_000, connects: 2, items: { ...up.items, tools: [], prompts: [] } };
    const worlds = [viewOf('a', { state: 'idle' }), starting, up, failed, retrying, { ...starting, since: 3_900 }, again].map((view) =>
      worldOf([view]),
    );
    expect(told(...worlds)).toEqual([
      ['debug', 'backend.starting', 'a: starting'],
      ['info', 'backend.connected', 'a: connected in 250 ms (2 tools, 1 prompt)'],
      ['error', 'backend.error', 'a: "a" exited with code 1'],
      ['warn', 'backend.retrying', 'a: next start in 1.5 s (failure 1)'],
      ['debug', 'backend.starting', 'a: starting'],
      ['info', 'backend.connected', 'a: connected again in 100 ms (nothing to offer)'],
    ]);
  });

  it('says nothing when nothing worth reading changed', () => {
    const view = viewOf('a');
    expect(told(worldOf([view]), worldOf([view]), worldOf([{ ...view, items: { ...view.items, tools: [tool('t')] } }]))).toEqual([]);
  });

  it('tells what is wrong with lists, at most 20 at a time', () => {
    const notes = Array.from({ length: 30 }, (_, n) => `note ${n}`);
    const lines = told(worldOf([viewOf('a')]), worldOf([viewOf('a', { notes })]));
    expect([lines.length, lines[0]]).toEqual([20, ['warn', 'backend.note', 'a: note 0']]);
  });

  it('tells of draining and stopping, but not of a stop before anything ran', () => {
    const phases = (...list: World['phase'][]) => told(...list.map((phase) => worldOf([], { phase }))).map(([, event]) => event);
    expect(phases('booting', 'running', 'draining', 'stopping', 'stopped')).toEqual(['gateway.draining', 'gateway.stopping']);
    expect(phases('booting', 'stopping', 'stopped')).toEqual([]);
  });
});

describe('the story of an instance', () => {
  const instance = instanceOf('a', 'client-7');
  const shown = (patch: Parameters<typeof viewOf>[1]): InstanceView => ({ ...viewOf('a', patch), instance });
  const worldWith = (view?: InstanceView): World => ({ ...worldOf([viewOf('a')]), instances: new Map(view ? [[instance.id, view]] : []) });

  it('is told under its own id, from its start to its end', () => {
    const error = new OnemcpError('backend_exited', '"a" exited with code 1');
    const views = [
      undefined,
      shown({ state: 'starting', since: 1_000 }),
      shown({ since: 1_250, session: fakeSession({ pid: 7 }) }),
      shown({ state: 'error', lastError: error, failures: 1 }),
      shown({ state: 'retrying', since: 2_000, retryAt: 3_500, failures: 1 }),
      shown({ state: 'stopping' }),
      undefined,
    ];
    expect(told(...views.map(worldWith))).toEqual([
      ['debug', 'backend.starting', 'a@client-7: starting'],
      ['info', 'backend.connected', 'a@client-7: connected in 250 ms'],
      ['error', 'backend.error', 'a@client-7: "a" exited with code 1'],
      ['warn', 'backend.retrying', 'a@client-7: next start in 1.5 s (failure 1)'],
      ['debug', 'backend.stopping', 'a@client-7: stopping'],
      ['debug', 'backend.stopped', 'a@client-7: stopped'],
    ]);
  });

  it('is for machines the story of that id as well', () => {
    const fields: unknown[] = [];
    const world$ = new Subject<World>();
    narrate(world$, (_, __, { backend } = {}) => fields.push(backend));
    for (const view of [undefined, shown({ state: 'starting' }), shown({})]) world$.next(worldWith(view));
    expect(fields).toEqual(['a@client-7', 'a@client-7']);
  });

  it('has nothing to tell when nothing worth reading changed', () => {
    expect(told(worldWith(shown({})), worldWith(shown({ failures: 0 })), worldWith(shown({ connects: 3 })))).toEqual([]);
  });
});

it('the stream of Worlds begins with the present one, and ends with its subscription', () => {
  const gateway = fakeGateway([viewOf('a')]);
  const seen: string[] = [];
  const subscription = worldStream({ world: gateway.context.world, onChange: gateway.context.onChange }).subscribe(({ backends }) =>
    seen.push([...backends.values()].map(({ state }) => state).join()),
  );
  gateway.set(viewOf('a', { state: 'error' }));
  subscription.unsubscribe();
  gateway.set(viewOf('a'));
  expect([seen, gateway.listeners]).toEqual([['connected', 'error'], 0]);
});

it('the table of servers leaves instances out', () => {
  const instances = new Map([['a@k', { ...viewOf('a'), instance: instanceOf('a', 'k') }]]);
  expect(worldTable({ ...worldOf([viewOf('a')]), instances })).toBe(worldTable(worldOf([viewOf('a')])));
});

it('the table of servers has a row each, with nothing a terminal would act on', () => {
  const lastError = new OnemcpError('spawn_failed', `\u001b[31m${'x'.repeat(100)}`);
  const table = worldTable(
    worldOf([
      viewOf('a', { tags: ['t', 'u'], items: { tools: [tool('x')], templates: [{}] } }),
      viewOf('long-name', { state: 'retrying', lastError }),
    ]),
  );
  expect(table).not.toContain('\u001b');
  expect(table.split('\n').map((row) => row.trim().split(/ {2,}/).slice(0, 6))).toEqual([
    ['SERVER', 'STATE', 'TOOLS', 'PROMPTS', 'RESOURCES', 'TAGS'],
    ['a', 'connected', '1', '0', '1', 't u'],
    ['long-name', 'retrying', '0', '0', '0', expect.stringMatching(/^\\u001b\[31mx{75}$/)],
  ]);
});
