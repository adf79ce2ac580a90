import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { minimalEnvironment, type RunProgram, runProgram } from './program.ts';

/** The keyring of the operating system, as far as the store of secrets needs it. */
export interface Keyring {
  readonly name: string;
  /** Undefined when there is no key in it, or when there is no keyring. @throws Error when it does not answer */
  get(signal: AbortSignal): Promise<string | undefined>;
  /** @returns false when it did not take the key */
  set(key: string, signal: AbortSignal): Promise<boolean>;
}

export interface KeyringOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: NodeJS.Platform;
  readonly run?: RunProgram;
}

const SERVICE = 'onemcp';
const ACCOUNT = 'secret-store';
const MOST_BYTES = 4096;
const SESSION = ['DBUS_SESSION_BUS_ADDRESS', 'XDG_RUNTIME_DIR', 'DISPLAY', 'WAYLAND_DISPLAY'];

/**
 * libsecret by `secret-tool` on Linux, where there is a session bus; the login keychain by `security` on macOS. A key is never
 * an argument: everybody can see those. Undefined where there is no keyring.
 */
export async function findKeyring({ env, platform, run = runProgram }: KeyringOptions): Promise<Keyring | undefined> {
  const environment = minimalEnvironment(env, SESSION);
  const ask = async (argv: readonly string[], signal: AbortSignal, input?: string) => {
    try {
      return await run({ argv, env: environment, maxBytes: MOST_BYTES, signal, ...(input !== undefined && { input }) });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== undefined) return undefined;
      throw new Error(`the keyring did not answer (${argv[0]}); unlock it, or name a key file in ONEMCP_SECRET_KEY_FILE`);
    }
  };
  const get = async (argv: readonly string[], signal: AbortSignal) => {
    const found = await ask(argv, signal);
    const key = found?.code === 0 ? Buffer.from(found.stdout).toString('latin1').trim() : '';
    return key === '' ? undefined : key;
  };

  if (platform === 'darwin') {
    return {
      name: 'the login keychain',
      get: (signal) => get(['security', 'find-generic-password', '-s', SERVICE, '-a', ACCOUNT, '-w'], signal),
      // Commands on stdin.
      set: async (key, signal) =>
        (await ask(['security', '-i'], signal, `add-generic-password -U -s ${SERVICE} -a ${ACCOUNT} -w ${key}\n`))?.code === 0,
    };
  }
  if (platform === 'win32' || !(await hasSessionBus(env))) return undefined;
  const attributes = ['service', SERVICE, 'account', ACCOUNT];
  return {
    name: 'the keyring',
    get: (signal) => get(['secret-tool', 'lookup', ...attributes], signal),
    set: async (key, signal) => (await ask(['secret-tool', 'store', '--label=onemcp secrets', ...attributes], signal, key))?.code === 0,
  };
}

/** Without one `secret-tool` would try to start one. */
async function hasSessionBus({ DBUS_SESSION_BUS_ADDRESS: bus, XDG_RUNTIME_DIR: runtime }: KeyringOptions['env']): Promise<boolean> {
  if (bus) return true;
  return runtime !== undefined && runtime !== '' && (await stat(join(runtime, 'bus')).then(Boolean, () => false));
}
