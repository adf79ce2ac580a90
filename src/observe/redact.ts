/** Takes secrets out of texts, those of all configurations that ran lately: what an old server says may come late. */
export interface Redactor {
  /** Replaces secret values, wherever they stand, also when they were URL-encoded or put into JSON. */
  readonly redact: (text: string) => string;
  /** Before anything that may hold one of these is printed. */
  learn(secrets: readonly string[]): void;
}

/** Configurations whose secrets are remembered; secrets that rotate for years must not make every line dearer. */
const MOST_GENERATIONS = 16;
/** Shorter texts are in every second line. */
const SHORTEST = 6;

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

const formsOf = (secret: string): string[] => [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)];
