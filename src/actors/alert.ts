import { createActor } from 'xstate';
import type { Limits } from '../limits.ts';
import { type AlertEvent, alertMachine, type Said } from '../machines/alert.ts';

export interface AlertingOptions {
  readonly limits: Limits;
  /** Milliseconds that only grow. */
  readonly monotonic: () => number;
  readonly say: (said: Said) => void;
}

/** The alert machine of one subject at work. */
export interface Alerting {
  send(event: AlertEvent): void;
  /** Ends it without a word. */
  stop(): void;
}

export function startAlerting({ limits, monotonic, say }: AlertingOptions): Alerting {
  const machine = alertMachine.provide({ actions: { say: (_, { said }) => say(said) } });
  const actor = createActor(machine, { input: { limits, ports: { monotonic } } }).start();
  return {
    send: (event) => {
      if (actor.getSnapshot().status === 'active') actor.send(event);
    },
    stop: () => actor.stop(),
  };
}
