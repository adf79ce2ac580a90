import type { BackendSpec } from '../config/config.ts';
import type { IoDeps } from '../io/deps.ts';
import { shown } from '../io/lines.ts';
import { openSession } from '../io/session.ts';
import { createTransport } from '../io/transports/index.ts';
import type { Opened, ToOpen } from '../machines/backend.ts';
import { fetchItems } from '../mcp/catalog.ts';
import { type Instance, type Json, NO_ITEMS, type Upward } from '../world.ts';

/** What a connection declares to its backend, and whose it is if it is one client's. */
export type Declare = (
  spec: BackendSpec,
  instance: Instance | undefined,
) => { readonly capabilities: Json; readonly owner?: Upward | undefined };

export interface OpenDeps {
  readonly io: IoDeps;
  /** Our `clientInfo` toward backends. */
  readonly clientInfo: { readonly name: string; readonly version: string };
  /** Asked at the moment of each open: clients come and go. */
  readonly declare: Declare;
  /** Resolves when it is this start's turn to spawn. */
  readonly turn: () => Promise<void>;
}

/**
 * Spawns or connects, initialises, reads the first lists, which an instance leaves to the first connection. When it
 * rejects, or the signal aborts, nothing of the connection is left once the promise has settled.
 */
export async function openBackend(
  { spec, instance, previous }: Omit<ToOpen, 'generation' | 'beside'>,
  { io: shared, clientInfo, declare, turn }: OpenDeps,
  signal: AbortSignal,
): Promise<Opened> {
  const io = instance ? loggedAs(instance.id, shared) : shared;
  const transport = await createTransport(spec, io);
  await turn();
  const session = await openSession(transport, {
    name: spec.name,
    requestTimeout: spec.requestTimeout,
    requestTotalTimeout: spec.requestTotalTimeout,
    humanTotalTimeout: io.limits.humanTotalTimeout,
    floodMessages: io.limits['flood.messages'],
    floodProgress: io.limits['flood.progress'],
    clientInfo,
    log: io.log,
    redact: io.redact,
    signal,
    ...declare(spec, instance),
  });
  if (instance) return { session, items: NO_ITEMS, notes: [] };
  try {
    const ways = { limits: io.limits, redact: shown(io.redact), hide: io.redact };
    return { session, ...(await fetchItems(session, { name: spec.name, ...ways, signal, previous })) };
  } catch (error) {
    await session.close();
    throw error;
  }
}

/** The same I/O, whose log says which of a backend's connections it is about. */
const loggedAs = (id: string, io: IoDeps): IoDeps => ({
  limits: io.limits,
  log: (level, event, fields) => io.log(level, event, { ...fields, backend: id }),
  // Not read before a program starts, see `createGateway`.
  get reaper() {
    return io.reaper;
  },
  env: io.env,
  redact: io.redact,
});
