import { expect, it } from 'vitest';
import { formatIssue, loadConfig } from '../../src/config/load.ts';
import { inactive } from '../../src/config/profiles.ts';
import type { Json } from '../../src/world.ts';
import { verifies } from '../support/verifies.ts';

interface Given {
  readonly gateway?: Json;
  readonly env?: Record<string, string>;
  readonly line?: readonly string[];
}

async function load(mcpServers: Json, { gateway = {}, env = {}, line }: Given = {}) {
  const text = JSON.stringify({ mcpServers, gateway });
  const loaded = await loadConfig({
    file: 'mcp.json',
    base: '/',
    text,
    env,
    secrets: { read: () => '' },
    overrides: { profiles: line },
  });
  if (!loaded.ok) return { errors: loaded.issues.map(formatIssue) };
  const { backends, disabled, inactive: reasons } = loaded.config;
  return { runs: backends.map(({ name }) => name), disabled, reasons, warnings: loaded.warnings.map(formatIssue) };
}

const SERVERS = {
  always: { command: 'x' },
  none: { command: 'x', profiles: [] },
  dev: { command: 'x', profiles: ['dev'] },
  both: { command: 'x', profiles: ['dev', 'test'] },
  off: { command: 'x', profiles: ['dev'], disabled: true },
};

it.each<[string, Given, readonly string[]]>([
  ['nobody', {}, ['always', 'none']],
  ['the file', { gateway: { profiles: ['dev'] } }, ['always', 'none', 'dev', 'both']],
  ['a variable', { env: { ONEMCP_PROFILES: 'test, dev' } }, ['always', 'none', 'dev', 'both']],
  ['the command line', { line: ['test'] }, ['always', 'none', 'both']],
  ['the command line over the file', { line: ['test'], gateway: { profiles: ['dev'] } }, ['always', 'none', 'both']],
  [
    'a variable over both',
    { env: { ONEMCP_PROFILES: 'dev' }, line: ['test'], gateway: { profiles: ['test'] } },
    ['always', 'none', 'dev', 'both'],
  ],
  ['all', { gateway: { profiles: ['*'] } }, ['always', 'none', 'dev', 'both']],
])(verifies('profiles', 'made active by %s, a profile lets its servers run; those without run always'), async (_, given, runs) => {
  expect(await load(SERVERS, given)).toMatchObject({ runs, warnings: [] });
});

it('says why a server does not run, but not of one that is disabled anyway', async () => {
  expect(await load(SERVERS)).toMatchObject({
    disabled: ['dev', 'both', 'off'],
    reasons: { dev: 'profile dev is not active', both: 'none of its profiles is active: dev, test' },
  });
  expect((await load({ a: { command: 'x' } })).reasons).toBeUndefined();
  expect(inactive(undefined, [])).toBeUndefined();
});

it('warns of a profile that no server has, where it is named', async () => {
  expect((await load(SERVERS, { gateway: { profiles: ['dev', 'tset'] } })).warnings).toEqual([
    expect.stringMatching(/^mcp\.json:1:\d+ gateway\.profiles\[1\]: no server has the profile "tset", did you mean "test"\?$/),
  ]);
  expect((await load(SERVERS, { env: { ONEMCP_PROFILES: 'production' } })).warnings).toEqual([
    'ONEMCP_PROFILES: no server has the profile "production"; there are dev, test',
  ]);
  expect((await load({ a: { command: 'x' } }, { line: ['dev'] })).warnings).toEqual(['--profile: no server has the profile "dev"']);
});

it('refuses names that are none, and a dependency that would never be there', async () => {
  expect((await load({ a: { command: 'x', profiles: ['-x'] } })).errors).toEqual([
    expect.stringContaining('mcpServers.a.profiles[0]: a profile has 1 to 64 letters'),
  ]);
  expect((await load({}, { env: { ONEMCP_PROFILES: 'a b' } })).errors).toEqual([expect.stringContaining('"*" stands for all')]);
  const servers = { db: { command: 'x', profiles: ['dev'] }, api: { command: 'x', dependsOn: ['db'] } };
  expect((await load(servers)).errors).toEqual([
    expect.stringContaining('"db" does not run (profile dev is not active), so this one would never start'),
  ]);
  expect((await load(servers, { line: ['dev'] })).runs).toEqual(['db', 'api']);
  expect((await load({ ...servers, api: { ...servers.api, profiles: ['dev'] } })).runs).toEqual([]);
});
