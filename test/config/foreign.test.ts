// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the templates of the configuration look like those of JavaScript
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Config } from '../../src/config/config.ts';
import { inheritedVariables, variablesOfFile, variablesOfList } from '../../src/config/foreignEnv.ts';
import { formatIssue, type LoadOptions, loadConfig } from '../../src/config/load.ts';
import { expectGolden } from '../support/golden.ts';
import { verifies } from '../support/verifies.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures/foreign/', import.meta.url));
/** No machine's own: goldens hold what comes from it. */
const ENV = {
  HOME: '/Users/ada',
  USER: 'ada',
  PATH: '/bin',
  NODE_OPTIONS: '--no-warnings',
  SEARCH_API_KEY: 'search-key',
  PERPLEXITY_KEY: 'from the secrets',
  MCP_API_KEY: 'mcp-api-key',
  MCP_GREETING: 'hello',
  MCP_SECRET_X: 'never',
  OTHER: 'never',
};
const secrets = {
  read: async (name: string) => {
    if (name === 'perplexity-key') return 'perplexity-secret';
    throw new Error('there is no such secret');
  },
};

const load = (options: Partial<LoadOptions>) => loadConfig({ file: 'mcp.json', base: '/work', text: '', env: ENV, secrets, ...options });

/** Servers without what all of them have by default. */
function told({ backends, disabled }: Config, warnings: readonly string[]): string {
  const plain = backends.find(({ name }) => name === 'plain');
  const own = (backend: object) =>
    Object.fromEntries(
      Object.entries(backend).filter(
        ([key, value]) => plain === undefined || JSON.stringify(value) !== JSON.stringify(plain[key as keyof typeof plain]),
      ),
    );
  const servers = backends.filter(({ name }) => name !== 'plain').map((backend) => JSON.stringify(revealAll(own(backend)), null, 2));
  return [...warnings, '', ...servers, `disabled: ${disabled.join(', ')}`, ''].join('\n');
}

/** Secrets print as ***: here their values are wanted. */
function revealAll(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(revealAll);
  if (typeof value !== 'object' || value === null) return value;
  if ('reveal' in value) return `secret: ${(value as { reveal(): string }).reveal()}`;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, revealAll(inner)]));
}

describe('a file of another product', () => {
  it.each([
    ['claude', 'claude/claude_desktop_config.json'],
    ['cursor', 'cursor/.cursor/mcp.json'],
    ['vscode', 'vscode/.vscode/mcp.json'],
    ['vscode-user', 'vscode-user/settings.json'],
    ['1mcp', '1mcp/mcp.json'],
  ])(verifies('foreign-files', 'means the same here, with notes: %s'), async (golden, file) => {
    const loaded = await load({ file: `/ada/${file}`, text: readFileSync(FIXTURES + file, 'utf8') });
    if (!loaded.ok) throw new Error(loaded.issues.map(formatIssue).join('\n'));
    const plain = await load({ text: '{ "mcpServers": { "plain": { "command": "x" } } }' });
    const backends = [...loaded.config.backends, ...(plain.ok ? plain.config.backends : [])];
    expectGolden(`foreign/${golden}.txt`, told({ ...loaded.config, backends }, loaded.warnings.map(formatIssue)));
  });

  it('tells its mistakes where they are written', async () => {
    const text = '{ "servers": {\n  "a": { "command": 7 },\n  "b": {} } }';
    expect(await load({ text })).toMatchObject({
      ok: false,
      issues: [
        { line: 2, column: 21, path: 'servers.a.command' },
        { line: 3, column: 3, path: 'servers.b' },
      ],
    });
  });

  it('may be copied, when all its variables are those of Cursor', async () => {
    const text = '{ "mcpServers": { "a": { "command": "x", "args": ["${env:USER}", "${userHome}"] } } }';
    const loaded = await load({ text });
    expect(loaded).toMatchObject({ ok: true, warnings: [], config: { backends: [{ args: ['ada', '/Users/ada'] }] } });
    const mistake = await load({ text: text.replace('"command"', '"timeuot": 1, "command"') });
    expect(mistake).toMatchObject({ ok: false, issues: [{ message: 'unknown key, did you mean "timeout"?' }] });
  });

  it('has no say in ours: unknown keys stay mistakes, unset variables too', async () => {
    const text = '{ "mcpServers": { "a": { "command": "${NOT_SET}", "restartOnExit": false, "tools": [] } } }';
    expect(await load({ text })).toMatchObject({ ok: false, issues: [{ path: 'mcpServers.a.command' }, { path: 'mcpServers.a.tools' }] });
  });

  it('is noted where it is misspelt', async () => {
    const loaded = await load({ text: '{ "servers": { "a": { "comand": "y", "command": "x" } }, "imputs": [] }' });
    if (!loaded.ok) throw new Error(loaded.issues.map(formatIssue).join());
    expect(loaded.warnings.map(formatIssue)).toEqual([
      'mcp.json:1:23 servers.a.comand: unknown key, ignored as in VS Code; did you mean "command"?',
      'mcp.json:1:58 imputs: unknown key, ignored as in VS Code',
    ]);
  });
});

it('variables come from a file, below those that are written', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'onemcp-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(
    join(folder, 'x.env'),
    '# comment\nA=1\nexport B="two # 2\\n" # x\nC=\'$A ${A}\'\nD = \nE=a#b # c\nnonsense\nF=${OTHER}\n',
  );
  const text = '{ "servers": { "a": { "command": "x", "envFile": "x.env", "env": { "A": "own" } } } }';
  const loaded = await load({ file: join(folder, 'mcp.json'), text });
  expect(loaded).toMatchObject({
    ok: true,
    config: { backends: [{ env: { A: 'own', B: 'two # 2\n', C: '$A ${A}', D: '', E: 'a#b', F: '${OTHER}' } }] },
  });
});

describe('the environment', () => {
  it('of a list', () => {
    expect(variablesOfList(['A=1=2', 'USER', 'NOT_SET', ' B = x'], ENV)).toEqual({ A: '1=2', USER: '${USER}', B: ' x' });
  });

  it('of the gateway, filtered', () => {
    const env = { A: '1', AB: '2', B: '3', ONEMCP_SECRETS: '/x', 'BASH_FUNC_x%%': '() { :; }', F: '() { :; }' };
    expect(Object.keys(inheritedVariables(env, []))).toEqual(['A', 'AB', 'B']);
    expect(inheritedVariables(env, ['A*', '!AB'])).toEqual({ A: '${A}' });
    expect(Object.keys(inheritedVariables(env, ['!A']))).toEqual(['AB', 'B']);
  });

  it('of a file, whatever is in it', () => {
    expect(variablesOfFile('A="\\"x\\""\r\nB=\'\'\n=x\n1A=2\nC="open')).toEqual({ A: '"x"', B: '', C: '"open' });
  });
});

it('lists of tools to hide are taken over; what is no list is told, and hides nothing', async () => {
  const entry = (more: object) => ({ command: 'x', enabled: true, ...more });
  const mcpServers = { a: entry({ enabledTools: ['t'] }), b: entry({ disabledTools: ['t'] }), c: entry({ disabledTools: 'all' }) };
  const loaded = await load({ file: '/srv/1mcp/mcp.json', text: JSON.stringify({ mcpServers }) });
  if (!loaded.ok) throw new Error(loaded.issues.map(formatIssue).join());
  expect(loaded.config.backends.map(({ enabledTools, disabledTools }) => [enabledTools, disabledTools])).toEqual([
    [['t'], undefined],
    [undefined, ['t']],
    [undefined, undefined],
  ]);
  expect(loaded.warnings.map(({ path, message }) => `${path}: ${message}`)).toContain(
    'mcpServers.c.disabledTools: this is no list of names, so all tools of this server are shown',
  );
  // A mistake in a file of ours stays one.
  const own = await load({ text: JSON.stringify({ mcpServers: { c: { command: 'x', disabledTools: 'all' } } }) });
  expect(own.ok).toBe(false);
});
