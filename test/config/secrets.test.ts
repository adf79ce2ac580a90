import { describe, expect, it } from 'vitest';
import type { SecretSettings } from '../../src/config/config.ts';
import { formatIssue, loadConfig } from '../../src/config/load.ts';
import { fill } from '../../src/config/template.ts';

type Env = Record<string, string>;

/** What a file says of secrets, and what is wrong with it. */
async function load(secrets: object | undefined, { env = {} as Env, gateway = {} } = {}) {
  let settings: SecretSettings | undefined;
  const text = JSON.stringify({ mcpServers: { a: { command: 'x' } }, gateway: { ...gateway, ...(secrets && { secrets }) } });
  const loaded = await loadConfig({
    file: 'mcp.json',
    base: '/etc/onemcp',
    text,
    env,
    secrets: (found) => {
      settings = found;
      return { read: () => 'value' };
    },
  });
  const issues = (loaded.ok ? loaded.warnings : loaded.issues).map((issue) => formatIssue(issue).replace(/^mcp\.json:\d+:\d+ /, ''));
  return { settings: settings as SecretSettings, issues, hidden: loaded.ok ? [...loaded.config.secrets] : [], ok: loaded.ok };
}

describe('gateway.secrets', () => {
  it('says nothing: files, the store, the environment', async () => {
    const { settings, issues } = await load(undefined, { env: { HOME: '/home/me' } });
    expect(issues).toEqual([]);
    expect(settings).toEqual({
      providers: ['file', 'store', 'env'],
      folders: ['/run/secrets'],
      stateDir: '/home/me/.local/state/onemcp',
      exec: undefined,
      vault: undefined,
      timeout: 10_000,
      maxBytes: 65_536,
      poll: 300_000,
      filePoll: 5_000,
    });
    expect((await load(undefined, { env: { ONEMCP_SECRETS: '/s' } })).settings.folders).toEqual(['/s']);
  });

  it('says everything, with variables', async () => {
    const written = {
      timeout: '2s',
      maxBytes: '1KiB',
      poll: 0,
      providers: ['vault', 'exec', 'file'],
      file: { folders: ['secrets', '${MORE}'] },
      exec: { command: ['op', 'read', '{name}'], env: { OP_TOKEN: '${OP_TOKEN}' } },
      vault: {
        address: 'https://vault.example/',
        mount: '/kv/',
        namespace: '${TEAM}',
        kubernetes: { role: 'onemcp', tokenFile: 'token' },
      },
    };
    const env = { MORE: '/more', OP_TOKEN: 'token-of-the-manager', TEAM: 'team' };
    const { settings, issues, hidden } = await load(written, { env, gateway: { stateDir: false } });
    expect(issues).toEqual([]);
    expect(settings).toMatchObject({
      providers: ['vault', 'exec', 'file'],
      folders: ['/etc/onemcp/secrets', '/more'],
      stateDir: undefined,
      exec: { command: ['op', 'read', '{name}'], cwd: '/etc/onemcp' },
      vault: {
        address: 'https://vault.example',
        mount: 'kv',
        namespace: 'team',
        tokenFile: undefined,
        kubernetes: { role: 'onemcp', mount: 'kubernetes', tokenFile: '/etc/onemcp/token' },
      },
      timeout: 2_000,
      maxBytes: 1_024,
      poll: 0,
    });
    expect(String(settings.exec?.env.OP_TOKEN)).toBe('***');
    expect(hidden).toEqual(['token-of-the-manager']);
  });

  it('takes the address and namespace of Vault from its usual variables', async () => {
    const env = { VAULT_ADDR: 'http://127.0.0.1:8200/', VAULT_NAMESPACE: 'n' };
    const { settings, issues } = await load({ vault: { tokenFile: '/t' } }, { env });
    expect(issues).toEqual([]);
    expect(settings.vault).toEqual({
      address: 'http://127.0.0.1:8200',
      mount: 'secret',
      namespace: 'n',
      tokenFile: '/t',
      kubernetes: undefined,
    });
  });

  it.each<[string, object, string]>([
    ['an unknown key', { vualt: {} }, 'gateway.secrets.vualt: unknown key, did you mean "vault"?'],
    [
      'an unknown provider',
      { providers: ['valt'] },
      'gateway.secrets.providers[0]: expected "file", "store", "env", "exec", "vault"; found "valt", did you mean',
    ],
    ['no providers', { providers: [] }, 'gateway.secrets.providers: the list is empty; leave the key out for file, store, env'],
    [
      'a provider that is not set up',
      { providers: ['env', 'exec'] },
      'gateway.secrets.providers[1]: "exec" is not set up; add "exec" to gateway.secrets',
    ],
    [
      'a shell line',
      { exec: { command: 'pass show {name}' } },
      'gateway.secrets.exec.command: expected a list of the program and its arguments, found a string; there is no shell',
    ],
    [
      'a program that does not know what is wanted',
      { exec: { command: ['pass'] } },
      'gateway.secrets.exec.command: no argument is "{name}"',
    ],
    [
      'a name inside of an argument',
      { exec: { command: ['sh', '-c', 'pass {name}'] } },
      'gateway.secrets.exec.command[2]: "{name}" is replaced only where it is a whole argument',
    ],
    [
      'a name as the program',
      { exec: { command: ['{name}', '{name}'] } },
      'gateway.secrets.exec.command[0]: the program cannot be "{name}"',
    ],
    ['no address', { vault: {} }, 'gateway.secrets.vault: the address of Vault is not known; set "address", or the variable VAULT_ADDR'],
    [
      'an address that is none',
      { vault: { address: 'vault:8200' } },
      'gateway.secrets.vault.address: expected the address of Vault such as',
    ],
    [
      'an address with a password',
      { vault: { address: 'https://u:hunter2@vault' } },
      'gateway.secrets.vault.address: expected the address of Vault such as',
    ],
    [
      'two ways to log in',
      { vault: { address: 'https://v', tokenFile: 't', kubernetes: { role: 'r' } } },
      'gateway.secrets.vault.tokenFile: there are two ways to log in',
    ],
    [
      'a token in the file',
      { vault: { address: 'https://v', token: 'hunter2' } },
      'gateway.secrets.vault.token: unknown key; known here: address',
    ],
    [
      'a secret that would be needed to read secrets',
      { vault: { address: '${SECRET:address}' } },
      'gateway.secrets.vault.address: secret address: a secret is not known yet',
    ],
    ['a bad duration', { timeout: '5 parsecs' }, 'gateway.secrets.timeout: expected a number of milliseconds'],
  ])('%s', async (_, secrets, expected) => {
    const { issues, ok } = await load(secrets);
    expect(ok).toBe(false);
    expect(issues).toEqual([expect.stringContaining(expected)]);
    expect(issues.join()).not.toContain('hunter2');
  });

  it('warns of a Vault that is spoken to in the clear over the network', async () => {
    const { issues, ok } = await load({ vault: { address: 'http://vault.example:8200' } });
    expect([ok, issues]).toEqual([
      true,
      ['gateway.secrets.vault.address: everybody between here and Vault can read the secrets; use https'],
    ]);
  });
});

describe('the name of a secret', () => {
  const read = (name: string) => fill(`\${SECRET:${name}}`, { env: {}, secret: async (asked) => `<${asked}>` });

  it.each(['api-key', 'db/pass.1', 'vault:team/db#password', 'vault:x', 'x#field', 'exec:Private/GitHub', 'env:API_KEY', 'file:tls.key'])(
    '%s',
    async (name) => {
      expect(await read(name)).toMatchObject({ text: `<${name}>`, problems: [] });
    },
  );

  it.each([
    ['a:b:c', 'write ${SECRET:name}, ${SECRET:provider:name} or ${SECRET:vault:path#field}'],
    [':x', 'write ${SECRET:name}, ${SECRET:provider:name}'],
    ['vault:', 'write ${SECRET:name}, ${SECRET:provider:name}'],
    ['vault:x#', 'write ${SECRET:name}, ${SECRET:provider:name}'],
    ['x#a#b', 'write ${SECRET:name}, ${SECRET:provider:name}'],
    ['x#a/b', 'write ${SECRET:name}, ${SECRET:provider:name}'],
    ['VAULT:x', 'write ${SECRET:name}, ${SECRET:provider:name}'],
    ['file:../x', 'single dots'],
    ['*', 'a name has only letters'],
    ['', 'a name has only letters'],
  ])('%j is none', async (name, expected) => {
    const { problems } = await read(name);
    expect(problems).toEqual([expect.stringContaining(expected)]);
  });
});
