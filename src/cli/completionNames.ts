import { resolve } from 'node:path';
import { readConfigFile } from '../config/file.ts';
import { parseDocument } from '../config/parse.ts';
import { EXIT, type ProcessPorts } from './process.ts';

/** `onemcp completion-names [FILE]`: the servers of a file, one a line, for shells. Whatever is wrong, there are none. */
export async function completionNames(file: string, { cwd, stdout }: Pick<ProcessPorts, 'cwd' | 'stdout'>): Promise<number> {
  const read = await readConfigFile(resolve(cwd, file));
  const root = read.ok ? (parseDocument(read.text).document?.value as { mcpServers?: unknown } | null | undefined) : undefined;
  const servers = root?.mcpServers;
  if (typeof servers !== 'object' || servers === null || Array.isArray(servers)) return EXIT.ok;
  // A name that a shell would take for something else is typed by hand.
  const names = Object.keys(servers).filter((name) => /^[\w.@:+ -]+$/.test(name) && !name.startsWith('-'));
  stdout.write(names.map((name) => `${name}\n`).join(''));
  return EXIT.ok;
}
