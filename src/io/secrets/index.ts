import { envName, readEnv } from './env.ts';
import { readSecretFile } from './file.ts';

/** Where `${SECRET:name}` comes from. Resolves to undefined when this provider does not have the secret. */
export interface SecretProvider {
  readonly scheme: string;
  read(name: string): Promise<string | undefined>;
}

/** The secrets of a gateway: mounted files first (`ONEMCP_SECRETS`, else `/run/secrets`), then its environment. */
export const secretReader = (env: SecretOptions['env']): { read(name: string): Promise<string> } =>
  createSecrets({ env, folders: [env.ONEMCP_SECRETS ?? '/run/secrets'] });

export interface SecretOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Folders of secret files, in order. */
  readonly folders: readonly string[];
}

/** The providers in the order in which they are asked. A new provider is one file and one line here. */
function createSecrets({ env, folders }: SecretOptions): { read(name: string): Promise<string> } {
  const providers: readonly SecretProvider[] = [
    { scheme: 'file', read: (name) => readSecretFile(name, folders) },
    { scheme: 'env', read: async (name) => readEnv(name, env) },
  ];
  return {
    /** @throws Error naming where the secret was looked for; `scheme:name` asks one provider only */
    async read(reference) {
      const [scheme, rest] = reference.includes(':') ? (reference.split(/:(.*)/s) as [string, string]) : [undefined, reference];
      const asked = providers.filter((provider) => scheme === undefined || provider.scheme === scheme);
      for (const provider of asked) {
        const value = await provider.read(rest);
        if (value !== undefined) return value;
      }
      throw new Error(
        `secret "${reference}" was not found; set ${envName(rest)}, or write it to a file "${rest}" in ${folders.join(' or ')}`,
      );
    },
  };
}
