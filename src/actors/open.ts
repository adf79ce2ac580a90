import type { BackendSpec } from '../config/config.ts';
import type { IoDeps } from '../io/deps.ts';
import { openSession } from '../io/session.ts';
import { createTransport } from '../io/transports/index.ts';
import type { Opened } from '../machines/backend.ts';
import { fetchItems } from '../mcp/catalog.ts';
import type { Items } from '../world.ts';

export interface OpenDeps {
  readonly io: IoDeps;
  /** Our `clientInfo` toward backends. */
  readonly clientInfo: { readonly name: string; readonly version: string };
  /** Resolves when it is this start's turn to spawn. */
  readonly turn: () => Promise<void>;
}

/**
 * Spawns or connects, initialises, reads the first lists. When it rejects, or the signal aborts, nothing of the backend
 * is left once the promise has settled.
 */
export async function openBackend(
  { spec, previous }: { spec: BackendSpec; previous: Items },
  { io, clientInfo, turn }: OpenDeps,
  signal: AbortSignal,
): Promise<Opened> {
  const transport = await createTransport(spec, io);
  await turn();
  const session = await openSession(transport, {
    name: spec.name,
    requestTimeout: spec.requestTimeout,
    requestTotalTimeout: spec.requestTotalTimeout,
    clientInfo,
    log: io.log,
    redact: io.redact,
    signal,
  });
  try {
    return { session, ...(await fetchItems(session, { name: spec.name, limits: io.limits, redact: io.redact, signal, previous })) };
  } catch (error) {
    await session.close();
    throw error;
  }
}
