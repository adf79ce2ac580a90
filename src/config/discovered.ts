/** Servers that were found outside the file: checked like its own, and merged with them by name. */
import { backendOf } from './backend.ts';
import type { BackendSpec, Issue } from './config.ts';
import { checkDependencies } from './dependencies.ts';
import type { Desk, Entry } from './entry.ts';
import type { Fillings } from './fillings.ts';
import type { FoundServer } from './found.ts';
import { formatPath, type Path, type Problem } from './issue.ts';
import { namespaces } from './names.ts';
import { withProfiles } from './profiles.ts';
import { type FileShape, serverSchema } from './schema.ts';
import { onDefaults } from './serverDefaults.ts';
import { complaintsOf } from './shape.ts';

/** A server of the configuration file; `place` as one looks for it. */
export interface OwnEntry extends Entry {
  readonly where: string;
}

export interface MergeDesk extends Pick<Desk, 'limits' | 'folder'> {
  readonly own: readonly OwnEntry[];
  /** Active profiles. */
  readonly active: readonly string[];
  readonly defaults: FileShape['serverDefaults'];
  /** Makes the fillings of one entry, whose problems go to the list. */
  readonly fillingsFor: (problems: Problem[]) => Fillings;
}

/** A warning, and the source that it is about. */
export interface Remark {
  readonly source: string;
  readonly issue: Issue;
}

/** One that has passed so far. */
interface Candidate {
  readonly found: FoundServer;
  readonly entry: Entry;
}

interface Accepted extends Candidate {
  /** Undefined: it is off. */
  readonly spec: BackendSpec | undefined;
}

export interface MergedServers {
  /** In the order in which they were found. */
  readonly accepted: readonly Accepted[];
  /** Why others were left out, and what is odd about those that were not. */
  readonly remarks: readonly Remark[];
}

const LONGEST_NAME = 64;

/** Only what is no way into the gateway may come from strangers: they would run programs with its rights. */
const PROGRAM_KEYS = ['command', 'args', 'env', 'cwd', 'install', 'maxMemory'];
/** Defaults that would carry credentials, or what others ask, to a server that a stranger has named. */
const NOT_FOR_STRANGERS = ['headers', 'samplingContext'] as const;

/**
 * Checks servers that were found and puts them beside those of the file. Of one name the file's own wins, then the first of the
 * list. What is wrong is left out with a warning, so that nobody else suffers from it. Never throws.
 */
export async function mergeFound(found: readonly FoundServer[], desk: MergeDesk): Promise<MergedServers> {
  const remarks: Remark[] = [];
  const candidates = screened(found, desk, remarks);
  const named = withNamespaces(candidates, desk, remarks);
  const specified = await Promise.all(named.map((candidate) => specifiedOf(candidate, desk, remarks)));
  const accepted = specified.filter((candidate) => candidate !== undefined);
  const ofFiles = withDependencies(accepted.filter(isOurs), desk.own, remarks);
  const others = withDependencies(
    accepted.filter((candidate) => !isOurs(candidate)),
    [...desk.own, ...ofFiles.map(({ entry }) => entry)],
    remarks,
  );
  return { accepted: [...ofFiles, ...others], remarks };
}

const isOurs = ({ found }: Candidate): boolean => found.issueOf !== undefined;

function screened(found: readonly FoundServer[], { own, active, defaults }: MergeDesk, remarks: Remark[]): Candidate[] {
  const places = new Map(own.map(({ name, where }) => [name, where]));
  return found.flatMap((server) => {
    const { name, entry } = server;
    const path = ['mcpServers', name];
    const place = places.get(name);
    const problems = place !== undefined ? [taken(path, name, place)] : server.issueOf ? [] : complaintsAbout(server, path);
    if (problems.length > 0) {
      remarks.push(...problems.map((problem) => remarkOf(server, problem, true)));
      return [];
    }
    places.set(name, server.issueOf ? server.place : `${server.source}: ${server.place}`);
    const shape = serverSchema.parse(entry);
    const usual = server.issueOf ? defaults : Object.fromEntries(Object.entries(defaults ?? {}).filter(([key]) => isForStrangers(key)));
    const [whole] = withProfiles([{ name, path, ...onDefaults(shape, new Set(Object.keys(entry)), usual as typeof defaults) }], active);
    return whole ? [{ found: server, entry: whole }] : [];
  });
}

const taken = (path: Path, name: string, place: string): Problem => ({
  path,
  at: 'key',
  message: `there is already a server ${JSON.stringify(name)} (${place}), which wins; rename one of them`,
});

const isForStrangers = (key: string): boolean => !NOT_FOR_STRANGERS.some((other) => other === key);

/** Of an entry that strangers may have written. */
function complaintsAbout({ source, name, entry }: FoundServer, path: Path): readonly Problem[] {
  const at = (key: string, message: string): Problem => ({ path: [...path, key], at: 'key', message });
  if (name === '' || name.length > LONGEST_NAME) return [{ path, at: 'key', message: `a server name has 1 to ${LONGEST_NAME} characters` }];
  const program = PROGRAM_KEYS.find((key) => Object.hasOwn(entry, key));
  if (program !== undefined)
    return [
      at(
        program,
        `from ${source} only remote servers ("url") are taken: a program would run on the machine of the gateway; name it in the configuration file or in conf.d`,
      ),
    ];
  if (Object.hasOwn(entry, 'samplingContext'))
    return [at('samplingContext', `cannot be asked for from ${source}; name the server in the configuration file or in conf.d`)];
  const template = Object.keys(entry).find((key) => JSON.stringify(entry[key])?.includes('${'));
  if (template !== undefined) {
    const message = `templates are not filled in what comes from ${source}: they could read variables and secrets of the gateway; name the server in conf.d`;
    return [at(template, message)];
  }
  return complaintsOf(serverSchema, entry).map((problem) => ({ ...problem, path: [...path, ...problem.path] }));
}

/** Those whose namespace is free, with the namespace that was chosen. */
function withNamespaces(candidates: readonly Candidate[], { own }: MergeDesk, remarks: Remark[]) {
  const findings = { problems: [] as Problem[], warnings: [] as Problem[] };
  const all = [...own, ...candidates.map(({ entry }) => entry)].filter(({ off }) => off === undefined);
  const chosen = namespaces(
    all.map(({ name, shape }) => ({ name, explicit: shape.namespace })),
    findings,
  );
  return candidates.flatMap((candidate) => {
    const { name, off } = candidate.entry;
    const about = (problem: Problem) => problem.path[1] === name;
    const problems = findings.problems.filter(about);
    remarks.push(...problems.map((problem) => remarkOf(candidate.found, problem, true)));
    if (problems.length > 0) return [];
    remarks.push(...findings.warnings.filter(about).map((problem) => remarkOf(candidate.found, problem)));
    return [{ ...candidate, namespace: off === undefined ? chosen.get(name) : undefined }];
  });
}

async function specifiedOf(
  { namespace, ...candidate }: Candidate & { readonly namespace: string | undefined },
  { fillingsFor, limits, folder }: MergeDesk,
  remarks: Remark[],
): Promise<Accepted | undefined> {
  if (namespace === undefined) return { ...candidate, spec: undefined };
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const spec = await backendOf(candidate.entry, namespace, { problems, warnings, fillings: fillingsFor(problems), limits, folder });
  const isGood = spec !== undefined && problems.length === 0;
  remarks.push(...problems.map((problem) => remarkOf(candidate.found, problem, true)));
  if (!isGood) return undefined;
  remarks.push(...warnings.map((problem) => remarkOf(candidate.found, problem)));
  return { ...candidate, spec };
}

/** Those whose dependencies are there; one that goes may take others with it. */
function withDependencies(candidates: readonly Accepted[], others: readonly Entry[], remarks: Remark[]): readonly Accepted[] {
  const problems: Problem[] = [];
  checkDependencies([...others, ...candidates.map(({ entry }) => entry)], { problems, warnings: [] });
  const about = ({ entry }: Candidate) => problems.filter(({ path }) => path[1] === entry.name);
  const good = candidates.filter((candidate) => about(candidate).length === 0);
  if (good.length === candidates.length) return good;
  for (const candidate of candidates) remarks.push(...about(candidate).map((problem) => remarkOf(candidate.found, problem, true)));
  return withDependencies(good, others, remarks);
}

/** @param isLeftOut whether the server is not used for it */
function remarkOf(found: FoundServer, problem: Problem, isLeftOut = false): Remark {
  const { name, source, place } = found;
  const inEntry = formatPath(problem.path.slice(2));
  const issue = found.issueOf?.(problem) ?? {
    file: `${source}: ${place}`,
    ...(inEntry !== '' && { path: inEntry }),
    message: problem.message,
  };
  return { source, issue: isLeftOut ? { ...issue, message: `${issue.message} (the server ${JSON.stringify(name)} is left out)` } : issue };
}
