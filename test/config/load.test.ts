// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the templates of the configuration look like those of JavaScript
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { formatIssue, type LoadOptions, loadConfig } from '../../src/config/load.ts';

const empty = '{ "mcpServers": {} }';
const load = (options: Partial<LoadOptions> = {}) =>
  loadConfig({ file: 'mcp.json', base: '/etc/onemcp', text: empty, env: {}, secrets: { read: async () => 'secret-value' }, ...options });

async function issuesOf(options: Partial<LoadOptions>): Promise<string[]> {
  const loaded = await load(options);
  return loaded.ok ? [] : loaded.issues.map(formatIssue);
}

async function configOf(options: Partial<LoadOptions>) {
  const loaded = await load(options);
  if (!loaded.ok) throw new Error(loaded.issues.map(formatIssue).join('\n'));
  return loaded.config;
}

describe('options of the command line', () => {
  it('win over the file', async () => {
    const text = '{ "mcpServers": {}, "gateway": { "host": "10.0.0.1", "port": 1 } }';
    expect(await configOf({ text, overrides: { host: '127.0.0.1', port: 2 } })).toMatchObject({ host: '127.0.0.1', port: 2 });
  });

  it('have issues without a place in the file', async () => {
    expect(await issuesOf({ overrides: { host: '0.0.0.0', port: 70_000 } })).toEqual([
      '--host: other machines can reach 0.0.0.0, and the gateway has no authentication; use 127.0.0.1, or set gateway.insecureNoAuth to true if something in front of it authenticates',
      '--port: expected a port number from 0 to 65535',
    ]);
  });

  it('are shown before what is wrong in the file', async () => {
    expect(await issuesOf({ text: '{ "mcpServers": {}, "x": 1 }', overrides: { host: 'a b' } })).toMatchObject([
      expect.stringMatching(/^--host: expected a host name/),
      expect.stringMatching(/^mcp\.json:1:21 x: unknown key/),
    ]);
  });

  it('may open the gateway to other machines', async () => {
    expect(await configOf({ overrides: { host: '0.0.0.0', insecureNoAuth: true } })).toMatchObject({ insecureNoAuth: true });
  });

  it('leave the file alone when they are undefined', async () => {
    const text = '{ "mcpServers": {}, "gateway": { "port": 4000 } }';
    expect(await configOf({ text, overrides: { host: undefined, port: undefined } })).toMatchObject({ host: '127.0.0.1', port: 4000 });
  });
});

describe('the file', () => {
  it('is absolute in the configuration and as written in issues', async () => {
    expect((await configOf({ file: 'sub/mcp.json' })).file).toBe('/etc/onemcp/sub/mcp.json');
    expect(await issuesOf({ file: 'sub/mcp.json', text: '[]' })).toEqual(['sub/mcp.json:1:1: expected an object, found a list']);
  });

  it('may be a label', async () => {
    const text = '{ "mcpServers": { "a": { "command": "x" } } }';
    expect(await configOf({ file: '<memory>', text })).toMatchObject({ file: '<memory>', backends: [{ cwd: '/etc/onemcp' }] });
  });

  it('gives a working directory its base', async () => {
    const text = '{ "mcpServers": { "a": { "command": "x", "cwd": "../b" }, "b": { "command": "x", "cwd": "/c" } } }';
    expect(await configOf({ file: '/etc/x/mcp.json', text })).toMatchObject({ backends: [{ cwd: '/etc/b' }, { cwd: '/c' }] });
  });
});

describe('secrets', () => {
  const text = JSON.stringify({
    mcpServers: {
      a: { url: 'https://h/', headers: { Authorization: 'Bearer ${SECRET:x}', 'X-Api-Key': 'short', 'X-Other': '${SECRET:x}' } },
    },
  });

  it('can be revealed', async () => {
    const [backend] = (await configOf({ text })).backends;
    const headers = backend?.kind === 'remote' ? backend.headers : {};
    expect(Object.entries(headers).map(([name, value]) => [name, typeof value === 'string' ? value : value.reveal()])).toEqual([
      ['Authorization', 'Bearer secret-value'],
      ['X-Api-Key', 'short'],
      ['X-Other', 'secret-value'],
    ]);
  });

  it('are listed longest first, without those too short to be told from ordinary words', async () => {
    expect([...(await configOf({ text })).secrets]).toEqual(['Bearer secret-value', 'secret-value']);
  });

  it('are read once each', async () => {
    const names: string[] = [];
    const read = async (name: string) => {
      names.push(name);
      return 'secret-value';
    };
    await configOf({ text, secrets: { read } });
    expect(names).toEqual(['x']);
  });

  it('may come from a reader that throws at once', async () => {
    const read = () => {
      throw new Error('the vault is closed');
    };
    expect(await issuesOf({ text, secrets: { read } })).toContainEqual(expect.stringContaining('secret x: the vault is closed'));
  });
});

it('names of Object.prototype are not variables', async () => {
  expect(await issuesOf({ text: '{ "mcpServers": { "a": { "command": "${toString}" } } }' })).toHaveLength(1);
});

it('the mcp.json of the repository is a working example', async () => {
  const loaded = await load({ text: await readFile(new URL('../../mcp.json', import.meta.url), 'utf8') });
  expect(loaded).toMatchObject({
    ok: true,
    warnings: [],
    config: { backends: [{ name: 'everything' }, { name: 'filesystem' }, { name: 'memory' }] },
  });
});

describe('the public address and trusted proxies', () => {
  const gatewayOf = async (gateway: object) => {
    const text = JSON.stringify({ mcpServers: {}, gateway });
    const loaded = await loadConfig({ file: 'mcp.json', base: '/', text, env: {}, secrets: { read: () => '' } });
    return loaded.ok ? loaded.config : loaded.issues.map(({ message }) => message);
  };

  it.each([
    ['https://mcp.example.com', 'https://mcp.example.com'],
    ['HTTP://MCP.example.com:80/', 'http://mcp.example.com'],
    ['https://mcp.example.com:8443/a/b/', 'https://mcp.example.com:8443/a/b'],
    ['http://[::1]:80/x', 'http://[::1]/x'],
  ])('%s is %s', async (publicUrl, shown) => {
    expect(await gatewayOf({ publicUrl })).toMatchObject({ publicUrl: shown });
  });

  it.each([
    'mcp.example.com',
    '/tools',
    'ftp://x',
    'https://',
    'https://x?y=z',
    'https://x?',
    'https://x#y',
    'https://u:p@x',
    ' https://x',
    '',
  ])('%j is no public address', async (publicUrl) => {
    expect(await gatewayOf({ publicUrl })).toEqual([expect.stringContaining('expected an address such as')]);
  });

  it.each(['10.0.0.1', '10.0.0.0/8', '::1', '2001:db8::/32', '::ffff:10.0.0.1', 'loopback', 'Private'])('%s is a proxy', async (proxy) => {
    expect(await gatewayOf({ trustedProxies: [proxy] })).toMatchObject({ trustedProxies: [proxy.toLowerCase()] });
  });

  it.each(['proxy.example', '10.0.0.0/33', '10.0.0', '2001:db8::/129', '*', '', '0.0.0.0/-1', 'fe80::1%eth0'])(
    '%j is none',
    async (proxy) => {
      expect(await gatewayOf({ trustedProxies: [proxy] })).toEqual([expect.stringContaining('expected an address, a network')]);
    },
  );
});
