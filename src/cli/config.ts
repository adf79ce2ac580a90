import { resolve } from 'node:path';
import type { Config, ConfigSource, Issue, Loaded } from '../config/config.ts';
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

/** A file, under the settings of the command line. */
export function configSource(file: string, flags: ConfigFlags, { env, cwd }: Pick<ProcessPorts, 'env' | 'cwd'>): Required<ConfigSource> {
  let seen: string | undefined;
  let poll = 0;
  return {
    async load(other = file) {
      const read = await readConfigFile(other, cwd);
      if (!read.ok) return read;
      const loaded = await loadConfig({ file: other, text: read.text, env, secrets: secretReader(env), base: cwd, overrides: flags });
      if (other === file) {
        seen = read.text;
        if (loaded.ok) poll = loaded.config.limits['reload.poll'];
      }
      return loaded;
    },
    watch: (onChange) => watchFile({ file: resolve(cwd, file), poll, seen, onChange }).close,
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
