import { afterAll, describe, expect, it } from 'vitest';
import { findProgram } from '../debian.ts';
import { verifies } from '../support/verifies.ts';
import { createShells, type Shell } from './shells.ts';

const shells = createShells(['web', 'wiki', 'files']);
afterAll(() => shells.remove());

const otherwise = 'its completion was only looked at, not run';
const there: Readonly<Record<Shell, boolean>> = {
  bash: true,
  zsh: findProgram('zsh', { package: 'zsh', otherwise }) !== undefined,
  fish: findProgram('fish', { package: 'fish', otherwise }) !== undefined,
};

/** Lines, and what every shell offers for each. */
const LINES: readonly (readonly [line: string, words: readonly string[]])[] = [
  ['onemcp comp', ['completion']],
  ['onemcp completion ', ['bash', 'fish', 'zsh']],
  ['onemcp completion z', ['zsh']],
  ['onemcp why ', ['files', 'web', 'wiki']],
  ['onemcp restart w', ['web', 'wiki']],
  ['onemcp tools --server w', ['web', 'wiki']],
  ['onemcp run --log-format ', ['json', 'pretty']],
  ['onemcp run --log-f', ['--log-file', '--log-format']],
  ['onemcp secret s', ['set']],
];

it.skipIf(!there.fish)('fish offers files only after the name of a server', () => {
  expect(shells.offered('fish', 'onemcp why mcp')).toEqual([]);
  expect(shells.offered('fish', 'onemcp why web ')).not.toContain('wiki');
  expect(shells.offered('fish', 'onemcp why web mcp')).toEqual(['mcp.json']);
  // "run" is a command, but not where it is the name of a server.
  expect(shells.offered('fish', 'onemcp why run mcp')).toEqual(['mcp.json']);
});

describe.each(['bash', 'zsh', 'fish'] as const)('completion in a real %s', (shell) => {
  it.skipIf(!there[shell])(verifies('cli-completion', 'offers commands, servers, options and their words, and nothing else'), () => {
    const offered = LINES.map(([line]) => [line, shells.offered(shell, line)]);
    expect(offered).toEqual(LINES.map(([line, words]) => [line, words]));
  });

  it.skipIf(!there[shell])('knows every command, as bash does', () => {
    const commands = shells.offered(shell, 'onemcp ');
    expect(commands).toEqual(expect.arrayContaining(['check', 'completion', 'help', 'run', 'status', 'tools', 'why']));
    expect(commands).not.toContain('completion-names');
    expect(commands).toEqual(shells.offered('bash', 'onemcp '));
  });

  it.skipIf(!there[shell])('knows every option of a command, as bash does', () => {
    expect(shells.offered(shell, 'onemcp run --')).toEqual(shells.offered('bash', 'onemcp run --'));
  });
});
