import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createActor, fromPromise, SimulatedClock } from 'xstate';
import type { Config, Plan } from '../../src/config/config.ts';
import { limitsWith } from '../../src/limits.ts';
import { type Bad, configMachine, type Good, type Verdict } from '../../src/machines/config.ts';
import { deferred, flush } from '../support/fakeWorld.ts';
import { verifies } from '../support/verifies.ts';

const configOf = (file: string) => ({ file }) as Config;
const good = (file: string): Good => ({ ok: true, config: configOf(file), plan: {} as Plan, warnings: [] });
/** Something is wrong with a key: the text is whole. */
const bad = (message: string): Bad => ({ ok: false, issues: [{ file: 'mcp.json', path: 'mcpServers.a', message }] });
const halfWritten: Bad = { ok: false, issues: [{ file: 'mcp.json', message: 'the file is empty' }] };

interface Reading {
  readonly current: string;
  readonly signal: AbortSignal;
  isOver(): boolean;
  /** Ends the reading. */
  says(verdict: Verdict): Promise<void>;
  fails(error: Error): Promise<void>;
}

/** The machine on a simulated clock, over a file that a test reads. */
function start() {
  const clock = new SimulatedClock();
  const readings: Reading[] = [];
  const done: string[] = [];
  const load = fromPromise<Verdict, { readonly current: Config }>(({ input, signal }) => {
    const { promise, resolve, reject } = deferred<Verdict>();
    let ended = false;
    const end = (settle: () => void) => {
      ended = true;
      settle();
      return flush();
    };
    readings.push({
      current: input.current.file,
      signal,
      isOver: () => ended || signal.aborted,
      says: (verdict) => end(() => resolve(verdict)),
      fails: (error) => end(() => reject(error)),
    });
    return promise;
  });
  const machine = configMachine.provide({
    actors: { load },
    actions: {
      apply: (_, { config }) => void done.push(`applied ${config.file}`),
      reject: (_, { issues }) => void done.push(`rejected: ${issues.map(({ message }) => message).join()}`),
    },
  });
  const actor = createActor(machine, { clock, input: { current: configOf('first'), limits: limitsWith() } }).start();
  const answers: string[] = [];
  return {
    clock,
    readings,
    done,
    answers,
    state: () => {
      const { value } = actor.getSnapshot();
      return typeof value === 'string' ? value : Object.keys(value)[0];
    },
    edit: () => actor.send({ type: 'EDITED' }),
    reload: (name = '') =>
      actor.send({
        type: 'RELOAD',
        asker: (verdict) => void answers.push(`${name}: ${verdict.ok ? verdict.config.file : verdict.issues[0]?.message}`),
      }),
    last: () => readings.at(-1) as Reading,
  };
}

describe('an edit', () => {
  it('is read after a silence, and applied', async () => {
    const machine = start();
    machine.edit();
    machine.clock.increment(199);
    expect(machine.readings).toHaveLength(0);
    machine.clock.increment(1);
    expect(machine.state()).toBe('loading');
    await machine.last().says(good('second'));
    expect(machine.state()).toBe('applied');
    expect(machine.done).toEqual(['applied second']);
    machine.edit();
    machine.clock.increment(200);
    expect(machine.last().current).toBe('second');
  });

  it(verifies('config-transaction', 'that is bad changes nothing, and the next good one is applied'), async () => {
    const machine = start();
    machine.edit();
    machine.clock.increment(200);
    await machine.last().says(bad('no such key'));
    expect(machine.state()).toBe('rejected');
    machine.edit();
    machine.clock.increment(200);
    expect(machine.last().current).toBe('first');
    await machine.last().says(good('second'));
    expect(machine.done).toEqual(['rejected: no such key', 'applied second']);
  });

  it('waits for the end of those that come one after the other', () => {
    const machine = start();
    for (let count = 0; count < 9; count++) {
      machine.edit();
      machine.clock.increment(150);
    }
    expect(machine.readings).toHaveLength(0);
    machine.clock.increment(50);
    expect(machine.readings).toHaveLength(1);
  });

  it(
    verifies('config-storm', 'of forty in two seconds causes one or two readings; of a storm without end one every two seconds'),
    async () => {
      const machine = start();
      const storm = async (edits: number) => {
        for (let count = 0; count < edits; count++) {
          machine.edit();
          machine.clock.increment(50);
          await flush();
          if (machine.state() === 'loading') await machine.last().says(good(`${machine.readings.length}`));
        }
      };
      await storm(40);
      machine.clock.increment(200);
      if (machine.state() === 'loading') await machine.last().says(good('last'));
      expect(machine.done.length).toBeGreaterThanOrEqual(1);
      expect(machine.done.length).toBeLessThanOrEqual(2);
      const before = machine.done.length;
      await storm(200);
      expect(machine.done.length - before).toBeGreaterThanOrEqual(4);
      expect(machine.done.length - before).toBeLessThanOrEqual(5);
    },
  );

  it('during a reading causes exactly one more, however many they are', async () => {
    const machine = start();
    machine.edit();
    machine.clock.increment(200);
    machine.edit();
    machine.edit();
    expect(machine.readings).toHaveLength(1);
    await machine.last().says(good('second'));
    expect(machine.state()).toBe('quiet');
    machine.clock.increment(200);
    expect(machine.readings).toHaveLength(2);
    await machine.last().says(good('third'));
    machine.clock.increment(60_000);
    expect(machine.readings).toHaveLength(2);
    expect(machine.done).toEqual(['applied second', 'applied third']);
  });
});

describe('a text that may be half written', () => {
  it('is looked at once more before it is called bad', async () => {
    const machine = start();
    machine.edit();
    machine.clock.increment(200);
    await machine.last().says(halfWritten);
    expect({ state: machine.state(), done: machine.done }).toEqual({ state: 'quiet', done: [] });
    machine.clock.increment(200);
    await machine.last().says(good('second'));
    expect(machine.done).toEqual(['applied second']);
  });

  it('is called bad when it stays so', async () => {
    const machine = start();
    for (let round = 0; round < 2; round++) {
      machine.edit();
      machine.clock.increment(200);
      await machine.last().says(halfWritten);
      machine.clock.increment(200);
      await machine.last().says(halfWritten);
      machine.clock.increment(60_000);
    }
    expect(machine.readings).toHaveLength(4);
    expect(machine.done).toEqual(Array(2).fill('rejected: the file is empty'));
  });

  it('is one answer for all who asked meanwhile', async () => {
    const machine = start();
    machine.reload('a');
    machine.reload('b');
    await machine.last().says(halfWritten);
    machine.reload('c');
    expect(machine.readings).toHaveLength(2);
    await machine.last().says(good('second'));
    expect(machine.answers).toEqual(['a: second', 'b: second', 'c: second']);
    expect(machine.readings).toHaveLength(2);
  });
});

describe('a reload', () => {
  it('does not wait for silence, and is answered', async () => {
    const machine = start();
    machine.reload('a');
    expect(machine.state()).toBe('loading');
    await machine.last().says(bad('no such key'));
    machine.edit();
    machine.reload('b');
    await machine.last().says(good('second'));
    expect(machine.answers).toEqual(['a: no such key', 'b: second']);
    expect(machine.done).toEqual(['rejected: no such key', 'applied second']);
    machine.clock.increment(60_000);
    expect(machine.readings).toHaveLength(2);
  });

  it('during a reading is answered by one of its own', async () => {
    const machine = start();
    machine.reload('a');
    machine.reload('b');
    machine.edit();
    machine.reload('c');
    await machine.last().says(good('second'));
    expect({ answers: machine.answers, state: machine.state() }).toEqual({ answers: ['a: second'], state: 'loading' });
    await machine.last().says(good('third'));
    expect(machine.answers).toEqual(['a: second', 'b: third', 'c: third']);
    machine.clock.increment(60_000);
    expect(machine.readings).toHaveLength(2);
  });
});

describe('a reading', () => {
  it('that throws is a bad one', async () => {
    const machine = start();
    machine.reload('a');
    await machine.last().fails(new TypeError('oops'));
    expect(machine.done).toEqual(['rejected: onemcp failed to read it: TypeError: oops']);
    machine.edit();
    machine.clock.increment(200);
    expect(machine.readings).toHaveLength(2);
  });

  it('that never ends is given up', async () => {
    const machine = start();
    machine.reload('a');
    machine.clock.increment(30_000);
    expect(machine.answers[0]).toMatch(/^a: the file and its secrets could not be read within 30 s/);
    expect(machine.last().signal.aborted).toBe(true);
    await machine.last().says(good('too late'));
    expect(machine.done).toHaveLength(1);
  });
});

describe('whatever happens', () => {
  it('there is one reading at a time, one after the last edit, and one answer for each who asked', async () => {
    const step = fc.constantFrom('edit', 'reload', 'wait', 'wait long', 'good', 'bad', 'half');
    const property = fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const machine = start();
      let asked = 0;
      /** Readings that had begun at the last edit. */
      let begun = 0;
      const end = async (verdict: Verdict) => {
        if (machine.state() === 'loading') await machine.last().says(verdict);
      };
      for (const what of steps) {
        if (what === 'edit') {
          machine.edit();
          begun = machine.readings.length + 1;
        } else if (what === 'reload') machine.reload(`${asked++}`);
        else if (what === 'wait') machine.clock.increment(100);
        else if (what === 'wait long') machine.clock.increment(2_000);
        else if (what === 'good') await end(good('another'));
        else await end(what === 'bad' ? bad('bad') : halfWritten);
        expect(machine.readings.filter(({ isOver }) => !isOver()).length).toBe(machine.state() === 'loading' ? 1 : 0);
      }
      for (let count = 0; count < 6; count++) {
        machine.clock.increment(2_000);
        await end(good('last'));
      }
      expect(['watching', 'applied', 'rejected']).toContain(machine.state());
      expect(machine.readings.length).toBeGreaterThanOrEqual(begun);
      expect(machine.answers.map((answer) => Number.parseInt(answer, 10)).sort((a, b) => a - b)).toEqual(
        Array.from({ length: asked }, (_, index) => index),
      );
    });
    await fc.assert(property, { numRuns: 300 });
  });
});
