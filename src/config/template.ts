/**
 * `${VAR}`, `${VAR:-default}`, `${VAR:?message}`, `${SECRET:name}`, `${SECRET:provider:name}`; `$${` is a literal `${`. As in
 * the shell, `:-` and `:?` treat an empty variable as unset. Inserted values are never looked at again.
 */

type Part =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'default'; readonly name: string; readonly parts: readonly Part[] }
  | { readonly kind: 'required'; readonly name: string; readonly message: string }
  | { readonly kind: 'secret'; readonly name: string }
  | { readonly kind: 'bad'; readonly message: string };

/** What templates are filled from. */
export interface Scope {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** @throws any error, whose message is shown. */
  readonly secret: (name: string) => Promise<string>;
}

/** A filled template. `text` is meaningful only without problems. */
export interface Filled {
  readonly text: string;
  /** Values of the `${SECRET:…}` in it. */
  readonly secrets: readonly string[];
  readonly problems: readonly string[];
}

interface Cursor {
  readonly text: string;
  at: number;
}

const DEEPEST = 16;
const REFERENCE = /([A-Za-z_][A-Za-z0-9_]*)(\}|:-|:\?)/y;
const SECRET = /SECRET:([^}]*)\}/y;
/** `name`, `provider:name`, `vault:path#field`. */
const SECRET_NAME = /^(?:[a-z]+:)?[A-Za-z0-9_./-]+(?:#[A-Za-z0-9_.-]+)?$/;
const LITERAL_ADVICE = 'or write $${ for a literal "${"';

/** Fills a template. Never throws. */
export async function fill(template: string, scope: Scope): Promise<Filled> {
  return join(await Promise.all(readParts({ text: template, at: 0 }, 0).map((part) => fillPart(part, scope))));
}

function readParts(cursor: Cursor, depth: number): Part[] {
  const parts: Part[] = [];
  const marks = depth === 0 ? /\$?\$\{/g : /\$?\$\{|\}/g;
  for (;;) {
    marks.lastIndex = cursor.at;
    const mark = marks.exec(cursor.text);
    const end = mark?.index ?? cursor.text.length;
    parts.push({ kind: 'text', text: cursor.text.slice(cursor.at, end) });
    cursor.at = end;
    if (!mark || mark[0] === '}') return parts;
    cursor.at += mark[0].length;
    parts.push(mark[0] === '$${' ? { kind: 'text', text: '${' } : readReference(cursor, depth + 1));
  }
}

/** Reads what follows `${`, with its `}`. */
function readReference(cursor: Cursor, depth: number): Part {
  if (depth > DEEPEST) return bad(cursor, 'defaults are nested too deeply');
  const reference = match(REFERENCE, cursor);
  if (reference) {
    const name = reference[1]!;
    if (reference[2] === '}') return { kind: 'variable', name };
    return reference[2] === ':-' ? readDefault(cursor, name, depth) : readRequired(cursor, name);
  }
  const secret = match(SECRET, cursor);
  if (secret) return secretPart(secret[1]!);
  return bad(cursor, cursor.text.includes('}', cursor.at) ? advice(cursor) : unclosed());
}

function readDefault(cursor: Cursor, name: string, depth: number): Part {
  const parts = readParts(cursor, depth);
  if (cursor.text[cursor.at] !== '}') return bad(cursor, parts.find((part) => part.kind === 'bad')?.message ?? unclosed());
  cursor.at++;
  return { kind: 'default', name, parts };
}

function readRequired(cursor: Cursor, name: string): Part {
  const end = cursor.text.indexOf('}', cursor.at);
  if (end < 0) return bad(cursor, unclosed());
  const message = cursor.text.slice(cursor.at, end).trim();
  cursor.at = end + 1;
  return { kind: 'required', name, message };
}

function secretPart(name: string): Part {
  if (SECRET_NAME.test(name) && !name.includes('..')) return { kind: 'secret', name };
  if (/[:#]/.test(name)) {
    const forms = `write \${SECRET:name}, \${SECRET:provider:name} or \${SECRET:vault:path#field}`;
    return { kind: 'bad', message: `${forms}; besides ":" and "#" there are only letters, digits, "_", "-", "/" and single dots` };
  }
  return { kind: 'bad', message: `write \${SECRET:name}; a name has only letters, digits, "_", "-", "/" and single dots` };
}

/** Gives up on the rest: what follows a broken reference cannot be read with certainty. */
function bad(cursor: Cursor, message: string): Part {
  cursor.at = cursor.text.length;
  return { kind: 'bad', message };
}

function unclosed(): string {
  return `"\${" is not closed; add "}", ${LITERAL_ADVICE}`;
}

function advice(cursor: Cursor): string {
  const other = /(?:env:)([A-Za-z_][A-Za-z0-9_]*)\}/y;
  other.lastIndex = cursor.at;
  const name = other.exec(cursor.text)?.[1];
  if (name) return `write \${${name}} instead of \${env:${name}}`;
  return `what follows "\${" is not a variable; write \${NAME}, \${NAME:-default}, \${NAME:?message} or \${SECRET:name}, ${LITERAL_ADVICE}`;
}

function match(pattern: RegExp, cursor: Cursor): RegExpExecArray | null {
  pattern.lastIndex = cursor.at;
  const found = pattern.exec(cursor.text);
  if (found) cursor.at = pattern.lastIndex;
  return found;
}

async function fillPart(part: Part, scope: Scope): Promise<Filled> {
  if (part.kind === 'text') return filled(part.text);
  if (part.kind === 'bad') return failed(part.message);
  if (part.kind === 'secret') return readSecret(part.name, scope);
  const value = Object.hasOwn(scope.env, part.name) ? scope.env[part.name] : undefined;
  if (part.kind === 'variable') {
    return value === undefined ? failed(`variable ${part.name} is not set; set it, or write \${${part.name}:-default}`) : filled(value);
  }
  if (value !== undefined && value !== '') return filled(value);
  if (part.kind === 'default') return join(await Promise.all(part.parts.map((inner) => fillPart(inner, scope))));
  const state = value === '' ? 'empty' : 'not set';
  return failed(part.message === '' ? `variable ${part.name} is ${state}; set it` : `variable ${part.name} is ${state}: ${part.message}`);
}

async function readSecret(name: string, scope: Scope): Promise<Filled> {
  try {
    const value = await scope.secret(name);
    return value === '' ? failed(`secret ${name} is empty`) : { text: value, secrets: [value], problems: [] };
  } catch (error) {
    return failed(`secret ${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function filled(text: string): Filled {
  return { text, secrets: [], problems: [] };
}

function failed(problem: string): Filled {
  return { text: '', secrets: [], problems: [problem] };
}

function join(parts: readonly Filled[]): Filled {
  return {
    text: parts.map((part) => part.text).join(''),
    secrets: parts.flatMap((part) => part.secrets),
    problems: parts.flatMap((part) => part.problems),
  };
}
