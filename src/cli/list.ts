import { readConfd } from '../config/confd.ts';
import { foldersOf } from '../config/discovery.ts';
import { environmentOf } from '../config/dotenv.ts';
import { explainConfig } from '../config/explain.ts';
import { besideFile } from '../config/gather.ts';
import { formatIssue, readConfigFile } from '../config/load.ts';
import { inactive } from '../config/profiles.ts';
import { type ListedServer, listEntry, listServers } from '../config/servers.ts';
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

/** `onemcp list`: the servers of a file and of `conf.d`, as they are written. Variables need not be set, and no gateway needs to run. */
export async function list({ flags, ports }: Serverwise<ListFlags>): Promise<number> {
  const { file, json } = flags;
  const read = await readConfigFile(file, ports.cwd);
  const listed = read.ok ? listServers(file, read.text) : read;
  if (!listed.ok) {
    for (const issue of listed.issues) say(ports.stderr, formatIssue(issue));
    return EXIT.usage;
  }
  const active = read.ok ? await activeProfiles(read.text, { flags, ports }) : [];
  const others = read.ok ? await besides(file, read.text, ports) : [];
  const own = new Set(listed.servers.map(({ name }) => name));
  const rows = [...listed.servers, ...others.filter(({ name }) => !own.has(name))].map((server) => shown(server, active));
  if (json) say(ports.stdout, JSON.stringify(rows, null, 2));
  else if (rows.length === 0) say(ports.stdout, `${file}: no servers; add one: onemcp add NAME -- COMMAND`);
  else say(ports.stdout, columns([HEAD, ...rows.map(cells)]).join('\n'));
  return EXIT.ok;
}

/** The servers in `conf.d`, the first of each name; what is wrong there is said, and the others are listed. */
async function besides(file: string, text: string, { env: real, cwd, stderr }: Serverwise['ports']): Promise<readonly ListedServer[]> {
  const { env } = await environmentOf(file, real, cwd);
  const { settings } = await explainConfig({ file, text, base: cwd, env });
  const written = foldersOf(settings.find(({ setting }) => setting.name === 'discovery.confd')?.won.value);
  const folders = written.map((folder) => besideFile(file, folder));
  const { servers, issues } = await readConfd({ folders, base: cwd, kept: new Map() });
  for (const issue of issues) say(stderr, `warning: ${formatIssue(issue)}`);
  const byName = new Map([...servers].reverse().map((server) => [server.name, server]));
  return servers.flatMap((server) => {
    if (byName.get(server.name) === server) return [{ ...listEntry(server.name, server.entry), from: server.place }];
    say(
      stderr,
      `warning: ${server.place}: there is another server ${JSON.stringify(server.name)} (${byName.get(server.name)?.place}), which wins`,
    );
    return [];
  });
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
  /** The file in `conf.d` that it is in. */
  readonly from?: string;
}

/** Those of the environment, the command line or the file. */
async function activeProfiles(text: string, { flags: { file, profiles }, ports }: Serverwise<ListFlags>): Promise<readonly string[]> {
  const { env } = await environmentOf(file, ports.env, ports.cwd);
  const { settings } = await explainConfig({ file, text, env, base: ports.cwd, overrides: { profiles } });
  return (settings.find(({ setting }) => setting.name === 'profiles')?.won.value ?? []) as readonly string[];
}

const shown = ({ name, transport, words, url, tags, profiles, disabled, from }: ListedServer, active: readonly string[]): Shown => ({
  name,
  transport,
  ...(words.length > 0 && { command: maskedWords(words) }),
  ...(url !== undefined && { url: maskedUrl(url) }),
  tags,
  disabled,
  ...(!disabled && optional('inactive', inactive(profiles, active))),
  ...(from !== undefined && { from }),
});

const cells = ({ name, transport, command, url, tags, disabled, inactive: reason, from }: Shown): string[] => [
  name,
  transport,
  tags.join(' '),
  [disabled ? 'disabled' : (reason ?? ''), from === undefined ? '' : `(${from})`].join(' ').trim(),
  url ?? command?.map((word) => (/\s/.test(word) || word === '' ? JSON.stringify(word) : word)).join(' ') ?? '',
];
