import type { MaybeSecret, SecretReader, Sources } from './config.ts';
import type { Path, Problem } from './issue.ts';
import { createSecret } from './secret.ts';
import { fill, type Scope } from './template.ts';

/** Fills the templates of one file and remembers what must never be printed. */
export interface Fillings {
  /** `undefined` after a problem, which is already noted. */
  text(template: string, path: Path): Promise<MaybeSecret | undefined>;
  /** A value whose key may name a credential: `API_KEY`, `Authorization`. */
  named(key: string, template: string, path: Path): Promise<MaybeSecret | undefined>;
  /** Every value to redact, longest first: replacing a part of another one first would leave the rest visible. */
  secrets(): readonly string[];
}

const CREDENTIAL_KEY = /key|token|secret|pass|auth|cred|cookie/i;
/** Shorter values, such as `true`, are in every second log line. */
const SHORTEST = 6;
const SCHEME = /^(?:bearer|basic|token)\s+(\S+)$/i;

/** What templates are filled from, once it is known who reads the secrets. */
interface FillingSources extends Pick<Sources, 'env'> {
  readonly secrets: SecretReader;
}

/**
 * One per load: a secret is read once, however often it is named.
 * @param hidden values to redact that are known already; those that are found are added
 */
export function createFillings({ env, secrets }: FillingSources, problems: Problem[], hidden = new Set<string>()): Fillings {
  const reads = new Map<string, Promise<string>>();
  const secret = (name: string) => {
    const read = reads.get(name) ?? (async () => secrets.read(name))();
    reads.set(name, read);
    return read;
  };
  const scope: Scope = { env, secret };

  const filled = async (template: string, path: Path) => {
    const result = await fill(template, scope);
    for (const message of result.problems) problems.push({ path, at: 'value', message });
    for (const value of result.secrets) hidden.add(value);
    return result.problems.length > 0 ? undefined : result;
  };

  return {
    async text(template, path) {
      const result = await filled(template, path);
      return result && (result.secrets.length > 0 ? createSecret(result.text) : result.text);
    },
    async named(key, template, path) {
      const result = await filled(template, path);
      if (!result) return undefined;
      const isCredential = CREDENTIAL_KEY.test(key);
      if (isCredential) for (const value of credentials(result.text)) hidden.add(value);
      return isCredential || result.secrets.length > 0 ? createSecret(result.text) : result.text;
    },
    secrets: () => [...hidden].sort((a, b) => b.length - a.length || (a < b ? -1 : 1)),
  };
}

/** The value and, of `Bearer x`, also the `x`: it may be printed alone. */
function credentials(value: string): string[] {
  return [value, SCHEME.exec(value)?.[1]].filter((text) => text !== undefined && text.length >= SHORTEST) as string[];
}

/** The text behind a filled value. */
export function revealed(value: MaybeSecret): string {
  return typeof value === 'string' ? value : value.reveal();
}
