/** What the tests of sources share: what a source told, and the end of it all. */
import type { Server } from 'node:http';
import { onTestFinished } from 'vitest';
import type { Discovered, DiscoverySource } from '../../src/io/sources/discovery.ts';

export const RETRY = { initial: 5, max: 40 };

export interface Told {
  /** Each call of `onFound`. */
  readonly found: (readonly Discovered[])[];
  /** Each call of `onProblem`. */
  readonly problems: (string | undefined)[];
  /** Names of those found last. */
  names(): string;
  /** The address of one of those found last. */
  urlOf(name: string): unknown;
  readonly stop: () => void;
}

export function watching(source: DiscoverySource): Told {
  const found: (readonly Discovered[])[] = [];
  const problems: (string | undefined)[] = [];
  const stop = source.watch({ onFound: (all) => found.push(all), onProblem: (message) => problems.push(message) });
  onTestFinished(stop);
  const last = () => found.at(-1) ?? [];
  return {
    found,
    problems,
    names: () =>
      last()
        .map(({ name }) => name)
        .join(),
    urlOf: (name) => last().find((one) => one.name === name)?.entry.url,
    stop,
  };
}

/** Ends a server with all who are connected to it. */
export async function ended(server: Server | undefined): Promise<void> {
  if (!server) return;
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
}
