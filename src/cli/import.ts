import { type Imported, importServers, type Product, TITLES } from '../config/importing.ts';
import { formatIssue, readConfigFile } from '../config/load.ts';
import { createSecrets } from '../io/secrets/index.ts';
import { say } from './control.ts';
import { editFile } from './editing.ts';
import { knownFiles, presentFile } from './known.ts';
import { EXIT, type ProcessPorts } from './process.ts';
import type { FileFlags } from './servers.ts';

export interface ImportFlags extends FileFlags {
  readonly onConflict: 'rename' | 'fail';
  readonly dryRun?: boolean | undefined;
}

/** A file to import from. */
interface From {
  readonly product: Product;
  /** Default: where the product keeps it. */
  readonly path: string | undefined;
}

/** `onemcp import claude|cursor|vscode|1mcp [PATH]` */
export async function importFrom({ product, path }: From, flags: ImportFlags, ports: ProcessPorts): Promise<number> {
  const { file, dryRun, onConflict } = flags;
  const source = path ?? (await presentFile(product, ports));
  if (source === undefined) {
    say(ports.stderr, `onemcp: no file of ${TITLES[product]} was found; name one: onemcp import ${product} FILE`);
    for (const place of knownFiles(product, ports)) say(ports.stderr, `  not there: ${place}`);
    return EXIT.usage;
  }
  let imported: Imported | undefined;
  const edit = async (text: string) => {
    imported = await readInto(text, { product, path: source }, { onConflict, ports });
    return imported.text;
  };
  const edited = await editFile({ file, ports, edit, creates: true, backs: true, dryRun });
  if (!edited.ok) return edited.code;
  // With --dry-run stdout is the new file.
  const out = dryRun ? ports.stderr : ports.stdout;
  if (imported) tell(imported, { product, path: source }, { out, err: ports.stderr });
  if (edited.backup) say(out, `the former ${file} is ${edited.backup}`);
  if (dryRun) say(out, `${file}: not changed, this was a dry run`);
  return EXIT.ok;
}

interface Reading {
  readonly onConflict: ImportFlags['onConflict'];
  readonly ports: ProcessPorts;
}

/** The text of a file of ours with the servers of another file. @throws Error what is wrong with that file */
export async function readInto(
  text: string,
  { product, path }: From & { readonly path: string },
  { onConflict, ports }: Reading,
): Promise<Imported> {
  const { env, cwd } = ports;
  const read = await readConfigFile(path, cwd);
  if (!read.ok) throw new Error(read.issues.map(formatIssue).join('\n'));
  return importServers(text, { product, file: path, text: read.text, base: cwd, onConflict, env, secrets: createSecrets({ env }) });
}

/** What was imported from where, and what is different here. */
export function tell(
  { added, skipped, notes }: Imported,
  { product, path }: From,
  { out, err }: { readonly out: ProcessPorts['stdout']; readonly err: ProcessPorts['stderr'] },
): void {
  for (const note of notes) say(err, `note: ${formatIssue(note)}`);
  say(out, `${added.length} of ${added.length + skipped.length} servers of ${TITLES[product]} imported from ${path}`);
  for (const { name, as } of added) say(out, `  ${as}${as === name ? '' : `  (there is another ${name} already)`}`);
  if (skipped.length > 0) say(out, `there already: ${skipped.join(', ')}`);
}
