/** Backends that end, stop, or stop listening while a call is with them, and one that tells a secret. */
import { fixture } from '../../e2e/gateway.ts';
import type { Fault, Trial } from '../harness/fault.ts';
import type { Reply } from '../harness/judge.ts';
import { counted, starts } from './count.ts';

const SECRET = 'hunter2-very-secret-token';
const NAMES = Array.from({ length: 10 }, (_, i) => `more-${i}`);

/** The call in flight fails at once, by name and cause, and is not made again. */
const crash = (name: string, backend: Fault['backend'], says: RegExp, more: Partial<Fault> = {}): Fault => ({
  name,
  backend,
  call: { gives: 'error', says, within: 2000 },
  after: 'usable',
  ...more,
});

const once = async (trial: Trial) => {
  await trial.expectSoon('recovery', 'it is connected again', async () => (await trial.detail()).status === 'connected');
  trial.check('answer', starts(trial) === 2, `${starts(trial)} starts: was the call repeated?`);
};

/** A large argument for one that no longer reads. */
const MEGABYTE = 'x'.repeat(1024 * 1024);

export const CRASH: readonly Fault[] = [
  crash('exit-mid-call', counted('crash-on-call'), /exited with code 3/, { steps: once }),
  crash('exit-zero-mid-call', fixture('die', { CAUSE: 'exit-0', MOMENT: 'call' }), /exited with code 0/),
  crash('sigkill-mid-call', counted('sigkill-on-call'), /killed by SIGKILL/, { steps: once }),
  crash('sigsegv-mid-call', fixture('die', { CAUSE: 'SIGSEGV', MOMENT: 'call' }), /killed by SIGSEGV/),
  crash('half-answer', fixture('half-answer'), /exited with code 3/),
  crash('exit-holding-stdout', fixture('exit-holding-stdout'), /exited with code 3/),
  crash('exit-holding-stdout-detached', fixture('exit-holding-stdout', { DETACHED: '1' }), /exited with code 3/),
  crash('close-stdout', fixture('close-stdout'), /closed its stdout/),
  crash('close-stdin', fixture('close-stdin'), /closed its stdin|did not answer/, {
    call: { gives: 'error', within: 3000 },
    recovers: 8000,
  }),
  crash('freeze', fixture('freezes'), /did not answer/, { call: { gives: 'error', says: /did not answer/ }, recovers: 8000 }),
  crash('busy-loop', fixture('busy-loop'), /did not answer/, { call: { gives: 'error', says: /did not answer/ }, recovers: 8000 }),
  crash('deaf', fixture('deaf'), /did not answer/, { call: { gives: 'error', says: /did not answer/ }, recovers: 8000 }),
  crash('deaf-and-flooded', fixture('deaf'), /did not answer/, {
    call: { gives: 'error', says: /did not answer/ },
    recovers: 8000,
    gateway: { message: { queueBytes: '4MiB' } },
    async steps(trial) {
      const calls: Promise<Reply>[] = [];
      for (let i = 0; i < 8; i++) {
        calls.push(trial.call('odd__echo', { text: MEGABYTE }));
        await trial.sleep(100);
      }
      const replies = await Promise.all(calls);
      const slow = Math.max(...replies.map(({ took }) => took));
      trial.check('answer', slow <= 4000, `a call took ${slow.toFixed(0)} ms`);
      const mute = replies.find(({ kind, text }) => kind !== 'result' && !/\bodd\b/.test(text));
      trial.check('answer', mute === undefined, `an error does not name the backend: ${mute?.text.slice(0, 300)}`);
    },
  }),
  {
    name: 'killed-while-idle',
    backend: fixture('good'),
    call: false,
    after: 'usable',
    async steps(trial) {
      const { pid } = await trial.detail();
      process.kill(pid as number, 'SIGKILL');
      await trial.expectSoon('recovery', 'another process serves', async () => ![pid, undefined].includes((await trial.detail()).pid));
    },
  },
  {
    name: 'frozen-while-idle',
    backend: fixture('good'),
    call: false,
    after: 'usable',
    async steps(trial) {
      const { pid } = await trial.detail();
      process.kill(pid as number, 'SIGSTOP');
      await trial.expectSoon(
        'recovery',
        'another process serves',
        async () => ![pid, undefined].includes((await trial.detail()).pid),
        8000,
      );
    },
  },
  {
    name: 'crash-storm',
    backend: fixture('good'),
    beside: Object.fromEntries(NAMES.map((name) => [name, fixture('good')])),
    gateway: { restart: { initial: '1s', max: '5s' } },
    call: false,
    after: 'usable',
    async steps(trial) {
      const all = ['odd', ...NAMES];
      const up = async () => (await Promise.all(all.map((name) => trial.detail(name)))).every(({ status }) => status === 'connected');
      await trial.expectSoon('answer', 'all are connected', up, 10_000);
      const before = await Promise.all(all.map(async (name) => (await trial.detail(name)).pid as number));
      for (const pid of before) process.kill(pid, 'SIGKILL');
      await trial.expectSoon(
        'recovery',
        'all are new',
        async () => {
          const now = await Promise.all(all.map(async (name) => (await trial.detail(name)).pid));
          return now.every((pid) => pid !== undefined && !before.includes(pid));
        },
        10_000,
      );
    },
  },
  {
    name: 'leak-secret',
    backend: fixture('leaks-secret', { CHAOS_SECRET: SECRET }),
    call: { gives: 'error', says: /\*\*\*/, relayed: true },
    after: 'usable',
    async steps(trial) {
      const { text } = await trial.call('odd__boom');
      const seen = JSON.stringify([text, trial.running.logs, (await trial.running.health()).body]);
      trial.check('answer', !seen.includes(SECRET), 'the secret is in an error, the log or the health');
    },
  },
];
