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

/** A file and the `.env` beside it, under the settings of the environment and the command line. */
export function configSource(file: string, flags: ConfigFlags, { env: real, cwd }: Pick<ProcessPorts, 'env' | 'cwd'>): FileSource {
  let seen: string | undefined;
  let environment: Environment | undefined;
  let poll = 0;
  return {
    async load(other = file) {
      const read = await readConfigFile(other, cwd);
      if (!read.ok) return read;
      const around = await environmentOf(other, real, cwd);
      const { env } = around;
      const loaded = await loadConfig({ file: other, text: read.text, env, secrets: secretReader(env), base: cwd, overrides: flags });
      if (other === file) {
        seen = read.text;
        environment = around;
        if (loaded.ok) poll = loaded.config.limits['reload.poll'];
      }
      return loaded.ok ? { ...loaded, warnings: [...around.warnings, ...loaded.warnings] } : loaded;
    },
    env: () => environment?.env ?? real,
    watch(onChange) {
      const watches = [
        watchFile({ file: resolve(cwd, file), poll, seen, onChange }),
        watchFile({ file: resolve(cwd, dotEnvOf(file)), poll, seen: environment?.text, onChange }),
      ];
      return () => {
        for (const { close } of watches) close();
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
