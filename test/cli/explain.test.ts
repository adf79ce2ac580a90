import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { MAIN } from '../e2e/gateway.ts';
import { verifies } from '../support/verifies.ts';

const folder = mkdtempSync(join(tmpdir(), 'onemcp-explain-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
writeFileSync(
  join(folder, 'mcp.json'),
  '{\n  "mcpServers": {},\n  "gateway": {\n    "port": 4000,\n    "restart": { "initial": 1500, "max": "1m" }\n  }\n}\n',
);
writeFileSync(join(folder, '.env'), 'ONEMCP_RESTART_MAX=90s\n');

function onemcp(args: readonly string[], env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    cwd: folder,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, ...env },
  });
  return { status, lines: stdout.trimEnd().split('\n'), errors: stderr.trimEnd().split('\n') };
}

it(verifies('layers-explain', 'config explain shows what is set, where, and what that hides'), () => {
  const { status, lines, errors } = onemcp(['config', 'explain', '--port', '4500'], { ONE_MCP_PORT: '5000', ONEMCP_PROT: '1' });
  expect(status).toBe(0);
  expect(lines).toEqual([
    'SETTING          VALUE   FROM                        HIDES',
    'port             5000    ONE_MCP_PORT                4500 (--port); 4000 (./mcp.json:4:5); 3050 (default)',
    'restart.initial  1500ms  ./mcp.json:5:18             500ms (default)',
    'restart.max      90s     ONEMCP_RESTART_MAX in .env  1m (./mcp.json:5:35); 30s (default)',
  ]);
  expect(errors).toEqual(['warning: ONEMCP_PROT: unknown variable, did you mean ONEMCP_PORT?']);
});

it('tells the whole story of one setting', () => {
  expect(onemcp(['config', 'explain', 'gateway.restart.initial', 'mcp.json']).lines).toEqual([
    'restart.initial = 1500ms',
    '  from   file, mcp.json:5:18',
    '  hides  500ms (default)',
    '',
    '  Lower bound of the first restart delay, which is at most twice as long; both double with each failure.',
    '  Set by the variable ONEMCP_RESTART_INITIAL, gateway.restart.initial in the file; the first of these that is there wins.',
  ]);
  expect(onemcp(['config', 'explain', '--', '--log-level']).lines).toEqual(
    expect.arrayContaining(['logLevel = info', '  from   default', '  One of: error, warn, info, debug.']),
  );
});

it('shows groups, all, and JSON', () => {
  const group = onemcp(['config', 'explain', 'restart']);
  expect(group.lines.map((line) => line.split(' ')[0])).toEqual([
    'SETTING',
    'restart.initial',
    'restart.max',
    'restart.resetAfter',
    'restart.failures',
    'restart.within',
  ]);
  expect(onemcp(['config', 'explain', '--all']).lines.length).toBeGreaterThan(80);
  expect(JSON.parse(onemcp(['config', 'explain', 'restart.max', '--json']).lines.join('\n'))).toEqual([
    {
      name: 'restart.max',
      layer: 'environment',
      source: 'ONEMCP_RESTART_MAX in .env',
      value: 90_000,
      hidden: [
        { layer: 'file', source: './mcp.json:5:35', value: 60_000 },
        { layer: 'default', value: 30_000 },
      ],
      variable: 'ONEMCP_RESTART_MAX',
      aliases: [],
      path: 'gateway.restart.max',
      unit: 'ms',
      default: 30_000,
      help: 'Upper bound of any restart delay.',
    },
  ]);
});

it('says what is wrong', () => {
  expect(onemcp(['config', 'explain', 'prot'])).toMatchObject({
    status: 2,
    errors: ['onemcp: there is no setting "prot", did you mean "port"?'],
  });
  expect(onemcp(['config', 'explain', 'port', 'missing.json'])).toMatchObject({ status: 2, errors: [expect.stringMatching(/not found/)] });
  expect(onemcp(['config', 'explain', 'missing.json'])).toMatchObject({ status: 2, errors: [expect.stringMatching(/not found/)] });
  const bad = onemcp(['config', 'explain', 'port'], { ONEMCP_PORT: 'http' });
  expect(bad).toMatchObject({ status: 2, errors: ['ONEMCP_PORT: expected a port number from 0 to 65535, found "http"'] });
  expect(bad.lines[0]).toBe('port = 4000');
});

it('finds the file that the environment names', () => {
  expect(onemcp(['config', 'explain', 'port'], { ONEMCP_CONFIG: 'missing.json' })).toMatchObject({ status: 2 });
  expect(onemcp(['check'], { ONE_MCP_CONFIG: join(folder, 'mcp.json') })).toMatchObject({
    status: 0,
    lines: [`${join(folder, 'mcp.json')}: ok, 0 servers`],
  });
  expect(onemcp(['check', 'mcp.json'], { ONE_MCP_CONFIG: 'missing.json' })).toMatchObject({ status: 0 });
});
