import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { BackendSpec } from '../../src/config/config.ts';
import { formatIssue, loadConfig } from '../../src/config/load.ts';
import { verifies } from '../support/verifies.ts';

async function load(file: object) {
  return loadConfig({ file: 'mcp.json', base: '/', text: JSON.stringify(file), env: {}, secrets: { read: () => '' } });
}

async function backends(file: object): Promise<readonly BackendSpec[]> {
  const loaded = await load(file);
  if (!loaded.ok) throw new Error(loaded.issues.map(formatIssue).join('\n'));
  return loaded.config.backends;
}

const options = fc.record(
  {
    env: fc.dictionary(fc.constantFrom('A', 'B', 'C'), fc.constantFrom('1', '2', '3')),
    cwd: fc.constantFrom('/a', '/b'),
    tags: fc.subarray(['x', 'y', 'z']),
    critical: fc.boolean(),
    restart: fc.constantFrom('always', 'never'),
    handoff: fc.constantFrom('swap', 'stop-first'),
    requestTimeout: fc.integer({ min: 1000, max: 9000 }),
    maxMemory: fc.constantFrom('1MiB', '2MiB'),
    maxQueue: fc.nat(9),
  },
  { requiredKeys: [] },
);

it(verifies('server-defaults', 'a server is what it would be with the defaults written into it'), async () => {
  const property = fc.asyncProperty(options, options, async (serverDefaults, own) => {
    const env = { ...serverDefaults.env, ...own.env };
    const both = { ...serverDefaults, ...own, env, command: 'x' };
    const [apart] = await backends({ serverDefaults, mcpServers: { a: { ...own, command: 'x' } } });
    const [together] = await backends({ mcpServers: { a: both } });
    expect(apart).toEqual(together);
  });
  await fc.assert(property, { numRuns: 200 });
});

it('what is wrong with them is said once, however many servers there are', async () => {
  const mcpServers = Object.fromEntries(['a', 'b', 'c'].map((name) => [name, { command: 'x' }]));
  const loaded = await load({ serverDefaults: { cwd: '~/x', headers: { 'bad header': 'x' } }, mcpServers });
  expect(loaded.ok ? [] : loaded.issues.map(formatIssue)).toEqual([
    `mcp.json:1:26 serverDefaults.cwd: "~" is not expanded here; write \${HOME} instead`,
  ]);
});
