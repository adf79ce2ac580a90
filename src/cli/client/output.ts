import { writeFile } from 'node:fs/promises';
import { parse, resolve } from 'node:path';
import { OnemcpError } from '../../errors.ts';
import { say } from '../control.ts';
import type { Output, ProcessPorts } from '../process.ts';
import { type Part, partText } from './content.ts';
import { printText, size } from './print.ts';

/** Prints the parts of a result. */
export function printParts(out: Output, parts: readonly Part[]): void {
  for (const part of parts) printText(out, partText(part));
}

/**
 * Writes to a file what of a result is no text; a result that is all text is written as it is. Of several, the second goes
 * to `NAME-2.EXT`; `-` is stdout. Gives what was not written.
 * @throws OnemcpError when a file cannot be written
 */
export async function saveParts(
  file: string,
  parts: readonly Part[],
  ports: Pick<ProcessPorts, 'cwd' | 'stdout' | 'stderr'>,
): Promise<readonly Part[]> {
  const texts = parts.filter((part) => 'text' in part);
  const bytes = parts.flatMap((part) => ('bytes' in part ? [part.bytes] : []));
  const pieces = bytes.length > 0 ? bytes : [Buffer.from(texts.map(({ text }) => text).join('\n'))];
  for (const [index, piece] of pieces.entries()) {
    if (file === '-') ports.stdout.write(piece);
    else await save(numbered(resolve(ports.cwd, file), index), piece, ports);
  }
  return bytes.length > 0 && file !== '-' ? texts : [];
}

async function save(path: string, bytes: Buffer, { stderr }: Pick<ProcessPorts, 'stderr'>): Promise<void> {
  await writeFile(path, bytes).catch((error: Error) => {
    throw new OnemcpError('internal', `cannot write the output: ${error.message}`);
  });
  say(stderr, `saved ${path} (${size(bytes.length)})`);
}

function numbered(path: string, index: number): string {
  const { dir, name, ext } = parse(path);
  return index === 0 ? path : resolve(dir, `${name}-${index + 1}${ext}`);
}
