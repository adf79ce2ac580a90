import { type SecretProvider, tooLarge } from './provider.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** The usual spelling of a secret's name as a variable: `api-key` → `API_KEY`. */
const envName = (name: string): string => name.replace(/[^A-Za-z0-9]/g, '_').toUpperCase();

/** A secret from the environment of the gateway: by its own name, or in the usual spelling. */
export function createEnvProvider({ env, maxBytes }: { readonly env: Env; readonly maxBytes: number }): SecretProvider {
  const own = (name: string) => (Object.hasOwn(env, name) ? env[name] : undefined);
  return {
    scheme: 'env',
    async read(name) {
      const value = own(name) ?? own(envName(name));
      if (value !== undefined && Buffer.byteLength(value) > maxBytes) throw tooLarge(maxBytes);
      return value;
    },
    advice: (name) => `set ${envName(name)}`,
  };
}
