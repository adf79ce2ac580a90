import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createActor, SimulatedClock } from 'xstate';
import { type Limits, limitsWith } from '../../src/limits.ts';
import { type AlertEvent, alertMachine, type Said } from '../../src/machines/alert.ts';
import { verifies } from '../support/verifies.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** The machine on a simulated clock, and what it said when. */
function start(limits: Partial<Limits> = {}, onSay: (said: Said) => void = () => {}) {
  const clock = new SimulatedClock();
  const said: string[] = [];
  const machine = alertMachine.provide({
    actions: {
      say: (_, params) => {
        said.push(params.said);
        onSay(params.said);
      },
    },
  });
  const actor = createActor(machine, { clock, input: { limits: limitsWith(limits), ports: { monotonic: () => clock.now() } } }).start();
  const send = (...types: readonly ('BAD' | 'GOOD' | 'UNMUTE' | 'END')[]) => {
    for (const type of types) actor.send({ type });
  };
  return {
    clock,
    said,
    send,
    mute: (ms: number) => actor.send({ type: 'MUTE', ms }),
    event: (event: AlertEvent) => actor.send(event),
    pass: (ms: number) => clock.increment(ms),
    state: () => {
      const { value } = actor.getSnapshot();
      return typeof value === 'string' ? value : Object.entries(value).flat().join('.');
    },
    /** Bad until it is told, then good until that is told. */
    incident() {
      send('BAD');
      clock.increment(10 * SECOND);
      send('GOOD');
      clock.increment(30 * SECOND);
    },
  };
}

describe('an incident', () => {
  it(verifies('alert-once', 'is told once it lasts, and its end once that lasts'), () => {
    const { send, pass, said, state } = start();
    send('BAD');
    pass(9_999);
    expect([state(), said]).toEqual(['suspect', []]);
    pass(1);
    expect([state(), said]).toEqual(['alerting.standing', ['opened']]);
    send('BAD', 'GOOD');
    pass(29_999);
    send('BAD', 'GOOD');
    pass(29_999);
    expect([state(), said]).toEqual(['alerting.recovering', ['opened']]);
    pass(1);
    expect([state(), said]).toEqual(['healthy', ['opened', 'recovered']]);
  });

  it('that passes by itself is not told', () => {
    const { send, pass, said, state } = start();
    for (let count = 0; count < 100; count++) {
      send('BAD');
      pass(9_000);
      send('GOOD');
      pass(1_000);
    }
    expect([state(), said]).toEqual(['healthy', []]);
  });

  it('ends with its subject', () => {
    const open = start();
    open.send('BAD');
    open.pass(10 * SECOND);
    open.send('END');
    expect([open.state(), open.said]).toEqual(['over', ['opened', 'recovered']]);
    const suspect = start();
    suspect.send('BAD', 'END');
    suspect.pass(MINUTE);
    expect([suspect.state(), suspect.said]).toEqual(['over', []]);
  });
});

describe('flapping', () => {
  it(verifies('alert-flapping', 'is told once, then nothing until it was calm'), () => {
    const { incident, pass, said, state } = start();
    for (let count = 0; count < 12; count++) incident();
    expect(said).toEqual(['opened', 'recovered', 'opened', 'recovered', 'opened', 'recovered', 'flapping']);
    expect(state()).toBe('flapping.up');
    pass(10 * MINUTE);
    expect([state(), said.at(-1)]).toEqual(['healthy', 'recovered']);
    incident();
    expect(said.slice(-2)).toEqual(['opened', 'recovered']);
    expect(said).toHaveLength(10);
  });

  it('that comes to rest in a bad state is an incident', () => {
    const { incident, send, pass, said, state } = start();
    for (let count = 0; count < 4; count++) incident();
    send('BAD');
    pass(10 * MINUTE);
    expect([state(), said.slice(-2)]).toEqual(['alerting.standing', ['flapping', 'opened']]);
    send('GOOD');
    pass(30 * SECOND);
    expect(said.at(-1)).toBe('recovered');
  });

  it('is not what happens now and then', () => {
    const { incident, pass, said } = start();
    for (let count = 0; count < 9; count++) {
      incident();
      pass(15 * MINUTE);
    }
    expect(said).not.toContain('flapping');
    expect(said).toHaveLength(18);
  });
});

describe('muted', () => {
  it(verifies('alert-muted', 'nothing is said, and what is open then is told'), () => {
    const { mute, send, pass, said, state } = start();
    mute(MINUTE);
    send('BAD');
    pass(MINUTE - 1);
    expect([state(), said]).toEqual(['muted', []]);
    pass(1);
    expect(state()).toBe('suspect');
    pass(10 * SECOND);
    expect(said).toEqual(['opened']);
  });

  it('while an incident is open: its end is told afterwards, its beginning not again', () => {
    const { mute, send, pass, said, state } = start();
    send('BAD');
    pass(10 * SECOND);
    mute(MINUTE);
    send('UNMUTE');
    expect([state(), said]).toEqual(['alerting.standing', ['opened']]);
    mute(MINUTE);
    send('GOOD');
    pass(MINUTE);
    expect([state(), said]).toEqual(['alerting.recovering', ['opened']]);
    pass(30 * SECOND);
    expect([state(), said]).toEqual(['healthy', ['opened', 'recovered']]);
  });

  it('anew counts from then', () => {
    const { mute, pass, state } = start();
    mute(MINUTE);
    pass(MINUTE - 1);
    mute(MINUTE);
    pass(MINUTE - 1);
    expect(state()).toBe('muted');
    pass(1);
    expect(state()).toBe('healthy');
  });

  it('the end of a subject is not told', () => {
    const { mute, send, pass, said, state } = start();
    send('BAD');
    pass(10 * SECOND);
    mute(MINUTE);
    send('END');
    expect([state(), said]).toEqual(['over', ['opened']]);
  });
});

it(
  verifies(
    ['alert-once', 'alert-flapping', 'alert-muted'],
    'whatever happens: no two openings in a row, every one has its end, silence is kept',
  ),
  () => {
    const limits = { 'alerts.after': 2, 'alerts.recoverAfter': 3, 'alerts.flaps': 2, 'alerts.flapWindow': 60, 'alerts.calm': 12 };
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.constant({ type: 'BAD' } as const) },
      { weight: 4, arbitrary: fc.constant({ type: 'GOOD' } as const) },
      { weight: 1, arbitrary: fc.record({ type: fc.constant('MUTE' as const), ms: fc.integer({ min: 1, max: 30 }) }) },
      { weight: 1, arbitrary: fc.constant({ type: 'UNMUTE' } as const) },
      { weight: 6, arbitrary: fc.integer({ min: 1, max: 15 }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        let mutedUntil = 0;
        const brokenSilence: number[] = [];
        const { clock, said, event, state } = start(limits, () => {
          if (clock.now() < mutedUntil) brokenSilence.push(clock.now());
        });
        const pass = (ms: number) => {
          for (let passed = 0; passed < ms; passed++) clock.increment(1);
        };
        for (const next of steps) {
          if (typeof next === 'number') pass(next);
          else {
            if (next.type === 'MUTE') mutedUntil = clock.now() + next.ms;
            if (next.type === 'UNMUTE') mutedUntil = 0;
            event(next);
          }
        }
        mutedUntil = 0;
        event({ type: 'UNMUTE' });
        event({ type: 'GOOD' });
        pass(20);

        expect(brokenSilence).toEqual([]);
        expect(state()).toBe('healthy');
        expect(said.at(-1) ?? 'recovered').toBe('recovered');
        for (const [index, what] of said.entries()) {
          const before = said[index - 1] ?? 'recovered';
          if (what === 'opened') expect(['recovered', 'flapping']).toContain(before);
          if (what === 'flapping') expect(before).toBe('recovered');
          if (what === 'recovered') expect(before).not.toBe('recovered');
        }
      }),
      { numRuns: 500 },
    );
  },
);
