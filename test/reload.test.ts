import { expect, it } from 'vitest';
import type { Config } from '../src/config/config.ts';
import { loadConfig } from '../src/config/load.ts';
import { createRedactor } from '../src/observe/redact.ts';
import { createReloader } from '../src/reload.ts';
import { CONFIG_VIEW } from './support/specs.ts';
import { verifies } from './support/verifies.ts';

const configOf = async (secret: string): Promise<Config> => {
  const text = JSON.stringify({ mcpServers: { a: { command: 'x', env: { A: '${SECRET:s}' } } } });
  const loaded = await loadConfig({ file: '<memory>', text, env: {}, secrets: { read: async () => secret } });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.issues));
  return loaded.config;
};

it(verifies('secrets-nowhere', 'no number of plans makes the gateway forget the secrets in force'), async () => {
  const config = await configOf('the-secret-in-force');
  const { redact, learn } = createRedactor(config.secrets);
  const world = { backends: new Map(), instances: new Map(), config: CONFIG_VIEW, phase: 'running' as const };
  let planned = 0;
  const reloader = createReloader({
    source: { load: async () => ({ ok: true, config: await configOf(`secret-of-plan-${++planned}`), warnings: [] }) },
    config,
    system: { world: () => world as never, apply: () => {}, rejected: () => {} },
    learn,
    log: () => {},
    onApply: () => {},
  });
  for (let count = 0; count < 40; count++) expect((await reloader.plan('other.json')).ok).toBe(true);
  reloader.close();
  expect(redact('the-secret-in-force, secret-of-plan-40')).toBe('***, ***');
});
