import { resolve } from 'node:path';
import type { Config, ConfigSource, Issue, Loaded, SecretSettings } from '../config/config.ts';
import { formatIssue, loadConfig, readConfigFile } from '../config/load.ts';
import { createSecrets, type WatchedSecrets } from '../io/secrets/index.ts';
import { watchFile } from '../io/sources/file.ts';
import type { ProcessPorts } from './process.ts';

/** Settings of the command line that win over the file. */
export interface ConfigFlags {
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly insecureNoAuth?: boolean | undefined;
}

/** A file, under the settings of the command line, and the secrets it names. */
export function configSource(
  file: string,
  flags: ConfigFlags,
  { env, cwd, platform }: Pick<ProcessPorts, 'env' | 'cwd' | 'platform'>,
): Required<ConfigSource> {
  const secretsOf = createSecrets({ env, platform });
  const following = followSecrets();
  let seen: string | undefined;
  let poll = 0;
  return {
    async load(other = file) {
      const read = await readConfigFile(other, cwd);
      if (!read.ok) return read;
      let opened: WatchedSecrets | undefined;
      const secrets = (settings: SecretSettings) => {
        opened = secretsOf(settings);
        return opened;
      };
      const loaded = await loadConfig({ file: other, text: read.text, env, secrets, base: cwd, overrides: flags });
      if (other === file) {
        seen = read.text;
        if (loaded.ok) poll = loaded.config.limits['reload.poll'];
        // Also of a file with errors: a secret that was missing may come.
        if (opened) following.now(opened);
      }
      return loaded;
    },
    watch(onChange) {
      const { close } = watchFile({ file: resolve(cwd, file), poll, seen, onChange });
      const unfollow = following.start(onChange);
      return () => {
        close();
        unfollow();
      };
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
