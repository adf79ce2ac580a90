import { access } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Issue } from '../config/config.ts';
import { environmentOf } from '../config/dotenv.ts';
import { EMPTY_FILE } from '../config/edit.ts';
import { formatIssue, loadConfig, readConfigFile } from '../config/load.ts';
import { createSecrets } from '../io/secrets/index.ts';
import { say } from './control.ts';
import { EXIT, type ProcessPorts } from './process.ts';
import { replaceFile } from './replaceFile.ts';

/** One change of a configuration file. */
export interface Editing {
  /** As the user wrote it. */
  readonly file: string;
  readonly ports: ProcessPorts;
  /** @throws Error whose message says why it is refused */
  readonly edit: (text: string) => string | Promise<string>;
  /** Begins with an empty configuration when there is no file. */
  readonly creates?: boolean;
  /** Keeps the old text beside the file. */
  readonly backs?: boolean;
  /** Prints the new text instead of writing it. */
  readonly dryRun?: boolean | undefined;
}

/** What became of a change; `backup` is where the old text is. */
export type Edited =
  | { readonly ok: true; readonly changed: boolean; readonly created: boolean; readonly backup: string | undefined }
  | { readonly ok: false; readonly code: number };

/** Changes a file, unless that would make it invalid: then it says why, and nothing has changed. */
export async function editFile(editing: Editing): Promise<Edited> {
  const { file, ports, edit, dryRun } = editing;
  const path = resolve(ports.cwd, file);
  const old = await oldText(editing, path);
  if (!old) return { ok: false, code: EXIT.usage };
  let text: string;
  try {
    text = await edit(old.text);
  } catch (error) {
    say(ports.stderr, `onemcp: ${file}: ${(error as Error).message}`);
    return { ok: false, code: EXIT.usage };
  }
  if (text !== old.text && !(await isFit(editing, old.text, text))) return { ok: false, code: EXIT.usage };
  if (dryRun) ports.stdout.write(text);
  const changed = !dryRun && (text !== old.text || old.isNew);
  if (!changed) return { ok: true, changed, created: false, backup: undefined };
  const backup = editing.backs && !old.isNew ? `${file}.bak-${stamp(new Date())}` : undefined;
  try {
    await replaceFile({ path, text, expected: old.isNew ? undefined : old.text, backup: backup && resolve(ports.cwd, backup) });
  } catch (error) {
    say(ports.stderr, `onemcp: ${file} was not changed: ${(error as Error).message}`);
    return { ok: false, code: EXIT.failed };
  }
  return { ok: true, changed, created: old.isNew, backup };
}

/** `20261125T193000123Z`: sorts by time, and can be a part of any file name. */
const stamp = (date: Date): string => date.toISOString().replace(/[-:.]/g, '');

async function oldText({ file, ports, creates }: Editing, path: string) {
  if (creates && (await isMissing(path))) return { text: EMPTY_FILE, isNew: true };
  const read = await readConfigFile(file, ports.cwd);
  if (read.ok) return { text: read.text, isNew: false };
  for (const issue of read.issues) say(ports.stderr, formatIssue(issue));
  return undefined;
}

/** Whether there is no such file. */
export const isMissing = (path: string): Promise<boolean> =>
  access(path).then(
    () => false,
    (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
  );

/** Whether a change brings no issue that was not there before; tells of them, and of new warnings. */
async function isFit({ file, ports }: Editing, before: string, after: string): Promise<boolean> {
  const { env } = await environmentOf(file, ports.env, ports.cwd);
  const secrets = createSecrets({ env, platform: ports.platform });
  const issuesOf = async (text: string) => {
    const loaded = await loadConfig({ file, text, env, secrets, base: ports.cwd });
    return loaded.ok ? { issues: [], warnings: loaded.warnings } : { issues: loaded.issues, warnings: [] };
  };
  const [old, now] = await Promise.all([issuesOf(before), issuesOf(after)]);
  // Lines move; what is said of a place is the same.
  const key = ({ path, message }: Issue) => `${path}\n${message}`;
  const known = new Set([...old.issues, ...old.warnings].map(key));
  const fresh = now.issues.filter((issue) => !known.has(key(issue)));
  for (const issue of fresh) say(ports.stderr, formatIssue(issue));
  if (fresh.length > 0) say(ports.stderr, `onemcp: ${file} was not changed: it would not be valid any longer`);
  else for (const warning of now.warnings) if (!known.has(key(warning))) say(ports.stderr, `warning: ${formatIssue(warning)}`);
  return fresh.length === 0;
}
