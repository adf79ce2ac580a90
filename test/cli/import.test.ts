// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the templates of the configuration look like those of JavaScript
import { cpSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type ImportFlags, importFrom } from '../../src/cli/import.ts';
import { type InitFlags, init } from '../../src/cli/init.ts';
import { knownFiles } from '../../src/cli/known.ts';
import type { Product } from '../../src/config/importing.ts';
import { loadConfig } from '../../src/config/load.ts';
import { parseDocument } from '../../src/config/parse.ts';
import { until } from '../e2e/gateway.ts';
import { createTerminal } from '../support/terminal.ts';
import { verifies } from '../support/verifies.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures/foreign/', import.meta.url));

/** A home with the files of all products where they keep them. */
function machine(env = {}, more = {}) {
  const terminal = createTerminal(env, more);
  const { cwd, ports } = terminal;
  const put = (fixture: string, place: string) => {
    mkdirSync(dirname(join(cwd, place)), { recursive: true });
    cpSync(join(FIXTURES, fixture), join(cwd, place));
  };
  const has = {
    claude: () => put('claude/claude_desktop_config.json', '.config/Claude/claude_desktop_config.json'),
    cursor: () => put('cursor/.cursor/mcp.json', '.cursor/mcp.json'),
    vscode: () => put('vscode/.vscode/mcp.json', '.vscode/mcp.json'),
    '1mcp': () => put('1mcp/mcp.json', '.config/1mcp/mcp.json'),
  };
  return {
    ...terminal,
    has,
    import: (product: Product, path?: string, flags: Partial<ImportFlags> = {}) =>
      importFrom({ product, path }, { file: 'mcp.json', onConflict: 'rename', ...flags }, ports),
    init: (flags: Partial<InitFlags> = {}) => init({ flags: { file: 'mcp.json', ...flags }, ports }),
    servers() {
      const value = parseDocument(terminal.read()).document?.value as { mcpServers?: Record<string, Record<string, unknown>> } | undefined;
      return value?.mcpServers ?? {};
    },
  };
}

const OWN = '{\n  // ours\n  "mcpServers": {\n    "good": { "command": "mine" } // keep\n  }\n}\n';

describe('import', () => {
  it.each([
    ['claude', ['good', 'env']],
    ['cursor', ['good', 'docs', 'old-sse']],
    ['vscode', ['good', 'io.github.github/github-mcp-server', 'old-sse', 'asks', 'socket', 'editor']],
    [
      '1mcp',
      ['good', 'enhanced', 'docs', 'streamable', 'old-sse', 'off', 'project-good', 'project-http', 'project-sse', 'branch', 'conditional'],
    ],
  ] as const)(verifies('import-keeps', 'every entry arrives, and the result is valid: %s'), async (product, names) => {
    const { has, import: run, servers, read, ports, printed, files } = machine({ MCP_API_KEY: 'k', SEARCH_API_KEY: 'k' });
    has[product]();
    expect(await run(product)).toBe(0);
    expect(Object.keys(servers())).toEqual(names);
    expect(printed().out[0]).toMatch(new RegExp(`^${names.length} of ${names.length} servers of .* imported from `));
    expect(files().filter((file) => file.startsWith('mcp.json'))).toEqual(['mcp.json']);
    const secrets = { read: async () => 'x' };
    const loaded = await loadConfig({ file: 'mcp.json', text: read(), base: ports.cwd, env: ports.env, secrets });
    expect(loaded).toMatchObject({ ok: true });
  });

  it(verifies('import-keeps', 'what is there stays, with its comments and a copy; a second time adds nothing'), async () => {
    const { has, import: run, read, write, printed, files, servers } = machine();
    write('mcp.json', OWN);
    has.claude();
    expect(await run('claude')).toBe(0);
    const { out } = printed();
    expect(out.slice(1, 3)).toEqual(['  good-2  (there is another good already)', '  env']);
    expect(read().startsWith('{\n  // ours\n  "mcpServers": {\n    "good": { "command": "mine" }, // keep\n    "good-2": {\n')).toBe(true);
    expect(servers().env?.args).toEqual(['/Users/ada/mcp/env-dump.mjs', '--prompt=cost: $${price}']);
    const backup = files().find((file) => file.startsWith('mcp.json.bak-')) as string;
    expect(read(backup)).toBe(OWN);
    expect(out[3]).toBe(`the former mcp.json is ${backup}`);
    const text = read();
    expect(await run('claude')).toBe(0);
    expect(printed().out).toEqual([expect.stringMatching(/^0 of 2 servers/), 'there already: good, env']);
    expect(read()).toBe(text);
    expect(files().filter((file) => file.startsWith('mcp.json'))).toHaveLength(2);
  });

  it('may be refused when a name is taken, or only be shown', async () => {
    const { has, import: run, read, write, printed, files } = machine();
    write('mcp.json', OWN);
    has.claude();
    expect(await run('claude', undefined, { onConflict: 'fail' })).toBe(2);
    expect(printed().err).toEqual([expect.stringMatching(/^onemcp: mcp\.json: there is already another server "good"/)]);
    expect(await run('claude', undefined, { dryRun: true })).toBe(0);
    const { out, err } = printed();
    expect(out.join('\n')).toContain('"good-2": {');
    expect(err.at(-1)).toBe('mcp.json: not changed, this was a dry run');
    expect(read()).toBe(OWN);
    expect(files().filter((file) => file.startsWith('mcp.json'))).toEqual(['mcp.json']);
  });

  it('keeps variables, and switches off what cannot start', async () => {
    const { has, import: run, servers, printed, cwd } = machine({ SEARCH_API_KEY: 'x' });
    has.cursor();
    expect(await run('cursor')).toBe(0);
    expect(servers().good).toEqual({
      type: 'stdio',
      command: 'node',
      args: ['/Users/ada/mcp/good.mjs', '--root', `${cwd}/src`],
      env: { API_KEY: '${SEARCH_API_KEY}', CACHE: '${HOME:-${USERPROFILE:-}}/.cache/search' },
      envFile: `${cwd}/.env`,
      cwd,
    });
    expect(servers().docs?.headers).toEqual({ Authorization: 'Bearer ${DOCS_TOKEN:-}' });
    expect(printed().err).toContainEqual(expect.stringMatching(/^note: .*mcp\.json:18:7 mcpServers\.docs\.auth: onemcp does not log in/));
    has.vscode();
    expect(await run('vscode')).toBe(0);
    expect(servers().asks).toMatchObject({ headers: { Authorization: 'Bearer ${SECRET:unanswered}' }, disabled: true });
  });

  it('gives a server whose namespace is taken another one', async () => {
    const { import: run, write, servers } = machine();
    write('mcp.json', '{ "mcpServers": { "My_Srv": { "command": "x" } } }');
    write('their.json', '{ "mcpServers": { "my-srv": { "command": "y" } } }');
    expect(await run('cursor', 'their.json')).toBe(0);
    expect(servers()['my-srv']).toEqual({ command: 'y', namespace: 'my-srv-2' });
  });

  it('says where it looked, and what is wrong with a file', async () => {
    const { import: run, write, printed, cwd, files } = machine();
    expect(await run('cursor')).toBe(2);
    expect(printed().err).toEqual([
      'onemcp: no file of Cursor was found; name one: onemcp import cursor FILE',
      `  not there: ${cwd}/.cursor/mcp.json`,
      `  not there: ${cwd}/.cursor/mcp.json`,
    ]);
    write('their.json', '{ "mcpServers": { "a": } }');
    expect(await run('claude', 'their.json')).toBe(2);
    write('their.json', '{}');
    expect(await run('claude', 'their.json')).toBe(2);
    expect(printed().err).toEqual([
      'onemcp: mcp.json: their.json:1:24: expected a value',
      'onemcp: mcp.json: their.json has no servers of Claude Desktop',
    ]);
    expect(files()).toEqual(['their.json']);
  });
});

it('every product has its places on every platform', () => {
  const where = (platform: NodeJS.Platform, env: Record<string, string>) => (product: Product) =>
    knownFiles(product, { platform, env, cwd: '/project' }).map((file) => file.replaceAll('\\', '/'));
  const mac = where('darwin', { HOME: '/Users/ada' });
  expect(mac('claude')).toEqual(['/Users/ada/Library/Application Support/Claude/claude_desktop_config.json']);
  expect(mac('1mcp')).toEqual(['/Users/ada/.config/1mcp/mcp.json']);
  const linux = where('linux', { HOME: '/home/ada', XDG_CONFIG_HOME: '/x' });
  expect(linux('vscode')).toEqual(['/project/.vscode/mcp.json', '/x/Code/User/mcp.json', '/x/Code/User/settings.json']);
  expect(linux('cursor')).toEqual(['/project/.cursor/mcp.json', '/home/ada/.cursor/mcp.json']);
  const windows = where('win32', { APPDATA: 'C:/App' });
  expect(windows('claude')).toEqual(['C:/App/Claude/claude_desktop_config.json']);
  expect(windows('1mcp')).toEqual(['C:/App/1mcp/mcp.json']);
  expect(where('linux', {})('claude')).toEqual([]);
});

describe('init', () => {
  it('writes an empty configuration, and names what could be imported', async () => {
    const { init: run, has, read, printed } = machine();
    has.claude();
    expect(await run()).toBe(0);
    expect(read()).toBe('{\n  "mcpServers": {}\n}\n');
    const { out } = printed();
    expect(out).toContain('  onemcp import claude   # 2 servers of Claude Desktop');
    expect(out.at(-1)).toBe('  onemcp run mcp.json');
  });

  it('imports what is found, when it is told to', async () => {
    const { init: run, has, servers, read } = machine();
    has.claude();
    has.cursor();
    expect(await run({ yes: true, import: true, port: 4000 })).toBe(0);
    expect(Object.keys(servers())).toEqual(['good', 'env', 'good-2', 'docs', 'old-sse']);
    expect(read()).toContain('"gateway": {\n    "port": 4000\n  }');
  });

  it('replaces a file only when it is forced to', async () => {
    const { init: run, write, read, printed, files } = machine();
    write('mcp.json', OWN);
    expect(await run()).toBe(2);
    expect(printed().err).toEqual(['onemcp: mcp.json is there already; --force replaces it, keeping the old one beside it']);
    expect(read()).toBe(OWN);
    expect(await run({ force: true })).toBe(0);
    expect(read()).toBe('{\n  "mcpServers": {}\n}\n');
    expect(read(files().find((file) => file.startsWith('mcp.json.bak-')))).toBe(OWN);
  });

  it('asks on a terminal', async () => {
    const stdin = Object.assign(new PassThrough(), { isTTY: true });
    let shown = '';
    const stdout = Object.assign(new PassThrough(), { isTTY: true }).on('data', (chunk) => (shown += chunk));
    const { init: run, has, servers, read } = machine({}, { stdin, stdout });
    has.claude();
    has.cursor();
    const done = run();
    const answer = async (question: string, text: string) => {
      await until(question, () => shown.includes(question));
      shown = '';
      stdin.write(`${text}\n`);
    };
    await answer('Import 2 servers of Claude Desktop from', 'n');
    await answer('Import 3 servers of Cursor from', '');
    await answer('Port to listen on [3050] ', 'x');
    await answer('Port to listen on [3050] ', '3051');
    expect(await done).toBe(0);
    expect(Object.keys(servers())).toEqual(['good', 'docs', 'old-sse']);
    expect(read()).toContain('"port": 3051');
  });

  it('writes nothing when the terminal is closed', async () => {
    const stdin = Object.assign(new PassThrough(), { isTTY: true });
    const stdout = Object.assign(new PassThrough(), { isTTY: true });
    const { init: run, printed, files } = machine({}, { stdin, stdout });
    const done = run();
    stdin.end();
    expect(await done).toBe(1);
    expect(printed().err).toEqual(['onemcp: nothing was written']);
    expect(files()).toEqual([]);
  });
});
