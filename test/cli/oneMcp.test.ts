// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the templates of the configuration look like those of JavaScript
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { asOurRun, withCommand } from '../../src/cli/oneMcp.ts';
import { MAIN, until } from '../e2e/gateway.ts';
import { verifies } from '../support/verifies.ts';

it.each([
  [
    ['--config', 'a.json'],
    ['run', '--config', 'a.json'],
  ],
  [
    ['-c', 'a.json'],
    ['run', '-c', 'a.json'],
  ],
  [['run', '--config', 'a.json'], undefined],
  [['--help'], undefined],
  [['-V'], undefined],
  [['status', '--json'], undefined],
  [[], undefined],
])('%j is %j', (args, wanted) => {
  expect(withCommand(args)).toEqual(wanted ?? args);
});

it.each([
  [['a.json'], {}, { files: ['a.json'], flags: { notes: [] } }],
  [[], { config: 'a.json', port: 1 }, { files: ['a.json'], flags: { port: 1, notes: [] } }],
  [['b.json'], { config: 'a.json' }, { files: ['a.json', 'b.json'], flags: { notes: [] } }],
  [[], { enableAsyncLoading: true }, { files: [], flags: { notes: [] } }],
  [[], { enableAsyncLoading: 'TRUE' }, { files: [], flags: { notes: [] } }],
  [[], { enableAsyncLoading: 'a.json' }, { files: ['a.json'], flags: { notes: [] } }],
  [
    [],
    { enableAsyncLoading: 'false' },
    { files: [], flags: { notes: ['--enable-async-loading: servers start in the background here; this is always on'] } },
  ],
  [[], { transport: 'http', port: 1 }, { files: [], flags: { port: 1, notes: [] } }],
  [[], { transport: 'stdio', port: 1 }, { files: [], flags: { stdio: true, port: undefined, notes: [] } }],
  [
    [],
    { transport: 'sse' },
    { files: [], flags: { notes: ['--transport sse: /sse is served beside /mcp, unless gateway.features.legacySse is false'] } },
  ],
] as const)('%j with %j is %j', (named, flags, ours) => {
  expect(asOurRun(named, flags)).toEqual(ours);
});

function home(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'onemcp-onemcp-'));
  writeFileSync(join(folder, 'mcp.json'), text);
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Starts the program with these arguments; gives what it wrote to stderr so far. */
function start(folder: string, args: readonly string[], env: Record<string, string>) {
  const child: ChildProcess = spawn(process.execPath, [MAIN, ...args], {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: folder, ONEMCP_STATE_DIR: join(folder, 'state'), ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const exited = new Promise((done) => child.once('exit', done));
  let err = '';
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    err += chunk;
  });
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await exited;
  });
  return { child, err: () => err, url: () => until('it listens', () => /serves (\S+)\/mcp/.exec(err)?.[1]) };
}

it(verifies('one-mcp', 'the command line of 1MCP starts the gateway'), async () => {
  const folder = home('{ "mcpServers": {} }');
  const gateway = start(folder, ['--config', 'mcp.json', '--enable-async-loading', '--log-level', 'debug'], { ONE_MCP_PORT: '0' });
  expect((await fetch(`${await gateway.url()}/health/live`)).status).toBe(200);
  expect(gateway.err()).not.toMatch(/note:|ONE_MCP|async/);
});

it('what differs is said in one line each', async () => {
  const folder = home('{ "mcpServers": {}, "gateway": { "port": 4000 } }');
  const gateway = start(folder, ['serve', '-c', 'mcp.json', '--enable-async-loading=false', '--transport', 'http', '-P', '1'], {
    ONEMCP_PORT: '0',
    ONE_MCP_ENABLE_ASYNC_LOADING: 'false',
  });
  await gateway.url();
  const said = gateway
    .err()
    .split('\n')
    .filter((line) => /always on/.test(line));
  expect(said).toEqual([
    'note: --enable-async-loading: servers start in the background here; this is always on',
    'warning: ONE_MCP_ENABLE_ASYNC_LOADING: servers start in the background here; this is always on',
  ]);
});

it('--transport stdio is --stdio', () => {
  const folder = home('{ "mcpServers": {} }');
  const initialize = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'x', version: '1' } };
  const { status, stdout } = spawnSync(process.execPath, [MAIN, '--config', 'mcp.json', '--transport', 'stdio', '--port', '1'], {
    cwd: folder,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: folder, ONEMCP_STATE_DIR: join(folder, 'state') },
    input: `${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params: initialize })}\n`,
  });
  expect(JSON.parse(stdout)).toMatchObject({ id: 1, result: { serverInfo: { name: 'onemcp' } } });
  expect(status).toBe(0);
});

it('two files are one too many', () => {
  const folder = home('{ "mcpServers": {} }');
  const { status, stderr } = spawnSync(process.execPath, [MAIN, 'run', 'a.json', '--config', 'mcp.json'], {
    cwd: folder,
    encoding: 'utf8',
  });
  expect({ status, first: stderr.split('\n')[0] }).toEqual({
    status: 2,
    first: 'error: name one configuration file, not mcp.json and a.json',
  });
});

it(verifies('dotenv', 'an edit of .env beside the file is applied, and programs see nothing of it'), async () => {
  const program = [process.execPath, '-e', 'require("fs").writeFileSync("seen", JSON.stringify(process.env)); process.stdin.resume()'];
  const folder = home(
    JSON.stringify({
      mcpServers: { a: { command: program, env: { GIVEN: '${FROM_DOTENV}' } } },
      gateway: { port: 0, ping: { misses: 3 } },
    }),
  );
  writeFileSync(join(folder, '.env'), 'FROM_DOTENV=one\nNOT_NAMED=secret\n');
  const gateway = start(folder, ['run', '--log-format', 'json'], {});
  const seen = (value: string) =>
    until(`the program sees ${value}`, () => {
      try {
        const env = JSON.parse(readFileSync(join(folder, 'seen'), 'utf8'));
        return env.GIVEN === value && env;
      } catch {
        return undefined;
      }
    });
  expect(await seen('one')).not.toHaveProperty('NOT_NAMED');
  await until('it listens', () => gateway.err().includes('gateway.listening'));
  writeFileSync(join(folder, '.env'), 'FROM_DOTENV=two\n');
  expect(await seen('two')).toHaveProperty('GIVEN', 'two');
});

it('an edit of an extended file or of the overlay is applied', async () => {
  const server = (value: string) =>
    JSON.stringify({
      mcpServers: { a: { command: [process.execPath, '-e', `require("fs").writeFileSync("seen", ${JSON.stringify(value)})`] } },
    });
  const folder = home('{ "extends": "base.json", "gateway": { "port": 0 } }');
  writeFileSync(join(folder, 'base.json'), server('base'));
  writeFileSync(join(folder, 'mcp.production.json'), '{}');
  const gateway = start(folder, ['run', '--env', 'production', '--log-format', 'json'], {});
  const seen = (value: string) =>
    until(`the program says ${value}`, () => {
      try {
        return readFileSync(join(folder, 'seen'), 'utf8') === value;
      } catch {
        return false;
      }
    });
  await seen('base');
  await until('it listens', () => gateway.err().includes('gateway.listening'));
  writeFileSync(join(folder, 'base.json'), server('base again'));
  await seen('base again');
  writeFileSync(join(folder, 'mcp.production.json'), server('overlay'));
  await seen('overlay');
});
