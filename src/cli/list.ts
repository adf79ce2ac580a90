import { formatIssue, readConfigFile } from '../config/load.ts';
import { type ListedServer, listServers } from '../config/servers.ts';
import { columns } from '../observe/text.ts';
import { say } from './control.ts';
import { maskedUrl, maskedWords } from './masked.ts';
import { EXIT } from './process.ts';
import type { FileFlags, Serverwise } from './servers.ts';

export interface ListFlags extends FileFlags {
  readonly json?: boolean | undefined;
}

/** `onemcp list`: the servers of a file, as they are written. Variables need not be set, and no gateway needs to run. */
export async function list({ flags, ports }: Serverwise<ListFlags>): Promise<number> {
  const { file, json } = flags;
  const read = await readConfigFile(file, ports.cwd);
  const listed = read.ok ? listServers(file, read.text) : read;
  if (!listed.ok) {
    for (const issue of listed.issues) say(ports.stderr, formatIssue(issue));
    return EXIT.usage;
  }
  const rows = listed.servers.map(shown);
  if (json) say(ports.stdout, JSON.stringify(rows, null, 2));
  else if (rows.length === 0) say(ports.stdout, `${file}: no servers; add one: onemcp add NAME -- COMMAND`);
  else say(ports.stdout, columns([HEAD, ...rows.map(cells)]).join('\n'));
  return EXIT.ok;
}

const HEAD = ['SERVER', 'TRANSPORT', 'TAGS', '', 'COMMAND OR URL'];

/** One server in the JSON document. */
interface Shown {
  readonly name: string;
  readonly transport: ListedServer['transport'];
  /** The program and its arguments. */
  readonly command?: readonly string[];
  readonly url?: string;
  readonly tags: readonly string[];
  readonly disabled: boolean;
}

const shown = ({ name, transport, words, url, tags, disabled }: ListedServer): Shown => ({
  name,
  transport,
  ...(words.length > 0 && { command: maskedWords(words) }),
  ...(url !== undefined && { url: maskedUrl(url) }),
  tags,
  disabled,
});

const cells = ({ name, transport, command, url, tags, disabled }: Shown): string[] => [
  name,
  transport,
  tags.join(' '),
  disabled ? 'disabled' : '',
  url ?? command?.map((word) => (/\s/.test(word) || word === '' ? JSON.stringify(word) : word)).join(' ') ?? '',
];
