import { createActor, fromPromise, type InspectionEvent, type Observer } from 'xstate';
import type { Config, Reloaded } from '../config/config.ts';
import type { Limits } from '../limits.ts';
import { type Bad, configMachine, type Good, type Verdict } from '../machines/config.ts';

export interface ReloadingOptions {
  /** The configuration that runs. */
  readonly config: Config;
  readonly limits: Limits;
  /** Reads the configuration, and plans what it changes. Never rejects. */
  readonly load: (current: Config) => Promise<Verdict>;
  /** Calls back when there may be something new to read; returns the unsubscriber. */
  readonly watch?: ((onChange: () => void) => () => void) | undefined;
  readonly apply: (good: Good) => void;
  readonly reject: (bad: Bad) => void;
  readonly inspect?: Observer<InspectionEvent> | ((event: InspectionEvent) => void) | undefined;
}

/** The machine of the configuration at work. */
export interface Reloading {
  /** The configuration that runs. */
  readonly current: () => Config;
  /** Reads the configuration now. After `close` it is answered with an issue. */
  reload(): Promise<Reloaded>;
  close(): void;
}

/** Fills the holes of the machine and lets it watch. */
export function createReloading({ config, limits, load, watch, apply, reject, inspect }: ReloadingOptions): Reloading {
  const actor = createActor(
    configMachine.provide({
      actors: { load: fromPromise<Verdict, { readonly current: Config }>(({ input }) => load(input.current)) },
      actions: { apply: (_, good) => apply(good), reject: (_, bad) => reject(bad) },
    }),
    { input: { current: config, limits }, ...(inspect && { inspect }) },
  );
  /** Those who wait for an answer, in case that there is none. */
  const waiting = new Set<(answer: Reloaded) => void>();
  actor.start();
  const isOpen = () => actor.getSnapshot().status === 'active';
  const unwatch = watch?.(() => {
    if (isOpen()) actor.send({ type: 'EDITED' });
  });
  const closed: Reloaded = { ok: false, issues: [{ file: config.file, message: 'the gateway is going down; nothing was changed' }] };

  return {
    current: () => actor.getSnapshot().context.current,
    reload() {
      return new Promise((resolve) => {
        if (!isOpen()) return resolve(closed);
        waiting.add(resolve);
        const asker = (verdict: Verdict) => {
          waiting.delete(resolve);
          resolve(answerOf(verdict));
        };
        actor.send({ type: 'RELOAD', asker });
      });
    },
    close() {
      unwatch?.();
      actor.stop();
      for (const resolve of waiting) resolve(closed);
      waiting.clear();
    },
  };
}

/** Without the configuration itself, whose secrets are nobody's business. */
const answerOf = (verdict: Verdict): Reloaded => (verdict.ok ? { ok: true, plan: verdict.plan, warnings: verdict.warnings } : verdict);
