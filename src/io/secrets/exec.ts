import type { ExecSettings, MaybeSecret } from '../../config/config.ts';
import { minimalEnvironment, type RunProgram, runProgram } from './program.ts';
import { type SecretProvider, secretText } from './provider.ts';

export interface ExecOptions extends ExecSettings {
  /** The environment of the gateway, of which the program gets what every program needs. */
  readonly inherited: Readonly<Record<string, string | undefined>>;
  readonly maxBytes: number;
  readonly run?: RunProgram;
}

/** Programs at the same time: a password manager may ask a person. */
const AT_ONCE = 4;

/**
 * Secrets that a program prints. Exit code 0 with no output: it does not have the secret; any other is an error, and nothing of
 * what it says then is shown.
 */
export function createExecProvider({ command, env, cwd, inherited, maxBytes, run = runProgram }: ExecOptions): SecretProvider {
  const [program = ''] = command;
  const own = Object.fromEntries(Object.entries(env).map(([name, value]) => [name, reveal(value)]));
  return {
    scheme: 'exec',
    atOnce: AT_ONCE,
    polled: true,
    async read(name, signal) {
      if (name.startsWith('-')) throw new Error('a name that begins with "-" could be an option of the program');
      const argv = command.map((word) => (word === '{name}' ? name : word));
      const environment = { ...minimalEnvironment(inherited), ...own };
      const { code, stdout } = await run({ argv, env: environment, cwd, maxBytes, signal });
      if (code !== 0) {
        const how = code === undefined ? 'was ended by a signal' : `ended with code ${code}`;
        throw new Error(`${program} ${how}; run it yourself to see why`);
      }
      const value = secretText(stdout, maxBytes);
      return value === '' ? undefined : value;
    },
    advice: (name) => `let ${program} print "${name}"`,
  };
}

const reveal = (value: MaybeSecret): string => (typeof value === 'string' ? value : value.reveal());
