import type { Config, Issue } from '../config/config.ts';
import { formatIssue, loadConfig, readConfigFile } from '../config/load.ts';
import { secretReader } from '../io/secrets/index.ts';
import type { ProcessPorts } from './process.ts';

/** Settings of the command line that win over the file. */
export interface ConfigFlags {
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly insecureNoAuth?: boolean | undefined;
}

/** Loads a file and prints every issue of it, one a line; undefined when there are errors. */
export async function loadOrExplain(file: string, flags: ConfigFlags, { env, cwd, stderr }: ProcessPorts): Promise<Config | undefined> {
  const say = (issues: readonly Issue[], prefix = '') => {
    for (const issue of issues) stderr.write(`${prefix}${formatIssue(issue)}\n`);
  };
  const read = await readConfigFile(file);
  if (!read.ok) {
    say(read.issues);
    return undefined;
  }
  const loaded = await loadConfig({ file, text: read.text, env, secrets: secretReader(env), base: cwd, overrides: flags });
  if (!loaded.ok) {
    say(loaded.issues);
    return undefined;
  }
  say(loaded.warnings, 'warning: ');
  return loaded.config;
}
