import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createVaultProvider, type VaultTokens } from '../../../src/io/secrets/vault.ts';
import { type FakeVault, startVault } from '../../fixtures/http/vault.ts';
import { temporary } from './kit.ts';

const { signal } = new AbortController();
const VALUE = 'the-value-of-the-secret';

function providerOf(vault: FakeVault, more: Partial<Parameters<typeof createVaultProvider>[0]> = {}) {
  const base = { ...vault.settings, env: { VAULT_TOKEN: vault.rootToken }, maxBytes: 1000, tokens: new Map() as VaultTokens };
  return createVaultProvider({ ...base, ...more });
}

describe('a path of Vault', () => {
  it('is named with a field, which may be left out where it is clear', async () => {
    const vault = await startVault();
    vault.put('team/db', { user: 'app', password: VALUE, port: 5432 });
    vault.put('single', { token: VALUE });
    vault.put('usual', { value: VALUE, note: 'x' });
    vault.put('odd', { list: [VALUE], value: { deep: VALUE } });
    const { read } = providerOf(vault);
    expect(await read('team/db#password', signal)).toBe(VALUE);
    expect(await read('team/db#port', signal)).toBe('5432');
    expect(await read('single', signal)).toBe(VALUE);
    expect(await read('usual', signal)).toBe(VALUE);
    expect(await read('team/db#pasword', signal)).toBeUndefined();
    await expect(read('team/db', signal)).rejects.toThrow('the secret has 3 fields, and none is "value"; write path#field');
    await expect(read('odd#list', signal)).rejects.toThrow(/^the field is no text$/);
    await expect(read('odd', signal)).rejects.toThrow(/^the field is no text$/);
  });

  it('is read once, so that its fields are of one version', async () => {
    const vault = await startVault();
    vault.put('db', { user: 'app', password: VALUE });
    const { read } = providerOf(vault);
    await Promise.all(['db#user', 'db#password', 'db#user'].map((name) => read(name, signal)));
    expect(vault.requests).toEqual(['GET secret/data/db']);
  });

  it('that was deleted is not there', async () => {
    const vault = await startVault();
    vault.put('gone', { value: VALUE });
    vault.delete('gone');
    expect(await providerOf(vault).read('gone', signal)).toBeUndefined();
  });
});

describe('an error of Vault says what to do, and no value', () => {
  const FAULTS = [
    ['sealed', /^Vault is sealed or under maintenance \(503\)$/],
    ['broken', /^Vault failed \(500\)$/],
    ['moved', /sends elsewhere \(307\), which is not followed, for the token would go along; set the final address$/],
    ['html', /answered with something that is no JSON: is it a Vault\?$/],
    ['endless', /^Vault answered with more than \d+ bytes$/],
  ] as const;

  it.each(FAULTS)('when it is %s', async (mode, expected) => {
    const vault = await startVault();
    vault.put('x', { value: VALUE });
    vault.be(mode);
    await expect(providerOf(vault).read('x', signal)).rejects.toThrow(expected);
  });

  it('when it refuses, is not mounted, is not there, or does not answer', async () => {
    const vault = await startVault();
    vault.put('x', { value: VALUE });
    vault.deny('x');
    await expect(providerOf(vault).read('x', signal)).rejects.toThrow(
      /^Vault refused secret\/data\/x \(403\); the token may have expired, or its policy does not allow to read this$/,
    );
    await expect(providerOf(vault, { mount: 'kv' }).read('x', signal)).rejects.toThrow(
      'check gateway.secrets.vault.mount, which is "kv" now',
    );
    await expect(providerOf(vault, { address: 'http://127.0.0.1:1' }).read('x', signal)).rejects.toThrow(
      /^Vault at http:\/\/127\.0\.0\.1:1 cannot be reached/,
    );
    vault.be('silent');
    await expect(providerOf(vault).read('x', AbortSignal.timeout(100))).rejects.toThrow(/did not answer in time$/);
  });

  it('when there is no token, or none that can be sent', async () => {
    const vault = await startVault();
    await expect(providerOf(vault, { env: {} }).read('x', signal)).rejects.toThrow('set VAULT_TOKEN, or "tokenFile" or "kubernetes"');
    const split = providerOf(vault, { env: { VAULT_TOKEN: 'hvs.secret\r\nx-evil: 1' } }).read('x', signal);
    await expect(split).rejects.toThrow(/^the variable VAULT_TOKEN holds no token$/);
    expect(vault.requests).toEqual([]);
  });
});

it('a token file is read each time, so that an agent can renew it', async () => {
  const vault = await startVault();
  vault.put('x', { value: VALUE });
  const tokenFile = join(temporary(), 'token');
  await expect(providerOf(vault, { tokenFile }).read('x', signal)).rejects.toThrow(`the token file ${tokenFile} cannot be read: ENOENT`);
  const old = vault.newToken();
  writeFileSync(tokenFile, `${old}\n`);
  expect(await providerOf(vault, { tokenFile }).read('x', signal)).toBe(VALUE);
  vault.revoke(old);
  await expect(providerOf(vault, { tokenFile }).read('x', signal)).rejects.toThrow('(403)');
  writeFileSync(tokenFile, vault.newToken());
  expect(await providerOf(vault, { tokenFile }).read('x', signal)).toBe(VALUE);
});

describe('a login with the service account of the pod', () => {
  const JWT = 'eyJ.service.account';

  async function pod() {
    const vault = await startVault();
    vault.put('x', { value: VALUE });
    vault.put('y', { value: VALUE });
    const tokenFile = join(temporary(), 'jwt');
    writeFileSync(tokenFile, JWT);
    vault.letIn({ role: 'onemcp', jwt: JWT, namespace: 'team', lease: 100 });
    let now = 0;
    const tokens: VaultTokens = new Map();
    const kubernetes = { role: 'onemcp', mount: 'kubernetes', tokenFile };
    const open = (more: { role?: string } = {}) =>
      providerOf(vault, { tokens, env: {}, namespace: 'team', kubernetes: { ...kubernetes, ...more }, now: () => now });
    return { vault, open, tokenFile, pass: (seconds: number) => (now += seconds * 1000) };
  }

  it('is made once, and again before its token expires', async () => {
    const { vault, open, pass } = await pod();
    expect(await Promise.all(['x', 'y'].map((name) => open().read(name, signal)))).toEqual([VALUE, VALUE]);
    pass(60);
    expect(await open().read('x', signal)).toBe(VALUE);
    expect(vault.logins).toHaveLength(1);
    pass(20);
    expect(await open().read('x', signal)).toBe(VALUE);
    expect(vault.logins).toHaveLength(2);
  });

  it('is made again when its token was revoked, and only once', async () => {
    const { vault, open } = await pod();
    await open().read('x', signal);
    vault.revoke(vault.logins[0] as string);
    const provider = open();
    expect(await Promise.all(['x', 'y'].map((name) => provider.read(name, signal)))).toEqual([VALUE, VALUE]);
    expect(vault.logins).toHaveLength(2);
    vault.deny('x');
    await expect(open().read('x', signal)).rejects.toThrow('(403)');
    expect(vault.logins.length).toBeLessThanOrEqual(3);
  });

  it('that is refused is told of, and tried again the next time', async () => {
    const { open, tokenFile } = await pod();
    await expect(open({ role: 'other' }).read('x', signal)).rejects.toThrow(
      /^Vault did not accept the login at auth\/kubernetes\/login \(400\); check the role$/,
    );
    writeFileSync(tokenFile, 'wrong');
    await expect(open().read('x', signal)).rejects.toThrow('(403); check the role and its service account');
    writeFileSync(tokenFile, JWT);
    expect(await open().read('x', signal)).toBe(VALUE);
  });
});
