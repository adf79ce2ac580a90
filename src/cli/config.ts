import { resolve } from 'node:path';
import { confdTexts } from '../config/confd.ts';
import type { Config, ConfigSource, Issue, Loaded, PlanVariables, SecretSettings, SourceReport, SourceState } from '../config/config.ts';
import { dotEnvOf, type Environment, environmentOf } from '../config/dotenv.ts';
import type { KeptFiles } from '../config/found.ts';
import { formatIssue, loadConfig, readConfigFile } from '../config/load.ts';
import { createSecrets, type WatchedSecrets } from '../io/secrets/index.ts';
import { watchFile } from '../io/sources/file.ts';
import { type FolderTexts, watchFolder } from '../io/sources/folder.ts';
import type { Discovery } from '../io/sources/index.ts';
import type { ProcessPorts } from './process.ts';

/** Settings of the command line that win over the file. */
export interface ConfigFlags {
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly insecureNoAuth?: boolean | undefined;
  readonly profiles?: readonly string[] | undefined;
}

/** A source that is watched, with the environment it was read in last: the real one over the `.env` beside the file. */
interface FileSource extends Required<ConfigSource> {
  readonly env: () => Environment['env'];
}

interface SourcePorts extends Pick<ProcessPorts, 'env' | 'cwd' | 'platform'> {
  /** The sources of servers that are watched; default: only files are looked at. */
  readonly discovery?: Discovery;
}

/**
 * A file with those that it is made of, those in `conf.d`, the `.env` beside it and the secrets it names, under the settings of
 * the environment and the command line, with the servers that were discovered.
 */
export function configSource(file: string, flags: ConfigFlags, { env: real, cwd, platform, discovery }: SourcePorts): FileSource {
  const following = followSecrets();
  let poll = 0;
  let env = real;
  let around: Environment | undefined;
  const secretsOf = createSecrets({
    get env() {
      return around?.env ?? real;
    },
    platform,
  });
  /** The text of each file as it was read last, by its absolute path. */
  let texts: ReadonlyMap<string, string | undefined> = new Map();
  let watches: Watches<string | undefined> | undefined;
  /** The texts in each folder of `conf.d`, likewise, and what its files said when they were last right. */
  let folders: ReadonlyMap<string, FolderTexts> = new Map();
  let folderWatches: Watches<FolderTexts> | undefined;
  const kept: KeptFiles = new Map();
  let sources: readonly SourceState[] = [];

  return {
    async load(other = file, variables: PlanVariables = {}) {
      const isPlan = other !== file || Object.keys(variables).length > 0;
      const read = await readConfigFile(other, cwd);
      if (!read.ok) return read;
      around = await environmentOf(other, { ...real, ...variables }, cwd);
      const { env: filled, text, warnings } = around;
      let opened: WatchedSecrets | undefined;
      const secrets = (settings: SecretSettings) => {
        opened = secretsOf(settings);
        return opened;
      };
      const outside = () => ({ kept: !isPlan ? kept : new Map(), ...(discovery && { found: discovery.found() }) });
      const look = () => loadConfig({ file: other, text: read.text, env: filled, secrets, base: cwd, overrides: flags, ...outside() });
      let loaded = await look();
      if (!isPlan && loaded.ok && discovery && (await discovery.follow(loaded.config.discovery, delaysOf(loaded.config)))) {
        loaded = await look();
      }
      if (!isPlan) {
        env = filled;
        texts = new Map([[resolve(cwd, file), read.text], [resolve(cwd, dotEnvOf(file)), text], ...(loaded.others ?? [])]);
        if (loaded.ok) poll = loaded.config.limits['reload.poll'];
        watches?.follow(texts);
        if (loaded.ok) folders = loaded.folders ?? new Map();
        folderWatches?.follow(folders);
        if (loaded.sources) sources = statesOf(loaded.sources, sources);
        // Also of a file with errors: a secret that was missing may come.
        if (opened) following.now(opened);
      }
      return loaded.ok ? { ...loaded, warnings: [...warnings, ...loaded.warnings] } : loaded;
    },
    env: () => env,
    sources: () => sources,
    watch(onChange) {
      watches = createWatches((path, seen) => watchFile({ file: path, poll, seen, onChange }));
      watches.follow(texts.size > 0 ? texts : new Map([[resolve(cwd, file), undefined]]));
      folderWatches = createWatches((folder, seen) => watchFolder({ folder, poll, seen, read: () => confdTexts(folder), onChange }));
      folderWatches.follow(folders);
      const all = [watches, folderWatches];
      const unfollow = following.start(onChange);
      const undiscover = discovery?.subscribe(onChange);
      return () => {
        for (const files of all) files.close();
        unfollow();
        undiscover?.();
      };
    },
  };
}

const delaysOf = ({ limits }: Config) => ({
  retry: { initial: limits['discovery.retryInitial'], max: limits['discovery.retryMax'] },
  wait: limits['discovery.wait'],
});

/** With the time since which each is as it is. */
function statesOf(reports: readonly SourceReport[], before: readonly SourceState[]): readonly SourceState[] {
  const now = Date.now();
  return reports.map((report) => {
    const same = before.find(({ name, status }) => name === report.name && status === report.status);
    return { ...report, since: same?.since ?? now };
  });
}

interface Watches<Seen> {
  /** Watches these and no others; those that are watched already go on. */
  follow(seen: ReadonlyMap<string, Seen>): void;
  close(): void;
}

function createWatches<Seen>(watch: (path: string, seen: Seen) => { close(): void }): Watches<Seen> {
  const open = new Map<string, { close(): void }>();
  let closed = false;
  return {
    follow(texts) {
      if (closed) return;
      for (const [path, { close }] of open) {
        if (texts.has(path)) continue;
        close();
        open.delete(path);
      }
      for (const [path, seen] of texts) if (!open.has(path)) open.set(path, watch(path, seen));
    },
    close() {
      closed = true;
      for (const { close } of open.values()) close();
      open.clear();
    },
  };
}

/** Watches the secrets that were read last. */
function followSecrets() {
  let secrets: WatchedSecrets | undefined;
  let onChange: (() => void) | undefined;
  let unwatch = () => {};
  const follow = () => {
    unwatch();
    unwatch = (onChange && secrets?.watch(onChange)) ?? (() => {});
  };
  return {
    now(read: WatchedSecrets) {
      secrets = read;
      follow();
    },
    start(listener: () => void) {
      onChange = listener;
      follow();
      return () => {
        onChange = undefined;
        follow();
      };
    },
  };
}

/** Prints every issue, one a line; undefined when there are errors. */
export function explained(loaded: Loaded, { stderr }: Pick<ProcessPorts, 'stderr'>): Config | undefined {
  const say = (issues: readonly Issue[], prefix = '') => {
    for (const issue of issues) stderr.write(`${prefix}${formatIssue(issue)}\n`);
  };
  if (!loaded.ok) {
    say(loaded.issues);
    return undefined;
  }
  say(loaded.warnings, 'warning: ');
  return loaded.config;
}
