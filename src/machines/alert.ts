import { assign, setup } from 'xstate';
import type { Limits } from '../limits.ts';
import type { Ports } from './backend.ts';

export interface AlertInput {
  readonly limits: Limits;
  readonly ports: Pick<Ports, 'monotonic'>;
}

/** What is said of a subject: an incident began, it is one of too many, it is over. */
export type Said = 'opened' | 'flapping' | 'recovered';

interface AlertContext extends AlertInput {
  readonly bad: boolean;
  /** What was said last of the incident that is open; undefined while none is. */
  readonly said: Exclude<Said, 'recovered'> | undefined;
  /** Monotonic milliseconds at which the incidents of the last `alerts.flapWindow` began. */
  readonly openings: readonly number[];
  readonly muteFor: number;
}

export type AlertEvent =
  /** The subject is not as it should be, or is again; each means nothing while it is so already. */
  | { readonly type: 'BAD' }
  | { readonly type: 'GOOD' }
  /** An operator wants to hear nothing for `ms`. */
  | { readonly type: 'MUTE'; readonly ms: number }
  | { readonly type: 'UNMUTE' }
  /** The subject is no more. */
  | { readonly type: 'END' };

const OPENED = ['open', { type: 'say', params: { said: 'opened' } }] as const;
const FLAPPED = ['flap', { type: 'say', params: { said: 'flapping' } }] as const;
const RECOVERED = ['recover', { type: 'say', params: { said: 'recovered' } }] as const;

/** While nothing is open. */
const QUIET = { MUTE: { target: 'muted', actions: 'mute' }, END: 'over' } as const;
/** While an incident is: its end is told. */
const OPEN = { MUTE: QUIET.MUTE, END: { target: 'over', actions: RECOVERED } } as const;

/** It goes on where it would be, had it not been muted. */
const UNMUTED = [
  { guard: 'isFlappingDown', target: 'flapping.down' },
  { guard: 'isFlappingUp', target: 'flapping.up' },
  { guard: 'isStanding', target: 'alerting.standing' },
  { guard: 'isRecovering', target: 'alerting.recovering' },
  { guard: 'isBad', target: 'suspect' },
  { target: 'healthy' },
] as const;

/**
 * What is told of one subject (a backend, the configuration, the gateway) that is good or bad: healthy → suspect → alerting →
 * healthy; flapping when it did so too often; muted by an operator. Pure: `say` is a hole that somebody else fills.
 *
 * Invariant: between two `opened` there is a `recovered` or a `flapping`; what was said of an incident ends with `recovered`
 * once the subject stays good; nothing is said while muted.
 */
export const alertMachine = setup({
  types: {
    input: {} as AlertInput,
    context: {} as AlertContext,
    events: {} as AlertEvent,
  },
  actions: {
    say: (_, _params: { readonly said: Said }) => {},
    worsen: assign({ bad: true }),
    improve: assign({ bad: false }),
    mute: assign(({ context, event }) => ({ muteFor: event.type === 'MUTE' ? event.ms : context.muteFor })),
    open: assign(({ context }) => ({ said: 'opened' as const, openings: [...recent(context), context.ports.monotonic()] })),
    flap: assign({ said: 'flapping' }),
    recover: assign({ said: undefined }),
    forgetOpenings: assign({ openings: [] }),
  },
  guards: {
    isBad: ({ context: { bad } }) => bad,
    isStanding: ({ context: { bad, said } }) => bad && said === 'opened',
    isRecovering: ({ context: { bad, said } }) => !bad && said === 'opened',
    isFlappingDown: ({ context: { bad, said } }) => bad && said === 'flapping',
    isFlappingUp: ({ context: { bad, said } }) => !bad && said === 'flapping',
    isOneTooMany: ({ context }) => recent(context).length >= context.limits['alerts.flaps'],
  },
  delays: {
    debounce: ({ context }) => context.limits['alerts.after'],
    recovery: ({ context }) => context.limits['alerts.recoverAfter'],
    calm: ({ context }) => context.limits['alerts.calm'],
    mute: ({ context }) => context.muteFor,
  },
}).createMachine({
  id: 'alert',
  context: ({ input }) => ({ ...input, bad: false, said: undefined, openings: [], muteFor: 0 }),
  initial: 'healthy',
  states: {
    healthy: {
      on: { ...QUIET, BAD: { target: 'suspect', actions: 'worsen' } },
    },
    suspect: {
      after: {
        debounce: [
          { guard: 'isOneTooMany', target: 'flapping', actions: FLAPPED },
          { target: 'alerting', actions: OPENED },
        ],
      },
      on: { ...QUIET, GOOD: { target: 'healthy', actions: 'improve' } },
    },
    alerting: {
      initial: 'standing',
      states: {
        standing: { on: { GOOD: { target: 'recovering', actions: 'improve' } } },
        recovering: {
          after: { recovery: { target: '#alert.healthy', actions: RECOVERED } },
          on: { BAD: { target: 'standing', actions: 'worsen' } },
        },
      },
      on: OPEN,
    },
    flapping: {
      initial: 'down',
      states: {
        down: {
          after: { calm: { target: '#alert.alerting', actions: ['forgetOpenings', ...OPENED] } },
          on: { GOOD: { target: 'up', actions: 'improve' } },
        },
        up: {
          after: { calm: { target: '#alert.healthy', actions: ['forgetOpenings', ...RECOVERED] } },
          on: { BAD: { target: 'down', actions: 'worsen' } },
        },
      },
      on: OPEN,
    },
    muted: {
      after: { mute: UNMUTED },
      on: {
        BAD: { actions: 'worsen' },
        GOOD: { actions: 'improve' },
        MUTE: { target: 'muted', reenter: true, actions: 'mute' },
        UNMUTE: UNMUTED,
        END: 'over',
      },
    },
    over: { type: 'final' },
  },
});

/** The openings that still count. */
const recent = ({ openings, limits, ports }: AlertContext): readonly number[] =>
  openings.filter((at) => at > ports.monotonic() - limits['alerts.flapWindow']);
