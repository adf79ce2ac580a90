// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the templates of the configuration look like those of JavaScript
import { spawnSync } from 'node:child_process';
import { chmodSync, lstatSync, mkdirSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { list } from '../../src/cli/list.ts';
import { type AddFlags, add, disable, enable, remove } from '../../src/cli/servers.ts';
import { MAIN } from '../e2e/gateway.ts';
import { createTerminal } from '../support/terminal.ts';
import { verifies } from '../support/verifies.ts';

const flags = { file: 'mcp.json' };

function shell(text?: string, env = {}) {
  const terminal = createTerminal(env);
  if (text !== undefined) terminal.write('mcp.json', text);
  const { ports } = terminal;
  return {
    ...terminal,
    add: (name: string, words: readonly string[], more: Partial<AddFlags> = {}) =>
      add(name, words, { flags: { ...flags, ...more }, ports }),
    remove: (name: string) => remove(name, { flags, ports }),
    enable: (name: string) => enable(name, { flags, ports }),
    disable: (name: string) => disable(name, { flags, ports }),
    list: (json = false) => list({ flags: { ...flags, json }, ports }),
  };
}

const TWO = '{\n  "mcpServers": {\n    "a": { "command": "x" }, // first\n    "b": { "url": "https://b.example/mcp" }\n  }\n}\n';

describe('add', () => {
  it('begins a file', async () => {
    const { add: run, read, printed, files, cwd } = shell();
    expect(await run('files', ['npx', '-y', 'server-files', '.'], { env: ['A=1=2', 'B='], tag: ['files'] })).toBe(0);
    expect(JSON.parse(read())).toEqual({
      mcpServers: { files: { command: 'npx', args: ['-y', 'server-files', '.'], env: { A: '1=2', B: '' }, tags: ['files'] } },
    });
    expect(printed()).toEqual({ out: ['mcp.json: added files'], err: [] });
    expect(files()).toEqual(['mcp.json']);
    expect(statSync(join(cwd, 'mcp.json')).mode & 0o777).toBe(0o600);
  });

  it('takes an address', async () => {
    const { add: run, read } = shell(TWO, { TOKEN: 'x' });
    expect(await run('c', [], { url: 'https://c.example', type: 'sse', header: ['Authorization=Bearer ${TOKEN}'] })).toBe(0);
    expect(JSON.parse(read().replace('// first', '')).mcpServers.c).toEqual({
      type: 'sse',
      url: 'https://c.example',
      headers: { Authorization: 'Bearer ${TOKEN}' },
    });
    expect(read()).toContain('// first');
  });

  it('replaces only when it is forced to', async () => {
    const { add: run, read, printed } = shell(TWO);
    expect(await run('a', ['y'])).toBe(2);
    expect(printed().err).toEqual(['onemcp: mcp.json: there is already a server "a"; --force replaces it']);
    expect(read()).toBe(TWO);
    expect(await run('a', ['y'], { force: true })).toBe(0);
    expect(printed().out).toEqual(['mcp.json: replaced a']);
    expect(read()).toContain('"command": "y"\n    }, // first');
  });

  it.each([
    [[], {}, 'onemcp: name a program behind "--", or an address with --url'],
    [['x'], { url: 'https://x' }, 'onemcp: a server is a program or has a --url, not both'],
    [['x'], { env: ['NOVALUE'] }, 'onemcp: --env takes NAME=VALUE'],
    [['x'], { header: ['A=b'] }, 'onemcp: --header goes with --url'],
    [[], { url: 'https://x', env: ['A=b'] }, 'onemcp: --env goes with a program; a remote server gets --header'],
  ] as const)('says what is wrong with %j %j', async (words, more, message) => {
    const { add: run, printed, files } = shell();
    expect(await run('x', words, more)).toBe(2);
    expect(printed()).toEqual({ out: [], err: [message] });
    expect(files()).toEqual([]);
  });
});

describe('a change', () => {
  it(verifies('config-edits', 'that would make the file invalid changes nothing'), async () => {
    const { add: run, read, printed, files } = shell(TWO);
    expect(await run('c', ['x'], { env: ['K=${NOT_SET}'], tag: ['Bad Tag'] })).toBe(2);
    expect(printed().err).toEqual([
      expect.stringMatching(/^mcp\.json:\d+:\d+ mcpServers\.c\.env\.K: variable NOT_SET is not set/),
      expect.stringMatching(/^mcp\.json:\d+:\d+ mcpServers\.c\.tags\[0\]: a tag has/),
      'onemcp: mcp.json was not changed: it would not be valid any longer',
    ]);
    expect(read()).toBe(TWO);
    expect(files()).toEqual(['mcp.json']);
  });

  it('may be made in a file that is invalid already, and mend it', async () => {
    const {
      remove: run,
      add: more,
      read,
      printed,
    } = shell('{ "mcpServers": { "a": { "comand": "x" }, "b": { "command": "${NOT_SET}" } } }');
    expect(await more('c', ['x'])).toBe(0);
    expect(await run('a')).toBe(0);
    expect(printed().err).toEqual([]);
    expect(JSON.parse(read())).toEqual({ mcpServers: { b: { command: '${NOT_SET}' }, c: { command: 'x' } } });
  });

  it('cannot be made in a file with a syntax error', async () => {
    const { disable: run, read, printed } = shell('{ "mcpServers": { "a": } }');
    expect(await run('a')).toBe(2);
    expect(printed().err).toEqual(['onemcp: mcp.json: the file has a syntax error; see onemcp check']);
    expect(read()).toBe('{ "mcpServers": { "a": } }');
  });

  it('keeps the mode, and the file that a link leads to', async () => {
    const { disable: run, cwd, write, read } = shell();
    mkdirSync(join(cwd, 'real'));
    write('real/servers.json', TWO);
    chmodSync(join(cwd, 'real/servers.json'), 0o640);
    symlinkSync('real/servers.json', join(cwd, 'mcp.json'));
    expect(await run('a')).toBe(0);
    expect(lstatSync(join(cwd, 'mcp.json')).isSymbolicLink()).toBe(true);
    expect(read('real/servers.json')).toContain('"disabled": true');
    expect(statSync(join(cwd, 'real/servers.json')).mode & 0o777).toBe(0o640);
  });

  it('needs a file', async () => {
    const { remove: run, printed, files } = shell();
    expect(await run('a')).toBe(2);
    expect(printed().err).toEqual([expect.stringMatching(/^mcp\.json: file not found/)]);
    expect(files()).toEqual([]);
  });
});

it('enable, disable and remove say what they did', async () => {
  const { enable: on, disable: off, remove: out, read, printed } = shell(TWO);
  expect([await off('a'), await off('a'), await on('a'), await on('a')]).toEqual([0, 0, 0, 0]);
  expect(printed().out).toEqual(
    ['disabled a', 'a is disabled already', 'enabled a', 'a is enabled already'].map((text) => `mcp.json: ${text}`),
  );
  expect(read()).toBe(TWO);
  expect(await out('a')).toBe(0);
  expect(read()).toBe('{\n  "mcpServers": {\n    "b": { "url": "https://b.example/mcp" }\n  }\n}\n');
  expect(await out('a')).toBe(2);
  expect(printed().err).toEqual(['onemcp: mcp.json: there is no server "a" in it']);
});

describe('list', () => {
  const text = JSON.stringify({
    mcpServers: {
      files: { command: 'npx', args: ['-y', 'server-files', 'my files', '--api-key', 'abc', '--token=abc'], tags: ['files', 'local'] },
      ten: { command: ['docker', 'run', 'KEY=${KEY}', 'sk-0123456789abcdef'], disabled: true },
      web: { url: 'https://ann:pw@x.example/u/0123456789abcdef0123456789abcdef/mcp?key=abc&x=${X}', type: 'sse' },
      auto: { url: 'https://y.example/mcp' },
      wrong: { args: 7 },
    },
    // JavaScript would put it first.
  }).replace('"ten"', '"10"');

  it('shows what is written, without what may be a credential', async () => {
    const { list: run, printed } = shell(text);
    expect(await run()).toBe(0);
    expect(printed()).toEqual({
      out: [
        'SERVER  TRANSPORT    TAGS                   COMMAND OR URL',
        'files   stdio        files local            npx -y server-files "my files" --api-key *** --token=***',
        '10      stdio                     disabled  docker run KEY=${KEY} ***',
        'web     sse                                 https://***@x.example/u/***/mcp?key=***&x=${X}',
        'auto    http or sse                         https://y.example/mcp',
        'wrong   none',
      ],
      err: [],
    });
  });

  it('has a document', async () => {
    const { list: run, printed } = shell(text);
    expect(await run(true)).toBe(0);
    const document = JSON.parse(printed().out.join('\n'));
    expect(document).toHaveLength(5);
    expect(document[1]).toEqual({
      name: '10',
      transport: 'stdio',
      command: ['docker', 'run', 'KEY=${KEY}', '***'],
      tags: [],
      disabled: true,
    });
  });

  it('says when there is nothing, or nothing to read', async () => {
    const { list: run, printed, write } = shell('{}');
    expect(await run()).toBe(0);
    expect(printed().out).toEqual(['mcp.json: no servers; add one: onemcp add NAME -- COMMAND']);
    write('mcp.json', '{');
    expect(await run()).toBe(2);
    expect(printed().err).toEqual(['mcp.json:1:2: expected "}"']);
  });
});

it('the program takes words behind "--" as they are', () => {
  const { cwd, read } = createTerminal();
  const onemcp = (...args: string[]) =>
    spawnSync(process.execPath, [MAIN, ...args], { cwd, encoding: 'utf8', env: { PATH: process.env.PATH } });
  const added = onemcp('add', 'x', '--env', 'A=1', '--env', 'B=2', '--tag', 't', '--', 'prog', '--url', '-x');
  expect(added).toMatchObject({ status: 0, stdout: './mcp.json: added x\n', stderr: '' });
  expect(JSON.parse(read())).toEqual({
    mcpServers: { x: { command: 'prog', args: ['--url', '-x'], env: { A: '1', B: '2' }, tags: ['t'] } },
  });
  expect(onemcp('list', '--file', 'mcp.json').stdout).toContain('prog --url -x');
  expect(onemcp('add', 'y', '--type', 'stdio').status).toBe(2);
});
