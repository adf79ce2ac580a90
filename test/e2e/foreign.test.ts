/** Files of other products run as they are; only the paths and addresses of servers are those of this machine. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, it, onTestFinished } from 'vitest';
import { start } from '../fixtures/http/index.mjs';
import { verifies } from '../support/verifies.ts';
import { connect, MAIN, until } from './gateway.ts';

const FIXTURES = resolve(import.meta.dirname, '../fixtures');

async function runs(file: string, env: Record<string, string> = {}) {
  const [http, sse] = [await start('good'), await start('legacy-sse')];
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'onemcp-')));
  const text = readFileSync(join(FIXTURES, 'foreign', file), 'utf8')
    .replaceAll('"node"', () => JSON.stringify(process.execPath))
    .replaceAll('/Users/ada/mcp', () => join(FIXTURES, 'backends').replaceAll('\\', '/'))
    .replaceAll('http://127.0.0.1:8931/mcp', http.url)
    .replaceAll('http://127.0.0.1:8932/sse', sse.url);
  const path = join(folder, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  const child = spawn(process.execPath, [MAIN, 'run', path, '--port', '0', '--log-format', 'json'], {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: folder, ONEMCP_STATE_DIR: join(folder, 'state'), ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const lines: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => lines.push(line));
  const exited = new Promise<void>((done) => child.once('exit', () => done()));
  onTestFinished(async () => {
    child.kill();
    await exited;
    await Promise.all([http.close(), sse.close()]);
    rmSync(folder, { recursive: true, force: true });
  });
  const url = await until('it listens', () => {
    if (child.exitCode !== null) throw new Error(lines.join('\n'));
    return lines.map((line) => /serves (http\S+)\/mcp/.exec(line)?.[1]).find((found) => found !== undefined);
  });
  return { client: await connect(url), url, lines };
}

it.each([
  ['claude/claude_desktop_config.json', ['good', 'env'], 0],
  ['cursor/.cursor/mcp.json', ['good', 'docs', 'old-sse'], 5],
  ['vscode/.vscode/mcp.json', ['good', 'io-github-github-github-mcp-serv', 'old-sse'], 8],
  ['1mcp/mcp.json', ['good', 'enhanced', 'docs', 'old-sse', 'project-good', 'project-http', 'project-sse'], 14],
] as const)(verifies('foreign-files', 'runs and lists the tools of every server: %s'), async (file, namespaces, notes) => {
  const { client, lines } = await runs(file, { PERPLEXITY_KEY: 'perplexity-key', MCP_API_KEY: 'mcp-api-key', SEARCH_API_KEY: 'search' });
  const listed = await until('all of them are listed', async () => {
    const { message } = await client.request('tools/list');
    const names = (message.result.tools as { name: string }[]).map(({ name }) => name);
    return namespaces.every((namespace) => names.includes(`${namespace}__echo`)) && names;
  });
  expect(new Set(listed.map((name) => name.split('__')[0]))).toEqual(new Set(namespaces));
  const warnings = lines
    .map((line) => JSON.parse(line) as { event: string; message: string })
    .filter(({ event }) => event === 'config.warning');
  expect(warnings.length).toBeGreaterThanOrEqual(notes);
  for (const { message } of warnings) expect(message).toMatch(/^.*json:\d+:\d+ \S/);
});
