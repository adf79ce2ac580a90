import { environmentOf } from '../config/dotenv.ts';
import { explainConfig } from '../config/explain.ts';
import { formatIssue, readConfigFile } from '../config/load.ts';
import { inactive } from '../config/profiles.ts';
import { type ListedServer, listServers } from '../config/servers.ts';
import { optional } from '../observe/status.ts';
import { columns } from '../observe/text.ts';
import { say } from './control.ts';
import { maskedUrl, maskedWords } from './masked.ts';
import { EXIT } from './process.ts';
import type { FileFlags, Serverwise } from './servers.ts';

export interface ListFlags extends FileFlags {
  readonly json?: boolean | undefined;
  /** Of `--profile`. */
  readonly profiles?: readonly string[] | undefined;
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
  const active = read.ok ? await activeProfiles(read.text, { flags, ports }) : [];
  const rows = listed.servers.map((server) => shown(server, active));
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
  /** Why it does not run, although it is not disabled. */
  readonly inactive?: string;
}

/** Those of the environment, the command line or the file. */
async function activeProfiles(text: string, { flags: { file, profiles }, ports }: Serverwise<ListFlags>): Promise<readonly string[]> {
  const { env } = await environmentOf(file, ports.env, ports.cwd);
  const { settings } = await explainConfig({ file, text, env, base: ports.cwd, overrides: { profiles } });
  return (settings.find(({ setting }) => setting.name === 'profiles')?.won.value ?? []) as readonly string[];
}

const shown = ({ name, transport, words, url, tags, profiles, disabled }: ListedServer, active: readonly string[]): Shown => ({
  name,
  transport,
  ...(words.length > 0 && { command: maskedWords(words) }),
  ...(url !== undefined && { url: maskedUrl(url) }),
  tags,
  disabled,
  ...(!disabled && optional('inactive', inactive(profiles, active))),
});

const cells = ({ name, transport, command, url, tags, disabled, inactive: reason }: Shown): string[] => [
  name,
  transport,
  tags.join(' '),
  disabled ? 'disabled' : (reason ?? ''),
  url ?? command?.map((word) => (/\s/.test(word) || word === '' ? JSON.stringify(word) : word)).join(' ') ?? '',
];
