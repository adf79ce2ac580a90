import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { describe, expect, it, onTestFinished } from 'vitest';
import { completion } from '../../../src/cli/completion.ts';
import { completionNames } from '../../../src/cli/completionNames.ts';
import { verifies } from '../../support/verifies.ts';
import { terminal } from './kit.ts';

/** A program with everything that a script has to do with. */
function program(): Command {
  const program = new Command('onemcp').version('1');
  program
    .command('run')
    .argument('[file]')
    .option('--port <n>', "the port: 'any'")
    .addOption(new Option('--format <f>').choices(['pretty', 'json']));
  program.command('why').argument('<name>').argument('[file]').option('--json', 'print JSON');
  program.command('tools').option('--server <name>', 'of one');
  program.command('completion').argument('<shell>');
  program.command('secret').command('set').description('sets $(touch owned) `one`').argument('<name>');
  program.command('completion-names', { hidden: true });
  return program;
}

function script(shell: string, options = {}) {
  const term = terminal(options);
  return { code: completion(shell, program(), term.ports), term };
}

/** What bash offers for a line, with a program beside it that names these servers. */
function offered(line: string, servers: readonly string[] = []): readonly string[] {
  const folder = mkdtempSync(join(tmpdir(), 'onemcp-b-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'names'), servers.map((name) => `${name}\n`).join(''));
  writeFileSync(join(folder, 'onemcp'), `#!/bin/sh\n[ "$1" = completion-names ] && cat '${folder}/names'\n`);
  chmodSync(join(folder, 'onemcp'), 0o755);
  writeFileSync(join(folder, 'script'), script('bash').term.out);
  const words = line.split(' ');
  const asked = `source ./script; COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _onemcp; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const env = { PATH: `${folder}:${process.env.PATH}` };
  return execFileSync('bash', ['--norc', '--noprofile', '-c', asked], { cwd: folder, env, encoding: 'utf8' }).split('\n').filter(Boolean);
}

describe('completion in bash', () => {
  it(verifies('cli-completion', 'is a valid script'), () => {
    const { status, stderr } = spawnSync('bash', ['-n'], { input: script('bash').term.out, encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, '']);
  });

  it.each<[line: string, words: readonly string[]]>([
    ['onemcp r', ['run']],
    ['onemcp ', ['run', 'why', 'tools', 'completion', 'secret', 'help']],
    ['onemcp run --p', ['--port']],
    ['onemcp run --format ', ['pretty', 'json']],
    ['onemcp run --port ', []],
    ['onemcp run ', []],
    ['onemcp completion z', ['zsh']],
    ['onemcp secret ', ['set', 'help']],
    ['onemcp secret set --', ['--help']],
    ['onemcp why --', ['--json', '--help']],
  ])('offers for "%s"', (line, words) => {
    expect(offered(line, ['web'])).toEqual(words);
  });

  it(verifies('cli-completion', 'offers servers where one is wanted, and never runs what their names say'), () => {
    const servers = ['web', 'wiki', 'my server', '$(touch owned)'];
    expect(offered('onemcp why w', servers)).toEqual(['web', 'wiki']);
    expect(offered('onemcp why m', servers)).toEqual(['my\\ server']);
    expect(offered('onemcp why $', servers)).toEqual(['\\$\\(touch\\ owned\\)']);
    expect(offered('onemcp tools --server w', servers)).toEqual(['web', 'wiki']);
    expect(offered('onemcp why web ', servers)).toEqual([]);
  });
});

describe('completion', () => {
  it.each(['zsh', 'fish'])('has a script for %s', (shell) => {
    const { code, term } = script(shell);
    expect([code, term.err]).toEqual([0, '']);
    for (const part of ['run', 'port', 'pretty', 'completion-names', 'secret set']) expect(term.out).toContain(part);
    // A file: fish 3 reads no script from a pipe with -n.
    const file = join(term.cwd, 'script');
    writeFileSync(file, term.out);
    const syntax = spawnSync(shell, ['-n', file], { encoding: 'utf8' });
    // Where there is no such shell, nobody can ask it.
    if (!syntax.error) expect([syntax.status, syntax.stderr]).toEqual([0, '']);
  });

  it('tells on a terminal how to install it', () => {
    expect(script('bash', { isTTY: true }).term.err).toContain('onemcp completion bash > ');
  });

  it('knows no other shell', () => {
    const { code, term } = script('tcsh');
    expect([code, term.out]).toEqual([2, '']);
    expect(term.err).toBe('onemcp: there is a script for bash, zsh, fish, not for "tcsh"\n');
  });

  it.each<[what: string, text: string | undefined, out: string]>([
    ['the servers of a file', '{ "mcpServers": { "b": {}, "a c": {}, "$(x)": {}, "-n": {} } }', 'b\na c\n'],
    ['nothing of a broken one', '{ "mcpServers": [', ''],
    ['nothing of an odd one', '[]', ''],
    ['nothing of null', 'null', ''],
    ['nothing where there is none', undefined, ''],
  ])('names %s', async (_, text, out) => {
    const term = terminal();
    if (text !== undefined) writeFileSync(join(term.cwd, 'mcp.json'), text);
    expect(await completionNames('mcp.json', term.ports)).toBe(0);
    expect([term.out, term.err]).toEqual([out, '']);
  });
});
