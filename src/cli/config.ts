import { resolve } from 'node:path';
import type { Config, ConfigSource, Issue, Loaded, PlanVariables, SecretSettings } from '../config/config.ts';
import { dotEnvOf, type Environment, environmentOf } from '../config/dotenv.ts';
import { formatIssue, loadConfig, readConfigFile } from '../config/load.ts';
import { createSecrets, type WatchedSecrets } from '../io/secrets/index.ts';
import { watchFile } from '../io/sources/file.ts';
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

/** A file with those that it is made of, the `.env` beside it and the secrets it names, under the settings of the environment and the command line. */
export function configSource(
  file: string,
  flags: ConfigFlags,
  { env: real, cwd, platform }: Pick<ProcessPorts, 'env' | 'cwd' | 'platform'>,
): FileSource {
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
  let watches: Watches | undefined;
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
      const loaded = await loadConfig({ file: other, text: read.text, env: filled, secrets, base: cwd, overrides: flags });
      if (!isPlan) {
        env = filled;
        texts = new Map([[resolve(cwd, file), read.text], [resolve(cwd, dotEnvOf(file)), text], ...(loaded.others ?? [])]);
        if (loaded.ok) poll = loaded.config.limits['reload.poll'];
        watches?.follow(texts);
        // Also of a file with errors: a secret that was missing may come.
        if (opened) following.now(opened);
      }
      return loaded.ok ? { ...loaded, warnings: [...warnings, ...loaded.warnings] } : loaded;
    },
    env: () => env,
    watch(onChange) {
      watches = createWatches((path, seen) => watchFile({ file: path, poll, seen, onChange }));
      watches.follow(texts.size > 0 ? texts : new Map([[resolve(cwd, file), undefined]]));
      const files = watches;
      const unfollow = following.start(onChange);
      return () => {
        files.close();
        unfollow();
      };
    },
  };
}

interface Watches {
  /** Watches these files and no others; those that are watched already go on. */
  follow(texts: ReadonlyMap<string, string | undefined>): void;
  close(): void;
}

function createWatches(watch: (path: string, seen: string | undefined) => { close(): void }): Watches {
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
