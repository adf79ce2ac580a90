/** What the shells themselves offer for a line, with the script of the built program loaded. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const MAIN = resolve(import.meta.dirname, '../../dist/main.js');
const TIME_MS = 60_000;

export type Shell = 'bash' | 'zsh' | 'fish';

export interface Shells {
  /** The words offered for a line, as they are called, sorted. */
  offered(shell: Shell, line: string): readonly string[];
  remove(): void;
}

/** A folder with a configuration that names these servers, with `onemcp` in PATH, and the three scripts. */
export function createShells(servers: readonly string[]): Shells {
  const folder = mkdtempSync(join(tmpdir(), 'onemcp-shells-'));
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  const entries = servers.map((name) => [name, { command: 'true' }] as const);
  writeFileSync(join(folder, 'mcp.json'), JSON.stringify({ mcpServers: Object.fromEntries(entries) }));
  writeFileSync(join(bin, 'onemcp'), `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`);
  chmodSync(join(bin, 'onemcp'), 0o755);
  const env = {
    PATH: `${bin}:${process.env.PATH}`,
    HOME: folder,
    TERM: 'dumb',
    LC_ALL: 'C.UTF-8',
    ONEMCP_STATE_DIR: join(folder, 'state'),
  };
  const run = (program: string, ...args: readonly string[]) =>
    execFileSync(program, args, { cwd: folder, env, encoding: 'utf8', timeout: TIME_MS, stdio: ['ignore', 'pipe', 'pipe'] });
  for (const shell of ['bash', 'zsh', 'fish']) writeFileSync(join(folder, `script.${shell}`), run('onemcp', 'completion', shell));
  writeFileSync(join(folder, 'ask.zsh'), ASK_ZSH);

  const ask: Record<Shell, (line: string) => string> = {
    bash: (line) => run('bash', '--norc', '--noprofile', '-c', ASK_BASH, 'bash', line),
    // A description follows after a tab.
    fish: (line) => run('fish', '--no-config', '-c', `source script.fish; complete -C '${line}'`).replaceAll(/\t.*/g, ''),
    zsh(line) {
      rmSync(join(folder, 'offered'), { force: true });
      run('zsh', '-f', 'ask.zsh', line);
      return readFileSync(join(folder, 'offered'), 'utf8');
    },
  };
  return {
    offered: (shell, line) => ask[shell](line).split('\n').filter(Boolean).sort(),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

const ASK_BASH = `
source ./script.bash
read -ra COMP_WORDS <<< "$1"
if [[ $1 == *' ' ]]; then COMP_WORDS+=(''); fi
COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
_onemcp
printf '%s\\n' "\${COMPREPLY[@]}"
`;

/** A zsh on a terminal with its own completion; what reaches \`compadd\` and fits goes to a file, a Tab starts it. */
const ASK_ZSH = `
zmodload zsh/zpty
zpty asked zsh -f -i
cat > inner.zsh <<'END'
unsetopt BEEP ZLE_RPROMPT 2>/dev/null
autoload -Uz compinit && compinit -D -u
source ./script.zsh
compadd() {
  if [[ \${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]]; then builtin compadd "$@"; return $?; fi
  local -a hits
  builtin compadd -A hits "$@"
  (( \${#hits} )) && print -rl -- $hits >> offered
  builtin compadd "$@"
}
finished() { : >> offered; : > finished }
comppostfuncs=(finished)
bindkey '^I' complete-word
: > ready
END
rm -f ready finished
zpty -w asked 'source ./inner.zsh'
await() {
  local -i i
  for ((i = 0; i < 600; i++)); do
    while zpty -rt asked chunk; do :; done
    [[ -e $1 ]] && return
    sleep 0.05
  done
  print -u2 "zsh is not $1: $chunk"
  exit 1
}
await ready
zpty -wn asked "$1"$'\\t'
await finished
zpty -d asked
`;
