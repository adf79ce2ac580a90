import { join } from 'node:path';
import { watchFile } from '../sources/file.ts';
import { NOTHING_SEEN, type SecretProvider, tooLarge } from './provider.ts';

export interface StoreProviderOptions {
  /** Absolute; undefined: there is no store. */
  readonly folder: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: NodeJS.Platform;
  readonly maxBytes: number;
  /** Milliseconds between two looks, for file systems that do not tell of changes; 0: none. */
  readonly poll: number;
}

/** Where the store is: in a folder of its own in the state folder. */
export const storeFileOf = (stateDir: string): string => join(stateDir, 'secrets', 'store.json');

/** Secrets that `onemcp secret set` has put into the encrypted store. */
export function createStoreProvider({ folder, env, platform, maxBytes, poll }: StoreProviderOptions): SecretProvider {
  let opened: Promise<(name: string, signal: AbortSignal) => Promise<string | undefined>> | undefined;
  const open = async (folder: string) => {
    const { openStore } = await import('./encrypted.ts');
    return openStore({ file: storeFileOf(folder), env, platform }).reader();
  };
  return {
    scheme: 'store',
    async read(name, signal) {
      if (folder === undefined) return undefined;
      // One version for all who ask.
      opened ??= open(folder);
      const value = await (await opened)(name, signal);
      if (value !== undefined && Buffer.byteLength(value) > maxBytes) throw tooLarge(maxBytes);
      return value;
    },
    ...(folder !== undefined && {
      advice: (name: string) => `run "onemcp secret set ${name}"`,
      watch: (_: readonly string[], onHint: () => void) =>
        watchFile({ file: storeFileOf(folder), poll, seen: NOTHING_SEEN, onChange: onHint }).close,
    }),
  };
}
