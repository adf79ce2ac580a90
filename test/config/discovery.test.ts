// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the templates of the configuration look like those of JavaScript
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Found, FoundBy, Loaded } from '../../src/config/config.ts';
import type { KeptFiles } from '../../src/config/found.ts';
import { formatIssue, loadConfig } from '../../src/config/load.ts';
import { verifies } from '../support/verifies.ts';

type Env = Record<string, string>;

/** A folder with these files, whose `mcp.json` is loaded as often as one likes. */
function home(files: Readonly<Record<string, string | object>>) {
  const base = mkdtempSync(join(tmpdir(), 'onemcp-discovery-'));
  onTestFinished(() => rmSync(base, { recursive: true, force: true }));
  const kept: KeptFiles = new Map();
  const write = (name: string, content: string | object) => {
    mkdirSync(dirname(join(base, name)), { recursive: true });
    writeFileSync(join(base, name), typeof content === 'string' ? content : JSON.stringify(content));
  };
  let main = '';
  for (const [name, content] of Object.entries(files)) {
    if (name === 'mcp.json') main = typeof content === 'string' ? content : JSON.stringify(content);
    else write(name, content);
  }
  return {
    base,
    write,
    async load(found: readonly FoundBy[] = [], env: Env = {}) {
      const secrets = { read: async (name: string) => `secret-of-${name}` };
      return shown(await loadConfig({ file: 'mcp.json', text: main, base, env, secrets, found, kept }));
    },
  };
}

function shown(loaded: Loaded) {
  const said = (loaded.ok ? loaded.warnings : loaded.issues).map(formatIssue);
  const backends = loaded.ok ? loaded.config.backends : [];
  return { ok: loaded.ok, said, backends, names: backends.map(({ name }) => name), sources: loaded.sources, loaded };
}

const CONFD = { mcpServers: {}, gateway: { discovery: { confd: 'conf.d' } } };
const BOTH = { mcpServers: {}, gateway: { discovery: { confd: 'conf.d', docker: true, kubernetes: { apiServer: 'http://k' } } } };

const from = (source: string, ...servers: readonly Found[]): FoundBy => ({ source, servers, isWaiting: false });
const remote = (name: string, place: string, more: object = {}): Found => ({ name, place, entry: { url: `http://${place}/mcp`, ...more } });

describe('conf.d', () => {
  it(verifies('discovery', 'gives the servers of each file in the order of their names, under templates and defaults'), async () => {
    const { load, base } = home({
      'mcp.json': {
        mcpServers: { own: { command: 'own' } },
        serverDefaults: { requestTimeout: '5s' },
        gateway: { discovery: { confd: ['conf.d', 'more'] } },
      },
      'conf.d/b.jsonc': '{ // one\n "url": "https://${HOST}/mcp", "headers": { "X-Key": "${SECRET:key}" }, }',
      'conf.d/a.json': { mcpServers: { z: { command: 'z' }, y: { command: 'y', disabled: true } } },
      'conf.d/.hidden.json': 'no JSON',
      'conf.d/notes.txt': 'no JSON',
      'more/b2.json': { command: 'b2' },
    });
    const { said, names, backends, loaded, sources } = await load([], { HOST: 'h.example' });
    expect(said).toEqual([]);
    expect(names).toEqual(['own', 'z', 'b', 'b2']);
    expect(backends.map(({ requestTimeout }) => requestTimeout)).toEqual([5000, 5000, 5000, 5000]);
    expect(backends[2]).toMatchObject({ url: 'https://h.example/mcp', kind: 'remote' });
    expect(loaded.ok && loaded.config).toMatchObject({ disabled: ['y'], secrets: ['secret-of-key'] });
    expect(loaded.ok && loaded.config.discovery?.confd).toEqual([join(base, 'conf.d'), join(base, 'more')]);
    expect(sources).toEqual([{ name: 'conf.d', status: 'ok', servers: 4, notes: [] }]);
  });

  it(verifies('discovery-kept', 'keeps what a file said before it had a mistake; the others go on, and a deleted one goes'), async () => {
    const { load, write, base } = home({ 'mcp.json': CONFD, 'conf.d/a.json': { command: 'a' }, 'conf.d/b.json': { command: 'b' } });
    expect((await load()).names).toEqual(['a', 'b']);
    write('conf.d/a.json', '{ "command": ');
    write('conf.d/b.json', { command: 'b2' });
    const broken = await load();
    expect(broken.backends).toMatchObject([{ command: 'a' }, { command: 'b2' }]);
    const message = 'conf.d/a.json:1:14: expected a value (what the file said before stays in force until it is right)';
    expect(broken.said).toEqual([message]);
    expect(broken.sources).toEqual([{ name: 'conf.d', status: 'failing', lastError: message, servers: 2, notes: [] }]);
    write('conf.d/a.json', { comand: 'a' });
    expect((await load()).said[0]).toContain('expected { "mcpServers": { … } }, or one server with "command" or "url"');
    write('conf.d/a.json', '{ "command": "a",\n"timeuot": 1 }');
    const misspelt = await load();
    expect(misspelt.said[0]).toMatch(/^conf\.d\/a\.json:2:1 timeuot: unknown key, did you mean "timeout"\?/);
    expect(misspelt.names).toEqual(['a', 'b']);
    rmSync(join(base, 'conf.d/a.json'));
    expect(await load()).toMatchObject({ names: ['b'], said: [] });
    write('conf.d/a.json', 'no JSON');
    expect((await load()).said[0]).toContain('(nothing of the file is used until it is right)');
  });

  it('keeps what a folder said that cannot be read any more, and takes one that is not there yet as empty', async () => {
    const { load, base } = home({ 'mcp.json': CONFD });
    const missing = await load();
    expect(missing.said).toEqual(['conf.d: there is no such folder yet; servers in it are found once it is there']);
    expect(missing.sources).toMatchObject([{ status: 'ok', servers: 0 }]);
    mkdirSync(join(base, 'real'));
    writeFileSync(join(base, 'real/a.json'), '{ "command": "a" }');
    symlinkSync('real', join(base, 'conf.d'));
    symlinkSync('nowhere.json', join(base, 'real/link.json'));
    expect(await load()).toMatchObject({ names: ['a'], said: [] });
    rmSync(join(base, 'conf.d'));
    writeFileSync(join(base, 'conf.d'), '');
    expect(await load()).toMatchObject({ names: ['a'], said: ['conf.d: this is not a folder; name a folder'] });
  });

  it.skipIf(process.getuid?.() === 0)('keeps what a file said that must not be read any more', async () => {
    const { load, base } = home({ 'mcp.json': CONFD, 'conf.d/a.json': { command: 'a' } });
    await load();
    chmodSync(join(base, 'conf.d/a.json'), 0);
    const { names, said } = await load();
    expect(names).toEqual(['a']);
    expect(said[0]).toMatch(/^conf\.d\/a\.json: no permission to read the file/);
  });

  it('leaves out a server that cannot be used, with its place, and goes on with the others', async () => {
    const { load } = home({
      'mcp.json': { mcpServers: { 'own.x': { command: 'own' } }, gateway: { discovery: { confd: 'conf.d' } } },
      'conf.d/a.json':
        '{ "mcpServers": {\n"unset": { "command": "${NOT_SET}" },\n"needy": { "command": "x", "dependsOn": ["unset"] },\n"good": { "command": "x", "dependsOn": ["own.x"] },\n"own-x": { "command": "x" } } }',
    });
    const { names, said } = await load();
    expect(names).toEqual(['own.x', 'good']);
    expect(said.filter((line) => line.startsWith('conf.d'))).toEqual([
      'conf.d/a.json:5:1 mcpServers.own-x: "own.x" and "own-x" have the same namespace "own-x"; give one of them another "namespace" (the server "own-x" is left out)',
      expect.stringMatching(/^conf\.d\/a\.json:2:23 mcpServers\.unset\.command: .*NOT_SET.* \(the server "unset" is left out\)$/),
      expect.stringMatching(/^conf\.d\/a\.json:3:\d+ mcpServers\.needy\.dependsOn\[0\]: there is no server "unset"/),
    ]);
  });
});

it('servers that were found have profiles as well', async () => {
  const files = { 'conf.d/a.json': { command: 'a', profiles: ['dev'] }, 'conf.d/b.json': { command: 'b', dependsOn: ['a'] } };
  const { load } = home({ 'mcp.json': CONFD, ...files });
  const off = await load();
  expect(off.names).toEqual([]);
  expect(off.said).toEqual([expect.stringMatching(/"a" does not run \(profile dev is not active\).*\(the server "b" is left out\)$/)]);
  expect(off.loaded.ok && off.loaded.config).toMatchObject({ disabled: ['a'], inactive: { a: 'profile dev is not active' } });
  expect(await load([], { ONEMCP_PROFILES: 'dev' })).toMatchObject({ names: ['a', 'b'], said: [] });
});

describe('servers of one name', () => {
  it(
    verifies('discovery-conflict', 'are the file’s, then those of conf.d, of Docker, of Kubernetes; of one source the first'),
    async () => {
      const { load } = home({
        'mcp.json': { ...BOTH, mcpServers: { own: { command: 'own', disabled: true } } },
        'conf.d/1.json': { mcpServers: { one: { command: 'one' }, own: { command: 'x' } } },
        'conf.d/2.json': { mcpServers: { one: { command: 'two' } } },
      });
      const docker = from('docker', remote('one', 'c1'), remote('two', 'c1'), remote('two', 'c2'), remote('own', 'c3'));
      const { names, said, sources, backends } = await load([from('kubernetes', remote('two', 'k1'), remote('three', 'k1')), docker]);
      expect(names).toEqual(['one', 'two', 'three']);
      expect(backends).toMatchObject([{ command: 'one' }, { url: 'http://c1/mcp' }, { url: 'http://k1/mcp' }]);
      const wins = (name: string, place: string) =>
        `there is already a server "${name}" (${place}), which wins; rename one of them (the server "${name}" is left out)`;
      expect(said).toEqual([
        `conf.d/1.json:1:40 mcpServers.own: ${wins('own', 'mcp.json:1')}`,
        `conf.d/2.json:1:16 mcpServers.one: ${wins('one', 'conf.d/1.json:1')}`,
        `docker: c1: ${wins('one', 'conf.d/1.json:1')}`,
        `docker: c2: ${wins('two', 'docker: c1')}`,
        `docker: c3: ${wins('own', 'mcp.json:1')}`,
        `kubernetes: k1: ${wins('two', 'docker: c1')}`,
      ]);
      expect(sources?.map(({ name, servers, notes }) => [name, servers, notes.length])).toEqual([
        ['conf.d', 1, 2],
        ['docker', 1, 3],
        ['kubernetes', 1, 1],
      ]);
    },
  );
});

describe('servers that others can name', () => {
  const refused = async (entry: object) => {
    const { load } = home({ 'mcp.json': BOTH, 'conf.d/a.json': { command: 'a' } });
    const bad = { name: 'bad', place: 'container web', entry: entry as Found['entry'] };
    const { ok, names, said } = await load([from('docker', bad, remote('good', 'c'))]);
    expect({ ok, names }).toEqual({ ok: true, names: ['a', 'good'] });
    return said.join('\n');
  };

  it(verifies('discovery-remote', 'are remote: a program, a template or another server’s context are refused'), async () => {
    expect(await refused({ command: 'rm' })).toMatch(/^docker: container web command: from docker only remote servers/);
    expect(await refused({ url: 'http://x', env: {} })).toMatch(/^docker: container web env: from docker only remote servers/);
    expect(await refused({ url: 'http://x/${SECRET:key}' })).toMatch(/^docker: container web url: templates are not filled/);
    expect(await refused({ url: 'http://x', headers: { A: '${HOME}' } })).toMatch(
      /^docker: container web headers: templates are not filled/,
    );
    expect(await refused({ url: 'http://x', samplingContext: true })).toMatch(/samplingContext: cannot be asked for from docker/);
    expect(await refused({ url: 'http://x', timeuot: 1 })).toMatch(/timeuot: unknown key, did you mean "timeout"\?/);
    expect(await refused({ url: 'ftp://x' })).toMatch(/^docker: container web url: /);
    expect(await refused({})).toMatch(/add "command" for a local program, or "url" for a remote server/);
    expect(await refused({ url: 'http://x', dependsOn: ['gone'] })).toMatch(/there is no server "gone"/);
  });

  it(verifies('discovery-remote', 'get no headers from the defaults: they may hold credentials'), async () => {
    const { load } = home({
      'mcp.json': { ...BOTH, serverDefaults: { headers: { Authorization: 'Bearer ${SECRET:key}' }, lazy: true } },
      'conf.d/a.json': { url: 'http://a' },
    });
    const { backends } = await load([from('docker', remote('d', 'c'))]);
    expect(backends.map(({ name, lazy }) => [name, lazy])).toEqual([
      ['a', true],
      ['d', true],
    ]);
    expect(backends.map((spec) => spec.kind === 'remote' && Object.keys(spec.headers))).toEqual([['Authorization'], []]);
  });

  it('are not what those of files may depend on: they come and go', async () => {
    const { load } = home({ 'mcp.json': BOTH, 'conf.d/a.json': { command: 'a', dependsOn: ['d'] } });
    const { names, said } = await load([from('docker', remote('d', 'c'), remote('e', 'c', { dependsOn: ['d'] }))]);
    expect(names).toEqual(['d', 'e']);
    expect(said).toEqual([expect.stringMatching(/dependsOn\[0\]: there is no server "d".*\(the server "a" is left out\)$/)]);
  });

  it(verifies('discovery-kept', 'stay when their source fails, which is told'), async () => {
    const { load } = home({ 'mcp.json': BOTH });
    const { names, said, sources } = await load([{ ...from('docker', remote('d', 'c')), problem: 'no answer' }]);
    expect(names).toEqual(['d']);
    expect(said).toContain('docker: no answer');
    expect(sources?.[1]).toEqual({ name: 'docker', status: 'failing', lastError: 'no answer', servers: 1, notes: [] });
  });
});

describe('gateway.discovery', () => {
  const settings = async (discovery: object, env: Env = {}) => {
    const { load, base } = home({ 'mcp.json': { mcpServers: {}, gateway: { discovery } } });
    const { loaded, said } = await load([], env);
    return { base, said, discovery: loaded.ok ? loaded.config.discovery : undefined };
  };

  it('has defaults', async () => {
    const cluster = { KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '6443' };
    const { discovery, said } = await settings({ docker: true, kubernetes: true }, cluster);
    expect(said).toEqual([]);
    const account = '/var/run/secrets/kubernetes.io/serviceaccount';
    expect(discovery).toMatchObject({
      confd: [],
      docker: { socketPath: '/var/run/docker.sock', label: 'onemcp' },
      kubernetes: {
        apiServer: 'https://10.0.0.1:6443',
        labelSelector: 'onemcp.io/server=true',
        tokenFile: `${account}/token`,
        caFile: `${account}/ca.crt`,
      },
    });
    expect((await settings({ docker: false })).discovery).toBeUndefined();
  });

  it('says everything, also by variables', async () => {
    const env = { ONEMCP_DISCOVERY_CONFD: '/a, b', ONEMCP_DISCOVERY_DOCKER: '{ "label": "x" }' };
    const kubernetes = { apiServer: 'https://k:1/', namespace: '*', labelSelector: 'a=b', tokenFile: 't', caFile: 'c' };
    const { discovery, base } = await settings({ kubernetes }, env);
    expect(discovery).toEqual({
      confd: ['/a', join(base, 'b')],
      docker: { socketPath: '/var/run/docker.sock', label: 'x' },
      kubernetes: {
        apiServer: 'https://k:1',
        namespace: undefined,
        labelSelector: 'a=b',
        tokenFile: join(base, 't'),
        caFile: join(base, 'c'),
      },
    });
  });

  it('is told what is wrong with it', async () => {
    expect((await settings({ docker: { soket: 'x' } })).said[0]).toMatch(/docker\.soket: unknown key, did you mean "socket"\?/);
    expect((await settings({ docker: { socket: 1 } })).said[0]).toMatch(/docker: socket: expected text/);
    expect((await settings({ docker: 'yes' })).said[0]).toMatch(/expected true, or an object that says how Docker is asked/);
    expect((await settings({ confd: 1 })).said[0]).toMatch(/expected the path of a folder/);
    expect((await settings({ kubernetes: true })).said[0]).toMatch(/does not run in a cluster.*set "apiServer"/);
  });
});
