import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../e2e/gateway.ts';

const root = resolve(import.meta.dirname, '../..');
const copy = mkdtempSync(join(tmpdir(), 'onemcp-copy-'));
/** What a stranger's shell has: none of the variables that npm and vitest set for their children. */
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_|VITEST|TEST$|CI$)/i.test(name)));

/** Runs a line in the copy; fails with all it printed. */
function shell(line: string): string {
  const { status, stdout, stderr } = spawnSync('bash', ['-c', line], { cwd: copy, env, encoding: 'utf8', maxBuffer: 64e6 });
  if (status !== 0) throw new Error(`${line}: exit code ${status}\n${stdout}\n${stderr}`);
  return stdout;
}

beforeAll(() => {
  const files = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' }).split('\0').filter(Boolean);
  for (const file of files) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    cpSync(join(root, file), join(copy, file));
  }
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

const readme = readFileSync(join(root, 'README.md'), 'utf8');
const commands = [...readme.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, line]) => (line as string).trim());

it('the README names these commands, and this file runs them', () => {
  expect(commands).toEqual(['npm ci && npm start', 'curl localhost:3050/health', 'npm ci && npm test']);
});

async function expectAllThree(client: Client): Promise<void> {
  const { tools } = await client.listTools();
  const names = tools.map(({ name }) => name);
  expect(new Set(names.map((name) => name.split('__')[0]))).toEqual(new Set(['everything', 'filesystem', 'memory']));
  expect(await client.callTool({ name: 'everything__echo', arguments: { message: 'hi' } })).toMatchObject({
    content: [{ type: 'text', text: 'Echo: hi' }],
  });
  expect(await client.callTool({ name: 'memory__read_graph', arguments: {} })).toMatchObject({ content: [{ type: 'text' }] });
  const directories = await client.callTool({ name: 'filesystem__list_allowed_directories', arguments: {} });
  expect(JSON.stringify(directories)).toContain(copy);
}

it('npm ci && npm start: three servers, seen by curl and by an SDK client', async () => {
  const server: ChildProcess = spawn('bash', ['-c', commands[0] as string], { cwd: copy, env, stdio: 'inherit', detached: true });
  const exited = new Promise<number | null>((done) => server.once('exit', done));
  try {
    const health = await until(
      'three servers are connected',
      () => {
        try {
          const body = JSON.parse(shell(String(commands[1]).replace('curl', 'curl -s')));
          return body.servers.healthy === 3 ? body : undefined;
        } catch {
          return undefined;
        }
      },
      180_000,
    );
    expect(health).toMatchObject({
      status: 'healthy',
      servers: {
        total: 3,
        details: [
          { name: 'everything', tags: ['demo'] },
          { name: 'filesystem', tags: ['files'] },
          { name: 'memory', tags: ['memory'] },
        ],
      },
    });
    const client = new Client({ name: 'test', version: '1' });
    await client.connect(new StreamableHTTPClientTransport(new URL('http://127.0.0.1:3050/mcp')));
    await expectAllThree(client);
    await client.close();
  } finally {
    process.kill(-(server.pid as number), 'SIGTERM');
    await exited;
  }
});

it('over stdio: the same three servers, and nothing on stdout but JSON-RPC', async () => {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: ['dist/main.js', 'run', '--stdio', '--log-level', 'debug'],
    cwd: copy,
    stderr: 'ignore',
  });
  const client = new Client({ name: 'test', version: '1' });
  const noise: Error[] = [];
  client.onerror = (error) => noise.push(error);
  await client.connect(transport);
  await expectAllThree(client);
  await client.close();
  expect(noise).toEqual([]);
});

it('the package can be installed and imported, with types', () => {
  // Beside the copy, which has to stay as it was cloned.
  const consumer = mkdtempSync(join(tmpdir(), 'onemcp-consumer-'));
  try {
    const [packed] = JSON.parse(shell(`npm pack --json --ignore-scripts --pack-destination ${consumer}`)) as { filename: string }[];
    const snippet = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] as string;
    writeFileSync(join(consumer, 'package.json'), '{ "name": "consumer", "type": "module", "private": true }');
    writeFileSync(join(consumer, 'main.ts'), snippet);
    const compiler = join(copy, 'node_modules/typescript-native/bin/tsc');
    shell(`cd ${consumer} && npm install --no-audit --no-fund --ignore-scripts ./${packed?.filename} @types/node@20`);
    shell(`cd ${consumer} && node ${compiler} --ignoreConfig --strict --target es2023 --module nodenext --types node --outDir out main.ts`);
    expect(shell(`cd ${consumer} && node out/main.js`)).toMatch(/^http:\/\/127\.0\.0\.1:\d+ running\n$/);
    expect(shell(`cd ${consumer} && npx onemcp --version`)).toMatch(/^\d+\.\d+\.\d+\n$/);
  } finally {
    rmSync(consumer, { recursive: true, force: true });
  }
});

const ran = process.env.README_TEST_RAN;

it.skipIf(ran === commands[2])('npm ci && npm test', () => {
  expect(shell(commands[2] as string)).toMatch(/Tests .*passed/);
});

it('CI runs the very test command of the README, and goes on only if it passed', () => {
  const lines = readFileSync(join(root, '.ci/run'), 'utf8').split('\n');
  const at = lines.indexOf(commands[2] as string);
  expect([lines.includes('set -euo pipefail'), at]).toEqual([true, expect.toSatisfy((index) => index > 0)]);
  expect(lines.indexOf(`export README_TEST_RAN='${commands[2]}'`)).toBeGreaterThan(at);
  if (ran === commands[2]) console.log(`"${ran}" was run by .ci/run before this, and not once more here`);
});
