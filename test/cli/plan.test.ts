/** `onemcp plan` beside a running gateway, and without one. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { Json } from '../../src/world.ts';
import { fixture, MAIN, startGateway, untilState } from '../e2e/gateway.ts';
import { verifies } from '../support/verifies.ts';

function onemcp(folder: string, args: readonly string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const env = { PATH: process.env.PATH, ONEMCP_STATE_DIR: join(folder, 'state') };
    const child = execFile(process.execPath, [MAIN, 'plan', ...args], { cwd: folder, env }, (_, stdout, stderr) =>
      resolve({ status: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

const save = (folder: string, mcpServers: Json, gateway: Json = {}) =>
  writeFileSync(join(folder, 'mcp.json'), JSON.stringify({ mcpServers, gateway }, null, 2));

function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'onemcp-plan-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

it(verifies('plan', 'names what a reload would touch and which tools change, and changes nothing'), async () => {
  const counter = join(emptyFolder(), 'counter');
  const counts = (env: Record<string, string> = {}) => fixture('changes-on-restart', { COUNTER_FILE: counter, ...env });
  // It is not to be seen by the gateway before it is planned.
  const gateway = { reload: { quiet: '1h', max: '1h' } };
  const running = await startGateway({ stays: fixture('good'), goes: fixture('good'), swaps: counts(), tagged: fixture('good') }, gateway);
  const { folder } = running;
  await Promise.all(['stays', 'goes', 'swaps', 'tagged'].map((name) => untilState(running, name, 'connected')));
  save(
    folder,
    {
      comes: fixture('good'),
      stays: fixture('good'),
      swaps: counts({ MORE: '1' }),
      tagged: fixture('good', {}, { tags: ['t'] }),
      broken: { command: '/no/such/program' },
    },
    { ...gateway, features: { legacySse: false } },
  );

  const plain = await onemcp(folder, ['mcp.json']);
  expect(plain).toMatchObject({ status: 0, stderr: '' });
  expect(plain.stdout.trimEnd().split('\n')).toEqual([
    'mcp.json: compared with the running configuration (revision 1):',
    '  start      comes, broken',
    '  stop       goes  (calls in flight finish)',
    '  replace    swaps  (calls in flight finish on the old one)',
    '  change     tagged  (without a restart)',
    '  unchanged  stays',
    '  not yet    gateway.features.legacySse  (only a restart of the gateway applies these)',
    'tools:',
    ...Array.from({ length: 3 }, () => expect.stringContaining('  - goes: ')),
    'Which tools change is known after a start: onemcp plan --probe',
  ]);

  const probed = await onemcp(folder, ['mcp.json', '--probe', '--json']);
  const document = JSON.parse(probed.stdout);
  expect(document).toMatchObject({ revision: 1, start: ['comes', 'broken'], stop: ['goes'], swap: ['swaps'], retag: ['tagged'] });
  expect(document.tools.swaps).toEqual([
    { tool: 'start-1', change: 'vanishes', message: 'it is gone' },
    { tool: 'start-2', change: 'appears', message: 'it is new' },
  ]);
  expect(document.tools.comes.map(({ change }: { change: string }) => change)).toEqual(['appears', 'appears', 'appears']);
  expect(document.failures).toEqual({ broken: expect.stringContaining('/no/such/program') });
  expect(probed.status).toBe(1);

  expect((await running.health()).body.configuration).toMatchObject({ revision: 1 });
  expect((await running.health()).body.servers.details.map(({ name }) => name)).toEqual(['stays', 'goes', 'swaps', 'tagged']);
  expect(readFileSync(counter, 'utf8')).toBe('2');
});

it('shows the errors of the file, like check', async () => {
  const running = await startGateway({ a: fixture('good') }, { reload: { quiet: '1h', max: '1h' } });
  writeFileSync(join(running.folder, 'mcp.json'), '{ "mcpServers": {\n  "a": { "comand": "x" } } }');
  const { status, stdout, stderr } = await onemcp(running.folder, ['mcp.json']);
  expect({ status, stdout, stderr }).toEqual({
    status: 2,
    stdout: '',
    stderr: 'mcp.json:2:10 mcpServers.a.comand: unknown key, did you mean "command"?\n',
  });
});

it('compares with nothing when no gateway runs', async () => {
  const folder = emptyFolder();
  save(folder, { a: fixture('good'), b: { command: 'x', disabled: true } });
  const { status, stdout } = await onemcp(folder, ['mcp.json', '--probe']);
  expect(stdout.split('\n').slice(0, 3)).toEqual([
    'mcp.json: no gateway runs for it; compared with an empty configuration:',
    '  start      a',
    'tools:',
  ]);
  expect(stdout).toContain('  + a: ');
  expect(status).toBe(0);
  save(folder, {});
  expect((await onemcp(folder, ['mcp.json'])).stdout).toContain('\n  nothing\n');
  writeFileSync(join(folder, 'mcp.json'), '');
  expect(await onemcp(folder, ['mcp.json'])).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('mcp.json:1:1: the file is empty'),
  });
});
