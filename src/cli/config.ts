import { resolve } from 'node:path';
import type { Config, ConfigSource, Issue, Loaded } from '../config/config.ts';
import { dotEnvOf, type Environment, environmentOf } from '../config/dotenv.ts';
import { formatIssue, loadConfig, readConfigFile } from '../config/load.ts';
import { secretReader } from '../io/secrets/index.ts';
import { watchFile } from '../io/sources/file.ts';
import type { ProcessPorts } from './process.ts';

/** Settings of the command line that win over the file. */
export interface ConfigFlags {
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly insecureNoAuth?: boolean | undefined;
}

/** A source that is watched, with the environment it was read in last: the real one over the `.env` beside the file. */
interface FileSource extends Required<ConfigSource> {
  readonly env: () => Environment['env'];
}

/** A file with those that it is made of and the `.env` beside it, under the settings of the environment and the command line. */
export function configSource(file: string, flags: ConfigFlags, { env: real, cwd }: Pick<ProcessPorts, 'env' | 'cwd'>): FileSource {
  let poll = 0;
  let env = real;
  /** The text of each file as it was read last, by its absolute path. */
  let texts: ReadonlyMap<string, string | undefined> = new Map();
  let watches: Watches | undefined;
  return {
    async load(other = file) {
      const read = await readConfigFile(other, cwd);
      if (!read.ok) return read;
      const around = await environmentOf(other, real, cwd);
      const sources = { env: around.env, secrets: secretReader(around.env) };
      const loaded = await loadConfig({ file: other, text: read.text, ...sources, base: cwd, overrides: flags });
      if (other === file) {
        env = around.env;
        texts = new Map([[resolve(cwd, file), read.text], [resolve(cwd, dotEnvOf(file)), around.text], ...(loaded.others ?? [])]);
        if (loaded.ok) poll = loaded.config.limits['reload.poll'];
        watches?.follow(texts);
      }
      return loaded.ok ? { ...loaded, warnings: [...around.warnings, ...loaded.warnings] } : loaded;
    },
    env: () => env,
    watch(onChange) {
      watches = createWatches((path, seen) => watchFile({ file: path, poll, seen, onChange }));
      watches.follow(texts.size > 0 ? texts : new Map([[resolve(cwd, file), undefined]]));
      return watches.close;
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
