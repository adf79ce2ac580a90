import type { Command } from 'commander';
import { bashScript } from './completion/bash.ts';
import { fishScript } from './completion/fish.ts';
import { placesOf } from './completion/places.ts';
import { zshScript } from './completion/zsh.ts';
import { EXIT, type ProcessPorts } from './process.ts';

const SHELLS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;

const INSTALL: Readonly<Record<keyof typeof SHELLS, string>> = {
  bash: 'onemcp completion bash > ~/.local/share/bash-completion/completions/onemcp',
  zsh: 'onemcp completion zsh > "$fpath[1]/_onemcp"',
  fish: 'onemcp completion fish > ~/.config/fish/completions/onemcp.fish',
};

/** `onemcp completion SHELL`: the script, and on a terminal how to install it. */
export function completion(shell: string, program: Command, { stdout, stderr }: Pick<ProcessPorts, 'stdout' | 'stderr'>): number {
  if (!isKnown(shell)) {
    stderr.write(`onemcp: there is a script for ${Object.keys(SHELLS).join(', ')}, not for ${JSON.stringify(shell.slice(0, 40))}\n`);
    return EXIT.usage;
  }
  stdout.write(SHELLS[shell](placesOf(program)));
  if (stdout.isTTY) stderr.write(`\nTo install it, then start a new shell:\n  ${INSTALL[shell]}\n`);
  return EXIT.ok;
}

const isKnown = (shell: string): shell is keyof typeof SHELLS => Object.hasOwn(SHELLS, shell);
