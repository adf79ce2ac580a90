/** Opens servers of a configuration beside a running gateway, to see what they offer. */
import { randomUUID } from 'node:crypto';
import { openBackend } from './actors/open.ts';
import type { BackendSpec, Config } from './config/config.ts';
import { asOnemcpError } from './errors.ts';
import type { Log } from './io/deps.ts';
import { createReaper } from './io/reaper.ts';
import { mapTexts } from './json.ts';
import { createRedactor } from './observe/redact.ts';
import { type Items, NO_ITEMS } from './world.ts';

export interface ProbeOptions {
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  readonly log?: Log | undefined;
  readonly version?: string | undefined;
  /** Gives up what is still opening. */
  readonly signal?: AbortSignal | undefined;
}

/** What a server offers, or one sentence why it could not be opened. */
export type Probe =
  | { readonly ok: true; readonly items: Items; readonly notes: readonly string[] }
  | { readonly ok: false; readonly message: string };

/**
 * Opens each of these servers for itself as a gateway would, reads its lists, and ends it; a few at a time. When it resolves,
 * nothing of them is left. By name, in the order of the names.
 */
export async function probeBackends(
  config: Config,
  names: readonly string[],
  options: ProbeOptions = {},
): Promise<ReadonlyMap<string, Probe>> {
  const { env = {}, log = () => {}, version = '0.0.0', signal } = options;
  const { limits } = config;
  const { redact } = createRedactor(config.secrets);
  const reaper = createReaper({ cookie: randomUUID(), log });
  const deps = {
    io: { limits, log, env, redact, reaper },
    clientInfo: { name: 'onemcp', version },
    declare: () => ({ capabilities: {} }),
    turn: () => Promise.resolve(),
  };
  const probe = async (spec: BackendSpec): Promise<Probe> => {
    const timeout = Math.max(spec.startTimeout, spec.installTimeout);
    const late = AbortSignal.timeout(timeout);
    try {
      const { session, items, notes } = await openBackend(
        { spec, previous: NO_ITEMS },
        deps,
        signal ? AbortSignal.any([signal, late]) : late,
      );
      await session.close();
      // What it says of itself may hold what it was given.
      return { ok: true, items: mapTexts(items, redact) as Items, notes };
    } catch (error) {
      if (late.aborted) return { ok: false, message: `"${spec.name}" was not ready within ${timeout / 1000} s of its start` };
      return { ok: false, message: redact(asOnemcpError(error).message) };
    }
  };

  const results = new Map<string, Probe | undefined>(names.map((name) => [name, undefined]));
  const waiting = config.backends.filter(({ name }) => results.has(name));
  const worker = async () => {
    for (let spec = waiting.shift(); spec; spec = waiting.shift()) results.set(spec.name, await probe(spec));
  };
  try {
    await Promise.all(Array.from({ length: limits.startsAtOnce }, worker));
  } finally {
    reaper.close();
  }
  return new Map([...results].map(([name, result]) => [name, result ?? { ok: false, message: `there is no enabled server "${name}"` }]));
}
