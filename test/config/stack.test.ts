// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the templates of the configuration look like those of JavaScript
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { explainConfig } from '../../src/config/explain.ts';
import { formatIssue, loadConfig } from '../../src/config/load.ts';
import { wholeText } from '../../src/config/stack.ts';
import { verifies } from '../support/verifies.ts';

/** A folder with these files; the configuration is `mcp.json`. */
function home(files: Readonly<Record<string, string>>) {
  const base = mkdtempSync(join(tmpdir(), 'onemcp-stack-'));
  onTestFinished(() => rmSync(base, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(base, name)), { recursive: true });
    writeFileSync(join(base, name), text);
  }
  const options = { file: 'mcp.json', text: files['mcp.json'] ?? '', base, secrets: { read: () => 'x' } };
  return { base, load: (env: Record<string, string> = {}) => loadConfig({ ...options, env }), options };
}

async function config(files: Readonly<Record<string, string>>, env: Record<string, string> = {}) {
  const loaded = await home(files).load(env);
  if (!loaded.ok) throw new Error(loaded.issues.map(formatIssue).join('\n'));
  return loaded.config;
}

async function issues(files: Readonly<Record<string, string>>, env: Record<string, string> = {}) {
  const loaded = await home(files).load(env);
  return (loaded.ok ? [] : loaded.issues).map(formatIssue);
}

const BASE =
  '{ "mcpServers": { "b": { "command": "b", "env": { "X": "1", "Y": "1" } }, "c": { "command": "c" } }, "gateway": { "port": 1 } }';

describe('a file that extends another', () => {
  it(verifies('overlays', 'is laid over it key by key, and the overlay of an environment over both'), async () => {
    const files = {
      'base/common.json': BASE,
      'mcp.json':
        '{ "extends": "base/common.json", "mcpServers": { "a": { "command": "a" }, "b": { "env": { "Y": "2" } } }, "gateway": { "port": 2 } }',
      'mcp.production.json': '{ "mcpServers": { "c": null, "b": { "args": ["-p"] } }, "gateway": { "port": 3 } }',
    };
    const names = ({ backends }: Awaited<ReturnType<typeof config>>) => backends.map(({ name }) => name);
    const plain = await config(files);
    expect({ port: plain.port, names: names(plain) }).toEqual({ port: 2, names: ['b', 'c', 'a'] });
    expect(plain.backends[0]).toMatchObject({ command: 'b', args: [], env: { X: '1', Y: '2' } });
    const production = await config(files, { ONEMCP_ENV: 'production' });
    expect({ port: production.port, names: names(production) }).toEqual({ port: 3, names: ['b', 'a'] });
    expect(production.backends[0]).toMatchObject({ command: 'b', args: ['-p'], env: { X: '1', Y: '2' } });
    expect(await config(files, { ONEMCP_ENV: 'production', ONEMCP_PORT: '4' })).toMatchObject({ port: 4 });
  });

  it('may name several, later ones over earlier ones, which may extend others', async () => {
    const files = {
      'mcp.json': '{ "extends": ["one.json", "two.json"] }',
      'one.json': '{ "extends": "zero.json", "mcpServers": {}, "gateway": { "port": 1, "restart": { "max": "1s" } } }',
      'two.json': '{ "extends": "zero.json", "gateway": { "port": 2 } }',
      'zero.json': '{ "gateway": { "features": { "legacySse": false }, "restart": { "initial": "0s" } } }',
    };
    const { port, features, limits } = await config(files);
    expect({ port, legacySse: features.legacySse, initial: limits['restart.initial'], max: limits['restart.max'] }).toEqual({
      port: 2,
      legacySse: false,
      initial: 0,
      max: 1000,
    });
  });

  it('has its problems where they are written', async () => {
    const files = {
      'base.json': '{\n  "mcpServers": { "a": { "command": "${NOT_SET}", "timeuot": 1 } },\n  "gateway": { "port": "x" } }',
      'mcp.json': '{ "extends": "base.json",\n  "mcpServers": { "a": { "tags": ["A"] } }, "x": 1, "x": 1 }',
      'mcp.production.json': '{\n\n  "gateway": { "features": { "legacySse": "no" } } }',
    };
    expect(await issues(files, { ONEMCP_ENV: 'production' })).toEqual([
      'base.json:2:37 mcpServers.a.command: variable NOT_SET is not set; set it, or write ${NOT_SET:-default}',
      'base.json:2:51 mcpServers.a.timeuot: unknown key, did you mean "timeout"?',
      'base.json:3:24 gateway.port: expected a port number from 0 to 65535, found "x"',
      'mcp.json:2:35 mcpServers.a.tags[0]: a tag has 1 to 64 lower-case letters, digits, ".", "_" and "-", and starts with a letter or digit; found "A"; write "a"',
      'mcp.json:2:53 x: this key was already written on line 2; keep one of them',
      'mcp.json:2:53 x: unknown key; known here: $schema, extends, mcpServers, serverDefaults, gateway',
      'mcp.production.json:3:43 gateway.features.legacySse: expected true or false, found "no"',
    ]);
  });

  it('names what cannot be read', async () => {
    expect(await issues({ 'mcp.json': '{ "extends": ["missing.json", "."], "mcpServers": {} }' })).toEqual([
      'mcp.json:1:15 extends: missing.json: file not found',
      'mcp.json:1:31 extends: .: this is a folder',
    ]);
    expect(await issues({ 'mcp.json': '{ "extends": "bad.json" }', 'bad.json': '{\n "a" 1 }' })).toEqual([
      'bad.json:2:6: expected ":" after the key',
    ]);
    expect(await issues({ 'mcp.json': '{ "extends": 5, "mcpServers": {} }' })).toEqual([
      expect.stringMatching(/^mcp\.json:1:14 extends: /),
    ]);
    expect(await issues({ 'mcp.json': '{ "mcpServers": {} }' }, { ONEMCP_ENV: 'staging' })).toEqual([
      'mcp.staging.json: file not found (it is the overlay of --env staging, or ONEMCP_ENV)',
    ]);
    expect(await issues({ 'mcp.json': '{ "mcpServers": {} }' }, { ONEMCP_ENV: '../x' })).toEqual([
      'ONEMCP_ENV: the name of an environment (--env) has 1 to 64 letters, digits, "_" and "-"',
    ]);
  });

  it('ends where files extend one another', async () => {
    const files = { 'mcp.json': '{ "extends": "a.json" }', 'a.json': '{ "extends": "./mcp.json" }' };
    expect(await issues(files)).toEqual([
      'a.json:1:14 extends: mcp.json → a.json → mcp.json: these extend one another; remove one of the "extends"',
    ]);
    const deep = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`${index}.json`, `{ "extends": "${index + 1}.json" }`]));
    expect(await issues({ 'mcp.json': '{ "extends": "0.json" }', ...deep })).toEqual([
      '7.json:1:14 extends: more than 8 files extend one another',
    ]);
  });

  it('gives the texts of the others, also of those that are missing', async () => {
    const { load, base } = home({ 'mcp.json': '{ "extends": ["a.json", "b.json"] }', 'a.json': '{}' });
    expect((await load()).others).toEqual(
      new Map([
        [join(base, 'a.json'), '{}'],
        [join(base, 'b.json'), undefined],
      ]),
    );
  });

  it('is explained file by file', async () => {
    const { options } = home({ 'base.json': BASE, 'mcp.json': '{ "extends": "base.json", "gateway": { "port": 2 } }' });
    const { settings, issues: none } = await explainConfig({ ...options, env: {} });
    const port = settings.find(({ setting }) => setting.name === 'port');
    expect([port?.won, ...(port?.hidden ?? [])].map((word) => `${word?.source} ${word?.value}`)).toEqual([
      'mcp.json:1:40 2',
      'base.json:1:115 1',
      ' 3050',
    ]);
    expect(none).toEqual([]);
  });
});

it('the text of all files is that of the one where there is nothing else, or something is wrong', async () => {
  const { options } = home({ 'mcp.json': '{ "extends": "base.json" }', 'base.json': '{ "gateway": { "stateDir": "s" } }' });
  const { file, base } = options;
  const whole = (text: string) => wholeText(text, { file, base, environment: undefined });
  expect(JSON.parse(await whole(options.text))).toMatchObject({ gateway: { stateDir: 's' } });
  for (const text of ['{ "gateway": {} }', '{', '', '{ "extends": "missing.json" }', 'null']) expect(await whole(text)).toBe(text);
});
