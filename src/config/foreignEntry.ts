/** One server of another product's file, as a server of ours. */
import { isAbsolute, resolve } from 'node:path';
import { inheritedVariables, variablesOfFile, variablesOfList } from './foreignEnv.ts';
import { COMMON, type Entry, isEntry, type Note, OF_THEIRS, SHARED, type Surroundings, type Work } from './foreignKeys.ts';
import { HOME, literal, spoken, TITLES } from './foreignText.ts';
import type { Path } from './issue.ts';
import { serverSchema } from './schema.ts';
import { nearest } from './suggest.ts';

const KEYS = Object.keys(serverSchema.shape);
/** Whether our own files may have a key: then it is ours to explain. */
const isOurs = (key: string): boolean => KEYS.includes(key) && !SHARED.has(key);

/** Translates an entry. Nothing of it is lost in silence: what has no counterpart is noted. */
export async function translatedEntry(
  written: Entry,
  around: Surroundings,
  isTemplate: boolean,
): Promise<{ readonly entry: Entry; readonly notes: readonly Note[] }> {
  const notes: Note[] = [];
  const out: Entry = { ...written };
  const work: Work = {
    out,
    around,
    isTemplate,
    note: (path, message, at = 'key') => void notes.push({ path, at, message }),
    leaveOut(path, reason) {
      notes.push({ path, at: 'value', message: `${reason}; until then this server is left out` });
      out.disabled = true;
    },
  };
  for (const [key, handle] of Object.entries({ ...(around.certain && OF_THEIRS), ...COMMON })) {
    if (Object.hasOwn(out, key) && !isOurs(key)) handle(work, out[key]);
  }
  if (around.certain) tidy(work);
  speak(work);
  await environment(work);
  place(work);
  return { entry: out, notes };
}

const KINDS = { stdio: ['args', 'env', 'envFile', 'cwd', 'inheritParentEnv', 'envFilter', 'install', 'maxMemory'], remote: ['headers'] };
/** They are looked at when the environment is put together. */
const LATER: ReadonlySet<string> = new Set(['envFile', 'inheritParentEnv', 'envFilter']);

/** What other products let pass: keys of the other kind of server, and keys that nobody knows. */
function tidy({ out, around, note }: Work): void {
  const isRemote = out.url !== undefined && (out.command === undefined || (out.type !== undefined && out.type !== 'stdio'));
  const title = TITLES[around.product as keyof typeof TITLES];
  for (const key of isRemote ? ['command', ...KINDS.stdio] : ['url', ...KINDS.remote]) {
    if (out[key] === undefined) continue;
    const isEmpty = typeof out[key] === 'object' && Object.keys(out[key] ?? {}).length === 0;
    if (!isEmpty) note([key], `has no meaning for a server with "${isRemote ? 'url' : 'command'}"`);
    delete out[key];
  }
  if (isRemote ? out.type === 'stdio' : out.type !== undefined && out.type !== 'stdio') delete out.type;
  for (const key of Object.keys(out)) {
    if (KEYS.includes(key) || LATER.has(key)) continue;
    const guess = nearest(key, KEYS);
    note([key], `unknown key, ignored as in ${title}${guess === undefined ? '' : `; did you mean "${guess}"?`}`);
    delete out[key];
  }
}

/** Every text that may have variables in it. */
function speak({ out, around, isTemplate, note, leaveOut }: Work): void {
  const say = (text: unknown, path: Path): unknown => {
    if (typeof text !== 'string') return text;
    const result = spoken(text, around, isTemplate);
    for (const message of result.notes) note(path, message, 'value');
    if (result.missing.length === 0) return result.text;
    leaveOut(path, result.missing[0] as string);
    return result.text;
  };
  const sayAll = (value: unknown, path: Path): unknown =>
    Array.isArray(value) ? value.map((item, index) => say(item, [...path, index])) : say(value, path);
  for (const key of ['command', 'args', 'cwd', 'url', 'envFile']) if (out[key] !== undefined) out[key] = sayAll(out[key], [key]);
  if (Array.isArray(out.env) && around.product === '1mcp')
    out.env = variablesOfList(
      out.env.filter((item) => typeof item === 'string'),
      around.env,
    );
  for (const key of ['env', 'headers']) {
    const values = out[key];
    if (!isEntry(values)) continue;
    const pairs = Object.entries(values).flatMap(([name, value]): [string, unknown][] => {
      const path = [key, name];
      if (around.product === 'vscode' && value === null) return [];
      if (around.product === 'vscode' && (typeof value === 'number' || typeof value === 'boolean')) return [[name, String(value)]];
      if (isTemplate && typeof value === 'string' && spoken(value, around, true).missing.length > 0) {
        note(
          path,
          `${spoken(value, around, true).missing[0]}; ${key === 'env' ? 'the variable is not set' : 'the header is not sent'}`,
          'value',
        );
        return [];
      }
      return [[name, say(value, path)]];
    });
    out[key] = Object.fromEntries(pairs);
  }
}

/** What a program inherits and what it gets from a file, below what is written for it. */
async function environment({ out, around, note }: Work): Promise<void> {
  const { envFile, inheritParentEnv, envFilter } = out;
  if (around.keeps) {
    if (typeof envFile === 'string') out.envFile = absolute(envFile, around);
    return;
  }
  for (const key of LATER) if (!isOurs(key)) delete out[key];
  const filter = Array.isArray(envFilter) ? envFilter.filter((pattern) => typeof pattern === 'string') : [];
  if (envFilter !== undefined && inheritParentEnv !== true) note(['envFilter'], 'has no meaning without inheritParentEnv');
  const inherited = inheritParentEnv === true ? inheritedVariables(around.env, filter) : {};
  let filed = {};
  if (typeof envFile === 'string') {
    try {
      filed = variablesOfFile(await around.readText(absolute(envFile, around)));
    } catch (error) {
      note(['envFile'], `${(error as Error).message}; the server starts without it`, 'value');
    }
  }
  const own = out.env ?? {};
  const all = { ...inherited, ...filed };
  if (isEntry(own) && Object.keys(all).length > 0) out.env = { ...all, ...own };
}

/** Paths in `envFile` cannot have variables but those that are known before: the home of the user. */
function absolute(path: string, { folder, env }: Surroundings): string {
  const plain = path
    .replaceAll(HOME, env.HOME ?? env.USERPROFILE ?? '')
    .replace(/(?<!\$)\$\{(\w+)\}/g, (_, name: string) => env[name] ?? '');
  return resolve(
    folder,
    plain.replaceAll('$${', () => '${'),
  );
}

/** Programs of an editor run in the workspace. */
function place({ out, around }: Work): void {
  if (out.command === undefined) return;
  const { cwd } = out;
  if (cwd === undefined && around.rooted) out.cwd = literal(around.workspace);
  if (typeof cwd === 'string' && (around.rooted || around.keeps) && !cwd.startsWith('${') && !isAbsolute(cwd)) {
    out.cwd = resolve(literal(around.folder), cwd);
  }
}
