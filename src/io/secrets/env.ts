/** The usual spelling of a secret's name as a variable: `api-key` → `API_KEY`. */
export const envName = (name: string): string => name.replace(/[^A-Za-z0-9]/g, '_').toUpperCase();

/** A secret from the environment: by its own name, or in the usual spelling. */
export function readEnv(name: string, env: Readonly<Record<string, string | undefined>>): string | undefined {
  return env[name] ?? env[envName(name)];
}
