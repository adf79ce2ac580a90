/** `onemcp add`, `remove`, `enable` and `disable`: changes of single servers in a configuration file. */
import { hasServer, withDisabled, withoutServer, withServer } from '../config/edit.ts';
import { say } from './control.ts';
import { editFile } from './editing.ts';
import { EXIT, type ProcessPorts } from './process.ts';

export interface FileFlags {
  readonly file: string;
}

export interface AddFlags extends FileFlags {
  readonly url?: string | undefined;
  readonly type?: 'http' | 'sse' | undefined;
  /** `NAME=VALUE` each. */
  readonly header?: readonly string[] | undefined;
  readonly env?: readonly string[] | undefined;
  readonly tag?: readonly string[] | undefined;
  readonly force?: boolean | undefined;
}

/** A server and the file it is in. */
export interface Serverwise<F extends FileFlags = FileFlags> {
  readonly flags: F;
  readonly ports: ProcessPorts;
}

/** `onemcp add NAME`: a program (its words behind `--`) or a URL. */
export async function add(name: string, words: readonly string[], { flags, ports }: Serverwise<AddFlags>): Promise<number> {
  const { file, force } = flags;
  const entry = entryOf(words, flags);
  if (typeof entry === 'string') {
    say(ports.stderr, `onemcp: ${entry}`);
    return EXIT.usage;
  }
  let replaced = false;
  const edit = (text: string) => {
    replaced = hasServer(text, name);
    if (replaced && !force) throw new Error(`there is already a server ${JSON.stringify(name)}; --force replaces it`);
    return withServer(text, name, entry);
  };
  const edited = await editFile({ file, ports, edit, creates: true });
  if (!edited.ok) return edited.code;
  say(ports.stdout, `${file}: ${replaced ? 'replaced' : 'added'} ${name}`);
  return EXIT.ok;
}

/** The entry that the flags describe, or what is wrong with them. */
function entryOf(words: readonly string[], { url, type, header, env, tag }: AddFlags): object | string {
  const [command, ...args] = words;
  if (url === undefined && command === undefined) return 'name a program behind "--", or an address with --url';
  if (url !== undefined && command !== undefined) return 'a server is a program or has a --url, not both';
  const headers = pairs(header, '--header');
  const variables = pairs(env, '--env');
  if (typeof headers === 'string') return headers;
  if (typeof variables === 'string') return variables;
  if (url === undefined && (headers || type)) return `${headers ? '--header' : '--type'} goes with --url`;
  if (url !== undefined && variables) return '--env goes with a program; a remote server gets --header';
  return {
    ...(type !== undefined && { type }),
    ...(url !== undefined && { url }),
    ...(command !== undefined && { command }),
    ...(args.length > 0 && { args }),
    ...(variables && { env: variables }),
    ...(headers && { headers }),
    ...(tag && tag.length > 0 && { tags: tag }),
  };
}

function pairs(written: readonly string[] = [], option: string): Record<string, string> | string | undefined {
  const found: Record<string, string> = {};
  for (const pair of written) {
    const at = pair.indexOf('=');
    // Not the pair: it may hold a credential.
    if (at < 1) return `${option} takes NAME=VALUE`;
    found[pair.slice(0, at)] = pair.slice(at + 1);
  }
  return written.length > 0 ? found : undefined;
}

/** `onemcp remove NAME` */
export const remove = (name: string, serverwise: Serverwise): Promise<number> =>
  change(serverwise, (text) => withoutServer(text, name), [`removed ${name}`, '']);

/** `onemcp disable NAME` */
export const disable = (name: string, serverwise: Serverwise): Promise<number> =>
  change(serverwise, (text) => withDisabled(text, name, true), [`disabled ${name}`, `${name} is disabled already`]);

/** `onemcp enable NAME` */
export const enable = (name: string, serverwise: Serverwise): Promise<number> =>
  change(serverwise, (text) => withDisabled(text, name, false), [`enabled ${name}`, `${name} is enabled already`]);

async function change(
  { flags: { file }, ports }: Serverwise,
  edit: (text: string) => string,
  [done, already]: readonly [string, string],
): Promise<number> {
  const edited = await editFile({ file, ports, edit });
  if (!edited.ok) return edited.code;
  say(ports.stdout, `${file}: ${edited.changed ? done : already}`);
  return EXIT.ok;
}
