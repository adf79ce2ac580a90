import { isAbsolute, resolve } from 'node:path';
import type { MaybeSecret, StdioBackendSpec } from './config.ts';
import type { Desk, Entry } from './entry.ts';
import { revealed } from './fillings.ts';
import type { Path } from './issue.ts';
import { inUnit } from './units.ts';

type StdioParts = Pick<StdioBackendSpec, 'kind' | 'command' | 'args' | 'env' | 'cwd' | 'maxMemory'>;

/** The parts of a backend that is a local program; `undefined` after a problem. */
export async function stdioParts({ shape, path }: Entry, desk: Desk): Promise<StdioParts | undefined> {
  const words = typeof shape.command === 'string' ? [shape.command] : (shape.command ?? []);
  const commandPath = [...path, 'command'];
  const argument = (text: string, place: Path) => desk.fillings.text(text, place).then((value) => printable(value, place, desk));
  const [command, ...ownArgs] = await Promise.all(
    words.map((text, index) => argument(text, typeof shape.command === 'string' ? commandPath : [...commandPath, index])),
  );
  const args = await Promise.all((shape.args ?? []).map((text, index) => argument(text, [...path, 'args', index])));
  const env = await environment(shape.env ?? {}, [...path, 'env'], desk);
  const cwd = await directory(shape.cwd, [...path, 'cwd'], desk);

  const allArgs = [...ownArgs, ...args].filter((value) => value !== undefined);
  if (command === undefined || cwd === undefined || !isProgram(command, commandPath, desk)) return undefined;
  if (words.length === 1 && allArgs.length === 0) hintAtShellLine(words[0]!, commandPath, desk);
  return { kind: 'stdio', command, args: allArgs, env, cwd, maxMemory: inUnit(shape.maxMemory, 'bytes') ?? desk.limits.maxMemory };
}

async function environment(written: Readonly<Record<string, string>>, path: Path, desk: Desk): Promise<Record<string, MaybeSecret>> {
  const pairs = await Promise.all(
    Object.entries(written).map(async ([key, template]) => {
      const place = [...path, key];
      if (key === '' || /[=\0]/.test(key)) {
        desk.problems.push({ path: place, at: 'key', message: 'the name of a variable must not be empty or contain "="' });
      }
      return [key, printable(await desk.fillings.named(key, template, place), place, desk)] as const;
    }),
  );
  return Object.fromEntries(pairs.filter((pair): pair is readonly [string, MaybeSecret] => pair[1] !== undefined));
}

async function directory(written: string | undefined, path: Path, desk: Desk): Promise<string | undefined> {
  if (written === undefined) return desk.folder;
  const value = await desk.fillings.text(written, path).then((filled) => printable(filled, path, desk));
  if (value === undefined) return undefined;
  if (typeof value !== 'string') {
    desk.problems.push({ path, at: 'value', message: 'a folder cannot be a secret; use a variable' });
    return undefined;
  }
  if (hasTilde(value, path, desk)) return undefined;
  return isAbsolute(value) ? value : resolve(desk.folder, value);
}

function isProgram(command: MaybeSecret, path: Path, desk: Desk): boolean {
  const program = revealed(command);
  if (program.trim() === '') {
    desk.problems.push({ path, at: 'value', message: 'the command is empty; name a program' });
    return false;
  }
  return !hasTilde(program, path, desk);
}

/** There is no shell that would know what `~` is. */
function hasTilde(value: string, path: Path, { problems }: Desk): boolean {
  const tilde = /^~(?=\/|$)/.test(value);
  if (tilde) problems.push({ path, at: 'value', message: `"~" is not expanded here; write \${HOME} instead` });
  return tilde;
}

/** Programs may have spaces in their names, so this is no more than a hint. */
function hintAtShellLine(command: string, path: Path, { warnings }: Desk): void {
  if (!/^[^\s/\\$]+\s+\S/.test(command)) return;
  warnings.push({ path, at: 'value', message: 'the whole text is the name of one program; put its arguments into "args"' });
}

/** The operating system ends arguments and variables at a NUL. */
function printable(value: MaybeSecret | undefined, path: Path, { problems }: Desk): MaybeSecret | undefined {
  if (value === undefined || !revealed(value).includes('\0')) return value;
  problems.push({ path, at: 'value', message: 'contains a NUL character' });
  return undefined;
}
