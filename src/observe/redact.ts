/** Takes secrets out of texts, those of all configurations that ran lately: what an old server says may come late. */
export interface Redactor {
  /** Replaces secret values, wherever they stand, also when they were encoded (URL, JSON, base64) or said line by line. */
  readonly redact: (text: string) => string;
  /** Before anything that may hold one of these is printed. */
  learn(secrets: readonly string[]): void;
}

/** Configurations whose secrets are remembered; secrets that rotate for years must not make every line dearer. */
const MOST_GENERATIONS = 16;
/** Shorter texts are in every second line. */
const SHORTEST = 6;
/** Of a secret with many lines, such as a private key, shorter ones are in other texts as well. */
const SHORTEST_LINE = 16;

export function createRedactor(secrets: readonly string[] = []): Redactor {
  let generations: readonly (readonly string[])[] = [];
  let longestFirst: readonly string[] = [];
  const learn = (more: readonly string[]) => {
    const known = new Set(generations.flat());
    if (more.every((secret) => known.has(secret))) return;
    generations = [...generations.slice(1 - MOST_GENERATIONS), more];
    const forms = new Set(generations.flat().flatMap(formsOf));
    longestFirst = [...forms].filter((form) => form.length >= SHORTEST).sort((a, b) => b.length - a.length);
  };
  learn(secrets);
  return { redact: (text) => longestFirst.reduce((clean, secret) => clean.replaceAll(secret, '***'), text), learn };
}

const formsOf = (secret: string): string[] => [...(secret.includes('\n') ? linesOf(secret) : []), secret].flatMap(encodedForms);

const linesOf = (secret: string): string[] =>
  secret
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.length >= SHORTEST_LINE);

const encodedForms = (secret: string): string[] => {
  // Half a character cannot be encoded.
  const url = encodeURIComponent(secret.replace(/\p{Surrogate}/gu, '\ufffd'));
  const forms = [secret, url, JSON.stringify(secret).slice(1, -1)];
  if (secret.length < SHORTEST) return forms;
  const bytes = Buffer.from(secret);
  // Without padding, which not everybody writes.
  return [...forms, bytes.toString('base64').replace(/=+$/, ''), bytes.toString('base64url')];
};
