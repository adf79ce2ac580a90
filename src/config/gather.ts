/** Every source of servers outside the file, read and merged in the order of their rank. */
import { dirname, isAbsolute, join } from 'node:path';
import { CONF_D, readConfd } from './confd.ts';
import type { DiscoverySettings, Issue, Loaded, SourceReport } from './config.ts';
import { type MergeDesk, type MergedServers, mergeFound } from './discovered.ts';
import type { FoundServer, Outside } from './found.ts';
import { formatIssue } from './issue.ts';

export interface GatherInput extends Outside {
  readonly settings: DiscoverySettings | undefined;
  /** The folders of `confd`, as issues show them. */
  readonly folders: readonly string[];
  /** Folder that relative ones are in. */
  readonly base: string;
  readonly desk: MergeDesk;
}

export interface Gathered extends Pick<MergedServers, 'accepted'>, Required<Pick<Loaded, 'folders' | 'sources'>> {
  readonly warnings: readonly Issue[];
}

/** Later ones lose against earlier ones. */
const RANK = ['docker', 'kubernetes'] as const;

/** Never throws: whatever is wrong with a source becomes a warning, and its servers of before stay. */
export async function gather({ settings, folders, base, found = [], kept = new Map(), desk }: GatherInput): Promise<Gathered> {
  const confd = await readConfd({ folders, base, kept });
  const watched = RANK.flatMap((name) => (settings?.[name] ? (found.find(({ source }) => source === name) ?? []) : []));
  const others = watched.flatMap(({ source, servers }) => servers.map((server): FoundServer => ({ ...server, source })));
  const { accepted, remarks } = await mergeFound([...confd.servers, ...others], desk);
  const reportOf = (name: string, facts: Pick<SourceReport, 'status' | 'lastError'>, notes: readonly string[] = []): SourceReport => ({
    name,
    ...facts,
    servers: accepted.filter(({ found: { source } }) => source === name).length,
    notes: [...notes, ...remarks.filter(({ source }) => source === name).map(({ issue }) => formatIssue(issue))],
  });
  const ofFiles = folders.length > 0 ? [reportOf(CONF_D, confdStatus(confd.issues), confd.notes.map(formatIssue))] : [];
  const ofWatched = watched.map(({ source, problem, isWaiting }) =>
    reportOf(source, problem === undefined ? { status: isWaiting ? 'waiting' : 'ok' } : { status: 'failing', lastError: problem }),
  );
  const failing = watched.flatMap(({ source, problem }) => (problem === undefined ? [] : [{ file: source, message: problem }]));
  return {
    accepted,
    sources: [...ofFiles, ...ofWatched],
    folders: confd.texts,
    warnings: [...confd.issues, ...confd.notes, ...failing, ...remarks.map(({ issue }) => issue)],
  };
}

/** The first mistake stands for all. */
function confdStatus([first, ...more]: readonly Issue[]): Pick<SourceReport, 'status' | 'lastError'> {
  if (!first) return { status: 'ok' };
  const rest = more.length > 0 ? ` (and ${more.length} more)` : '';
  return { status: 'failing', lastError: `${formatIssue(first)}${rest}` };
}

/** A folder as the user would write it where he wrote the name of the file. */
export const besideFile = (file: string, folder: string): string =>
  isAbsolute(folder) || /^<.*>$/.test(file) ? folder : join(dirname(file), folder);
