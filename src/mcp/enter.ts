import { OnemcpError } from '../errors.ts';
import type { BackendSession, BackendView, World } from '../world.ts';
import type { LaneLimits } from './lane.ts';
import { type Call, type Context, isComing, waitFor } from './method.ts';
import { isOver } from './retry.ts';
import { drained, unavailable } from './unavailable.ts';

/**
 * The session that a request of a client goes to, with a place taken on the backend's lane; who gets one leaves it. At once
 * when there are both; otherwise after waiting for a connection, and for its turn.
 * @throws OnemcpError `backend_unavailable` naming the server, its state and what happens next; `busy` when too many wait
 * already or for too long, while an operator keeps requests back, and when the client would need one connection too many
 */
export function enter(backend: string, call: Call, context: Context): BackendSession | Promise<BackendSession> {
  const view = context.world().backends.get(backend);
  if (view && view.held === undefined && context.levels.applying.size === 0) {
    const instance = instanceOf(view, call, context);
    const session = instance === undefined ? view.session : context.world().instances.get(instance)?.session;
    if (session && context.lanes.of(backend).tryEnter(view.maxConcurrency)) return session;
  }
  return enterLater(backend, call, context);
}

/** The same for who knows that it will have to wait. */
export async function enterLater(backend: string, call: Call, context: Context): Promise<BackendSession> {
  const { world, limits, now, lanes } = context;
  const view = world().backends.get(backend);
  if (!view) throw unavailable(backend, undefined, { context, waitedMs: 0 });
  const lane = lanes.of(backend);
  const waiting = lane.admit(view);
  let callWait = limits.callWait;
  let queueTimeout = view.queueTimeout;
  try {
    for (;;) {
      const began = now();
      const session = await reach(backend, call, context, callWait);
      const reached = now();
      callWait -= reached - began;
      const current: LaneLimits = world().backends.get(backend) ?? view;
      if (lane.tryEnter(current.maxConcurrency)) return session;
      const outcome = await lane.turn(waiting, call.client, { signal: call.signal, ms: queueTimeout });
      if (outcome === 'cancelled') throw cancelled(call);
      if (outcome === 'late') throw lane.busy(current, 'queue-timeout');
      queueTimeout -= now() - reached;
      // Meanwhile the backend may have gone, or been held; its line waits for the next connection.
      if (isThere(session, backend, call, context)) return session;
      lane.stepBack(waiting);
    }
  } finally {
    lane.dismiss(waiting);
  }
}

/** Id of the instance that a client's requests go over, which is started if need be; undefined: the first connection. */
function instanceOf(view: BackendView, { client }: Call, { connections }: Context): string | undefined {
  const instance = connections.instanceOf(view, client);
  if (instance) connections.use(instance);
  return instance?.id;
}

function isThere(session: BackendSession, backend: string, { client }: Call, { connections, world }: Context): boolean {
  const view = world().backends.get(backend);
  if (!view || view.held) return false;
  const instance = connections.instanceOf(view, client);
  return (instance ? world().instances.get(instance.id)?.session : view.session) === session && !isOver(session);
}

/** Waits for a connection, up to `callWait` milliseconds, or `wakeWait` for a backend that was asleep. */
async function reach(backend: string, call: Call, context: Context, callWait: number): Promise<BackendSession> {
  const { signal } = call;
  const { world, lanes, now } = context;
  const began = now();
  const isFree = ({ backends }: World) => (backends.get(backend)?.held === undefined ? true : undefined);
  const free = await waitFor(context, { ms: callWait, signal }, isFree);
  if (signal.aborted) throw cancelled(call);
  const view = world().backends.get(backend);
  if (!free && view) throw drained(view, context);

  const id = view && instanceOf(view, call, context);
  const viewIn = ({ backends, instances }: World): BackendView | undefined =>
    id === undefined ? backends.get(backend) : instances.get(id);
  let woken = false;
  const settled = (current: World) => {
    const shown = viewIn(current);
    // An instance that was just asked for may not show yet.
    if (!shown) return id !== undefined && current.phase === 'running' && current.backends.has(backend) ? undefined : null;
    if (shown.session) return isOver(shown.session) ? undefined : shown;
    const sleeps = id === undefined && shown.asleep && !woken;
    return isComing(shown, context) && !sleeps ? undefined : shown;
  };
  for (;;) {
    const shown = (await waitForComing(context, { began, callWait, backend, call }, { settled, viewIn })) ?? viewIn(world());
    if (signal.aborted) throw cancelled(call);
    if (shown?.session && !isOver(shown.session)) return ready(shown.session, context);
    if (!shown?.asleep || woken || id !== undefined) throw unavailable(backend, shown, { context, waitedMs: now() - began });
    woken = true;
    lanes.wake(backend);
  }
}

interface Wait {
  /** Monotonic milliseconds. */
  readonly began: number;
  readonly callWait: number;
  readonly backend: string;
  readonly call: Call;
}

interface Looks<T> {
  readonly settled: (world: World) => T | null | undefined;
  readonly viewIn: (world: World) => BackendView | undefined;
}

/** Up to `callWait` whatever happens; after that only for a backend that was woken, and only for its first start. */
async function waitForComing<T>(context: Context, { began, callWait, backend, call }: Wait, { settled, viewIn }: Looks<T>) {
  const { now, lanes } = context;
  const { signal } = call;
  const found = await waitFor(context, { ms: began + callWait - now(), signal }, settled);
  const ms = lanes.of(backend).wakingUntil - now();
  if (found !== undefined || signal.aborted || ms <= 0) return found;
  return waitFor(context, { ms, signal }, (world) => settled(world) ?? (isWaking(viewIn(world)) ? undefined : null));
}

/** Whether a backend has not come to anything yet since it was woken. */
export const isWaking = (view: BackendView | undefined): boolean => view?.state === 'idle' || view?.state === 'starting';

/** A call must not overtake what its client has just set. */
function ready(session: BackendSession, { levels }: Context): BackendSession | Promise<BackendSession> {
  const applying = levels.applying.get(session);
  return applying ? applying.then(() => session) : session;
}

const cancelled = ({ method }: Call) => new OnemcpError('cancelled', `${method} was cancelled`, { reason: 'cancelled' });
