import { assign, enqueueActions, setup } from 'xstate';
import type { Config, Issue, Plan } from '../config/config.ts';
import type { Limits } from '../limits.ts';
import { providedPromise } from './provided.ts';

/** A configuration, and what it changes. */
export interface Good {
  readonly ok: true;
  readonly config: Config;
  readonly plan: Plan;
  readonly warnings: readonly Issue[];
}

export interface Bad {
  readonly ok: false;
  readonly issues: readonly Issue[];
}

/** What became of one reading of the configuration. */
export type Verdict = Good | Bad;

/** Who wants to know what a reading says; called once. */
export type Asker = (verdict: Verdict) => void;

export interface ConfigInput {
  /** The configuration that runs. */
  readonly current: Config;
  readonly limits: Limits;
}

interface ConfigContext extends ConfigInput {
  /** Askers of the reading that is going on, or of the next one. */
  readonly askers: readonly Asker[];
  /** Askers who came during a reading: it may have begun before what they want to see. */
  readonly later: readonly Asker[];
  /** The source changed during the reading. */
  readonly edited: boolean;
  /** The last reading found a text that may not be whole yet. */
  readonly doubtful: boolean;
  /** What became of the last reading. */
  readonly verdict: Verdict | undefined;
}

export type ConfigEvent =
  /** The source changed. */
  | { readonly type: 'EDITED' }
  /** Somebody wants it read at once. */
  | { readonly type: 'RELOAD'; readonly asker?: Asker };

/** What happens while nothing is going on. */
const RESTING = { EDITED: 'quiet', RELOAD: { target: 'loading', actions: 'ask' } } as const;

const askerOf = (event: ConfigEvent | { readonly type: string }): readonly Asker[] =>
  event.type === 'RELOAD' && 'asker' in event && event.asker ? [event.asker] : [];

/**
 * The configuration as a transaction: edits wait for silence, then the source is read; a good configuration is applied, and a
 * bad one changes nothing. Pure: `load` reads and plans, `apply` and `reject` carry out, somebody else provides them.
 *
 * Invariant: at most one reading at a time, and after the last edit there is one more.
 */
export const configMachine = setup({
  types: {
    input: {} as ConfigInput,
    context: {} as ConfigContext,
    events: {} as ConfigEvent,
  },
  actors: {
    load: providedPromise<Verdict, { readonly current: Config }>('load'),
  },
  actions: {
    apply: (_, _params: Good) => {},
    reject: (_, _params: Bad) => {},
    ask: assign(({ context: { askers }, event }) => ({ askers: [...askers, ...askerOf(event)] })),
    askLater: assign(({ context: { later }, event }) => ({ later: [...later, ...askerOf(event)] })),
    noteEdit: assign({ edited: true }),
    forgetEdit: assign({ edited: false }),
    /** The next reading is one for all who have asked. */
    doubt: assign(({ context: { askers, later } }) => ({ doubtful: true, askers: [...askers, ...later], later: [] })),
    trust: assign({ doubtful: false }),
    conclude: assign(({ context }, verdict: Verdict) => ({ verdict, current: verdict.ok ? verdict.config : context.current })),
    /** The reading is over: its askers are told, and those who came meanwhile are next. */
    settle: enqueueActions(({ context: { askers, later, verdict }, enqueue }) => {
      enqueue(() => {
        for (const asker of askers) asker(verdict as Verdict);
      });
      enqueue.assign({ askers: later, later: [], doubtful: false });
    }),
  },
  guards: {
    isGood: (_, verdict: Verdict) => verdict.ok,
    /**
     * What is wrong is wrong with the text as a whole: it is not there, is empty or is no JSON. In the middle of a save it looks
     * the same, so it is looked at once more.
     */
    mayBeHalfWritten: ({ context }, verdict: Verdict) =>
      !context.doubtful && !verdict.ok && verdict.issues.every(({ path }) => path === undefined),
    wasAsked: ({ context }) => context.askers.length > 0,
    wasEdited: ({ context }) => context.edited,
  },
  delays: {
    quiet: ({ context }) => context.limits['reload.quiet'],
    longest: ({ context }) => context.limits['reload.max'],
    timeout: ({ context }) => context.limits['reload.timeout'],
  },
}).createMachine({
  id: 'config',
  context: ({ input }) => ({ ...input, askers: [], later: [], edited: false, doubtful: false, verdict: undefined }),
  initial: 'watching',
  states: {
    watching: { on: RESTING },
    quiet: {
      initial: 'silence',
      states: {
        silence: {
          after: { quiet: '#config.loading' },
          on: { EDITED: { target: 'silence', reenter: true, actions: 'trust' } },
        },
      },
      after: { longest: 'loading' },
      on: { RELOAD: RESTING.RELOAD },
    },
    loading: {
      entry: 'forgetEdit',
      invoke: {
        src: 'load',
        input: ({ context: { current } }) => ({ current }),
        onDone: [
          { guard: { type: 'mayBeHalfWritten', params: ({ event }) => event.output }, target: 'quiet', actions: 'doubt' },
          {
            guard: { type: 'isGood', params: ({ event }) => event.output },
            target: 'applied',
            actions: { type: 'conclude', params: ({ event }) => event.output },
          },
          { target: 'rejected', actions: { type: 'conclude', params: ({ event }) => event.output } },
        ],
        onError: {
          target: 'rejected',
          actions: { type: 'conclude', params: ({ context, event }) => failed(context, `onemcp failed to read it: ${event.error}`) },
        },
      },
      after: {
        timeout: { target: 'rejected', actions: { type: 'conclude', params: ({ context }) => failed(context, tooSlow(context)) } },
      },
      on: {
        EDITED: { actions: 'noteEdit' },
        RELOAD: { actions: 'askLater' },
      },
    },
    applied: {
      entry: [{ type: 'apply', params: ({ context }) => context.verdict as Good }, 'settle'],
      always: [
        { guard: 'wasAsked', target: 'loading' },
        { guard: 'wasEdited', target: 'quiet' },
      ],
      on: RESTING,
    },
    rejected: {
      entry: [{ type: 'reject', params: ({ context }) => context.verdict as Bad }, 'settle'],
      always: [
        { guard: 'wasAsked', target: 'loading' },
        { guard: 'wasEdited', target: 'quiet' },
      ],
      on: RESTING,
    },
  },
});

const failed = ({ current: { file } }: ConfigContext, message: string): Bad => ({ ok: false, issues: [{ file, message }] });

const tooSlow = ({ limits }: ConfigContext): string =>
  `the file and its secrets could not be read within ${limits['reload.timeout'] / 1000} s; look at the file system they are on`;
