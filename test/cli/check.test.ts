import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { MAIN } from '../e2e/gateway.ts';
import { verifies } from '../support/verifies.ts';

const folder = mkdtempSync(join(tmpdir(), 'onemcp-check-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function onemcp(args: readonly string[], text?: string) {
  if (text !== undefined) writeFileSync(join(folder, 'mcp.json'), text);
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    cwd: folder,
    encoding: 'utf8',
    env: { PATH: process.env.PATH },
  });
  return { status, stdout, lines: stderr.trimEnd().split('\n') };
}

/** Ten broken files, and what is said of each, to the letter. */
const BROKEN: readonly (readonly [name: string, text: string, lines: readonly string[]])[] = [
  [
    'an unknown key of a server',
    '{ "mcpServers": {\n    "web": { "url": "https://x.example/mcp",\n    "timeuot": 5 }\n} }',
    ['mcp.json:3:5 mcpServers.web.timeuot: unknown key, did you mean "timeout"?'],
  ],
  [
    'an unknown key of the gateway',
    '{ "mcpServers": {},\n  "gateway": { "prot": 3051 } }',
    ['mcp.json:2:16 gateway.prot: unknown key, did you mean "port"?'],
  ],
  [
    'a wrong type',
    '{ "mcpServers": { "a": { "command": "x", "args": "y" } } }',
    ['mcp.json:1:50 mcpServers.a.args: expected a list, found a string'],
  ],
  [
    'a bad duration',
    '{ "mcpServers": { "a": { "command": "x",\n"startTimeout": "10 parsecs" } } }',
    ['mcp.json:2:17 mcpServers.a.startTimeout: expected a number of milliseconds or text like "10s", found "10 parsecs"'],
  ],
  ['a syntax error', '{ "mcpServers": { "a": { "command" "x" } } }', ['mcp.json:1:36: expected ":" after the key']],
  [
    'the same server twice',
    '{ "mcpServers": {\n "a": { "command": "x" },\n "a": { "command": "y" } } }',
    ['mcp.json:3:2 mcpServers.a: there is already a server of this name on line 2; keep one of them'],
  ],
  [
    'two names that become one',
    '{ "mcpServers": {\n "My_Srv": { "command": "x" },\n "my-srv": { "command": "y" } } }',
    ['mcp.json:3:2 mcpServers.my-srv: "My_Srv" and "my-srv" have the same namespace "my-srv"; give one of them another "namespace"'],
  ],
  [
    'an undefined variable',
    '{ "mcpServers": { "a": { "command": "x",\n "env": { "TOKEN": "${NO_SUCH_TOKEN}" } } } }',
    ['mcp.json:2:20 mcpServers.a.env.TOKEN: variable NO_SUCH_TOKEN is not set; set it, or write ${NO_SUCH_TOKEN:-default}'],
  ],
  [
    'both a program and a URL',
    '{ "mcpServers": { "a": { "command": "x", "url": "https://x.example" } } }',
    ['mcp.json:1:42 mcpServers.a.url: a server has either "command" or "url"; remove one of them'],
  ],
  ['an empty file', '', ['mcp.json:1:1: the file is empty; start with { "mcpServers": {} }']],
];

it.each(BROKEN)(verifies(['config-errors', 'C45'], 'check: %s'), (_, text, expected) => {
  const { status, stdout, lines } = onemcp(['check', 'mcp.json'], text);
  expect(status).toBe(2);
  expect(stdout).toBe('');
  expect(lines).toEqual(expected);
});

it('run says the same, and starts nothing', () => {
  const [, text, lines] = BROKEN[0] as (typeof BROKEN)[number];
  expect(onemcp(['run', 'mcp.json'], text)).toEqual({ status: 2, stdout: '', lines });
});

it('all problems at once', () => {
  const { status, lines } = onemcp(
    ['check'],
    '{ "mcpServers": {\n "a": { "comand": "x" },\n "b": { "command": "x", "tags": "t" },\n "c": { "url": "ftp://x" } } }',
  );
  expect(status).toBe(2);
  expect(lines.map((line) => line.split(' ')[1])).toEqual(
    expect.arrayContaining(['mcpServers.a.comand:', 'mcpServers.b.tags:', 'mcpServers.c.url:']),
  );
});

it('a missing file, a good file', () => {
  expect(onemcp(['check', 'missing.json'])).toMatchObject({ status: 2, lines: [expect.stringMatching(/^missing\.json: file not found/)] });
  expect(onemcp(['check'], '{ "mcpServers": { "a": { "command": "x" }, "b": { "command": "y", "disabled": true } } }')).toEqual({
    status: 0,
    stdout: './mcp.json: ok, 1 server, 1 disabled\n',
    lines: [''],
  });
});

it('a wrong option is named, and the right one suggested', () => {
  const { status, lines } = onemcp(['run', '--prot', '1']);
  expect(status).toBe(2);
  expect(lines.join('\n')).toContain("error: unknown option '--prot'\n(Did you mean --port?)");
  expect(onemcp(['run', '--port', '70000']).status).toBe(2);
  expect(onemcp(['run', '--inspect=x']).status).toBe(2);
});

it('an address that is not loopback needs a word', () => {
  const { status, lines } = onemcp(['run', '--host', '0.0.0.0'], '{ "mcpServers": {} }');
  expect(status).toBe(2);
  expect(lines[0]).toMatch(/insecure/i);
});
