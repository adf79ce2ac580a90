/** Takes secrets out of texts, those of all configurations that ran lately: what an old server says may come late. */
export interface Redactor {
  /**
   * Replaces secret values, wherever they stand, also when they were encoded (URL, JSON, base64) or said line by line.
   * @param isCut the text went on: what may be the beginning of a secret at its end is replaced as well
   */
  readonly redact: (text: string, isCut?: boolean) => string;
  /** Before anything that may hold one of these is printed. */
  learn(secrets: readonly string[]): void;
}

/** Configurations whose secrets are remembered; secrets that rotate for years must not make every line dearer. */
const MOST_GENERATIONS = 16;
/** Shorter texts are in every second line. */
const SHORTEST = 6;
/** Of a secret with many lines, such as a private key, or of the path of an address, shorter ones are in other texts as well. */
const SHORTEST_PART = 16;

export function createRedactor(secrets: readonly string[] = []): Redactor {
  let generations: readonly (readonly string[])[] = [];
  let longestFirst: readonly string[] = [];
  const learn = (more: readonly string[]) => {
    const known = new Set(generations.flat());
    if (more.every((secret) => known.has(secret))) return;
    generations = [...generations.slice(1 - MOST_GENERATIONS), more];
    const forms = new Set([...new Set(generations.flat())].flatMap(formsOf));
    longestFirst = [...forms].filter((form) => form.length >= SHORTEST).sort((a, b) => b.length - a.length);
  };
  learn(secrets);
  return {
    redact(text, isCut = false) {
      const clean = longestFirst.reduce((rest, secret) => (rest.length < secret.length ? rest : rest.replaceAll(secret, HIDDEN)), text);
      return isCut ? withoutBeginning(clean, longestFirst) : clean;
    },
    learn,
  };
}

const HIDDEN = '***';

/** Without what stands at the end and begins one of these. */
function withoutBeginning(text: string, forms: readonly string[]): string {
  let end = text.length;
  for (const form of forms) {
    const start = form.slice(0, SHORTEST);
    for (let at = text.indexOf(start, Math.max(0, text.length - form.length)); at >= 0 && at < end; at = text.indexOf(start, at + 1)) {
      if (form.startsWith(text.slice(at))) end = at;
    }
  }
  return end === text.length ? text : `${text.slice(0, end)}${HIDDEN}`;
}

const formsOf = (secret: string): string[] => [...encodedForms(secret), ...partsOf(secret).flatMap(usualForms)];

/** What may be said alone: a line of many, and of an address its password, and what a server is asked for. */
const partsOf = (secret: string): readonly string[] => [...(secret.includes('\n') ? linesOf(secret) : []), ...addressParts(secret)];

const linesOf = (secret: string): string[] =>
  secret
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.length >= SHORTEST_PART);

function addressParts(secret: string): readonly string[] {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(secret) || !URL.canParse(secret)) return [];
  const { href, password, pathname, search } = new URL(secret);
  const asked = [pathname + search, pathname, search.slice(1)].filter((part) => part.length >= SHORTEST_PART);
  return [href, password, decoded(password), ...asked];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** As most programs write it. */
function usualForms(text: string): string[] {
  const bytes = Buffer.from(text);
  return [
    text,
    encodeURIComponent(wellFormed(text)),
    quotedOnce(text),
    bytes.toString('base64').replace(/=+$/, ''),
    bytes.toString('base64url'),
  ];
}

/** As any program may write it; of most secrets, which are letters and digits, nearly all of these are the same. */
function encodedForms(secret: string): string[] {
  const forms = [secret, ...jsonForms(secret), ...urlForms(wellFormed(secret))];
  return secret.length < SHORTEST ? forms : [...forms, ...base64Forms(Buffer.from(secret))];
}

/** Half a character cannot be encoded. */
const wellFormed = (text: string): string => text.replace(/\p{Surrogate}/gu, '\ufffd');

const quotedOnce = (text: string): string => JSON.stringify(text).slice(1, -1);

const escaped = (text: string, which: RegExp): string =>
  text.replace(which, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** RFC 8259 §7: also as PHP, Python and Go write it, and as text in a text that is JSON itself. */
function jsonForms(secret: string): string[] {
  const json = quotedOnce(secret);
  const ascii = escaped(json, /[^ -~]/g);
  return [json, json.replaceAll('/', '\\/'), ascii, ascii.replaceAll('/', '\\/'), escaped(json, /[<>&]/g), quotedOnce(json)];
}

/** RFC 3986 §2.1: as JavaScript, Python, forms and whole addresses have it, with large and small digits. */
function urlForms(secret: string): string[] {
  const component = encodeURIComponent(secret);
  const strict = component.replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
  const form = new URLSearchParams([['', secret]]).toString().slice(1);
  const whole = encodeURI(secret);
  // The last are what a URL parser makes of it, which leaves a "%" alone, and an address in an address.
  const parsed = whole.replaceAll('%25', '%');
  const all = [
    component,
    strict,
    strict.replaceAll('%2F', '/'),
    form,
    whole,
    parsed,
    encodeURIComponent(component),
    encodeURIComponent(parsed),
  ];
  return [...all, ...all.map((text) => text.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()))];
}

/**
 * RFC 4648 §4, §5: whole, without padding, which not everybody writes; and what of it is the same whatever stands before and
 * behind it, as in `user:password`.
 */
function base64Forms(bytes: Buffer): string[] {
  return (['base64', 'base64url'] as const).flatMap((encoding) => {
    const inside = [0, 1, 2].map((before) => {
      const text = Buffer.concat([Buffer.alloc(before), bytes]).toString(encoding);
      return text.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6));
    });
    return [bytes.toString(encoding).replace(/=+$/, ''), ...inside];
  });
}
