/**
 * Typed holes: machines name the I/O they need, `actors/system.ts` fills it in with `provide()`. An unfilled hole fails
 * like any actor, which tests use as well.
 */
import {
  type CallbackActorLogic,
  type EventObject,
  fromCallback,
  fromPromise,
  type NonReducibleUnknown,
  type PromiseActorLogic,
} from 'xstate';

/** A promise that somebody else supplies. */
export function providedPromise<Output, Input extends NonReducibleUnknown>(name: string): PromiseActorLogic<Output, Input> {
  return fromPromise<Output, Input>(() => Promise.reject(new Error(`nobody provided "${name}"`)));
}

/** A listener that somebody else supplies; it may send `Sent` to the machine that invokes it. */
export function providedCallback<Sent extends EventObject, Input extends NonReducibleUnknown>(
  name: string,
): CallbackActorLogic<EventObject, Input, Sent> {
  return fromCallback<EventObject, Input, Sent>(() => {
    throw new Error(`nobody provided "${name}"`);
  }) as unknown as CallbackActorLogic<EventObject, Input, Sent>;
}
