import { afterEach, expect, it } from 'vitest';
import { createSystem } from '../../src/actors/system.ts';
import type { Config, StdioBackendSpec } from '../../src/config/config.ts';
import type { BackendSession, Instance, InstanceView, Json } from '../../src/world.ts';
import { closeAll, createDeps, eventually, lives, onClose, specOf } from '../io/stdioKit.ts';
import { instanceOf } from '../support/machines.ts';

afterEach(closeAll);

/** A backend that tells what was declared to it and asked of it, and writes its pid to stderr. */
const PROGRAM = `
import { serve, text, tool } from ${JSON.stringify(new URL('../fixtures/backends/lib/server.mjs', import.meta.url))};
const asked = [];
let declared;
const answer = (method, result) => (params) => {
  asked.push(method);
  if (method === 'initialize') declared = params.capabilities;
  return result(params);
};
console.error('I am ' + process.pid);
serve({
  methods: {
    initialize: answer('initialize', ({ protocolVersion }) => ({ protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'f', version: '1' } })),
    'tools/list': answer('tools/list', () => ({ tools: [tool('report')] })),
  },
  call: { report: () => text({ declared, asked }) },
});
`;

/** The system over one real backend, which runs. */
async function runSystem(spec: StdioBackendSpec, declared: (Instance | undefined)[] = []) {
  const io = createDeps({ 'restart.initial': 20, 'restart.max': 40 });
  const config = { file: 'test', backends: [spec], disabled: [], limits: io.limits } as unknown as Config;
  const system = createSystem({
    config,
    io,
    ports: { now: Date.now, monotonic: () => performance.now(), random: () => 0.5 },
    clientInfo: { name: 'test', version: '1' },
    settle: () => Promise.resolve(),
    declare: (_, instance) => {
      declared.push(instance);
      return { capabilities: instance?.capabilities ?? {} };
    },
  });
  system.start();
  system.run();
  let drained: Promise<void> | undefined;
  const drain = () => {
    drained ??= system.drain();
    return drained;
  };
  onClose(drain);
  await eventually(() => system.world().backends.get(spec.name)?.session, 'the backend is connected');
  const instance = (id: string): InstanceView | undefined => system.world().instances.get(id);
  return {
    io,
    system,
    instance,
    drain,
    connected: (id: string) => eventually(() => instance(id)?.session, `${id} is connected`) as Promise<BackendSession>,
    /** What the program behind a connection saw. */
    async report(session: BackendSession) {
      const { content } = (await session.request('tools/call', { name: 'report' })) as { content: [{ text: string }] };
      return JSON.parse(content[0].text) as { declared: Json; asked: string[] };
    },
  };
}
const program = () => specOf([process.execPath, '--input-type=module', '-e', PROGRAM]);

it('two instances are two more processes, each with its own declaration and its own life', async () => {
  const declared: (Instance | undefined)[] = [];
  const { io, system, drain, instance, connected, report } = await runSystem(program(), declared);
  const first = instanceOf('it', 'client-1', { client: 'client-1', capabilities: { roots: { listChanged: true } } });
  const second = instanceOf('it', 'client-2', { client: 'client-2', capabilities: { sampling: {} } });
  const { backends } = system.world();
  system.need(first);
  system.need(second);
  const [one, two] = await Promise.all([connected(first.id), connected(second.id)]);
  const base = system.world().backends.get('it')?.session as BackendSession;
  const pids = [base.pid, one.pid, two.pid] as number[];
  expect(new Set(pids).size).toBe(3);
  expect(pids.map(lives)).toEqual([true, true, true]);

  const lists = { declared: {}, asked: ['initialize', 'tools/list'] };
  expect(await report(base)).toEqual(lists);
  expect(await report(one)).toEqual({ declared: first.capabilities, asked: ['initialize'] });
  expect(await report(two)).toEqual({ declared: second.capabilities, asked: ['initialize'] });
  expect([one.declared, two.declared]).toEqual([first.capabilities, second.capabilities]);
  expect(declared).toEqual([undefined, first, second]);
  expect(instance(first.id)?.items.tools).toEqual([]);

  process.kill(pids[1] as number, 'SIGKILL');
  await eventually(() => instance(first.id)?.connects === 2, 'it has healed');
  const healed = await connected(first.id);
  expect(healed.pid).not.toBe(pids[1]);
  expect(await report(healed)).toEqual({ declared: first.capabilities, asked: ['initialize'] });
  expect(declared.at(-1), 'asked anew').toEqual(first);
  expect([instance(second.id)?.session, system.world().backends.get('it')?.session]).toEqual([two, base]);
  expect(system.world().backends, 'the catalog does not notice').toBe(backends);

  await eventually(() => io.logged.of('backend.stderr').length >= 4, 'all have said who they are');
  const names = Object.fromEntries(io.logged.of('backend.stderr').map(({ fields }) => [fields.line, fields.backend]));
  expect(names).toEqual({
    [`I am ${pids[0]}`]: 'it',
    [`I am ${pids[1]}`]: first.id,
    [`I am ${healed.pid}`]: first.id,
    [`I am ${pids[2]}`]: second.id,
  });

  system.release(first.id);
  await eventually(() => !instance(first.id), 'the released is gone');
  expect([healed.pid, two.pid].map((pid) => lives(pid as number))).toEqual([false, true]);

  await drain();
  expect([...pids, healed.pid].map((pid) => lives(pid as number))).toEqual([false, false, false, false]);
  expect(system.world().instances.size).toBe(0);
});

it('an instance needed again while it leaves is a new process, once the old one has ended', async () => {
  const { system, instance, connected } = await runSystem(program());
  const mine = instanceOf('it', 'client-1');
  system.need(mine);
  const old = await connected(mine.id);
  system.release(mine.id);
  system.need(mine);
  expect(instance(mine.id)?.state).toBe('idle');
  let overlapped = false;
  const unsubscribe = system.onChange(() => {
    if (instance(mine.id)?.state === 'starting' && lives(old.pid as number)) overlapped = true;
  });
  const anew = await connected(mine.id);
  unsubscribe();
  expect([anew.pid === old.pid, overlapped, lives(old.pid as number)]).toEqual([false, false, false]);
});

it('an instance that is released while it starts leaves nothing', async () => {
  const { system, instance, io } = await runSystem(specOf('good'));
  const mine = instanceOf('good', 'client-1');
  const started: number[] = [];
  const states = new Set<string | undefined>();
  const { add } = io.reaper;
  io.reaper.add = (pid) => {
    started.push(pid);
    add(pid);
    setImmediate(() => system.release(mine.id));
  };
  system.onChange(() => states.add(instance(mine.id)?.state));
  system.need(mine);
  await eventually(() => started.length > 0 && !instance(mine.id), 'it is gone');
  expect([[...states], started.map(lives)]).toEqual([['idle', 'starting', 'stopping', undefined], [false]]);
});
