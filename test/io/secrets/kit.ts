import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { SecretSettings } from '../../../src/config/config.ts';

/** A folder that is removed when the test is over. */
export function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), 'onemcp-secrets-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** What a configuration without `gateway.secrets` says, but for some of it. */
export const settingsOf = (more: Partial<SecretSettings> = {}): SecretSettings => ({
  providers: ['file', 'store', 'env'],
  folders: ['/run/secrets'],
  stateDir: undefined,
  exec: undefined,
  vault: undefined,
  timeout: 10_000,
  maxBytes: 65_536,
  poll: 0,
  filePoll: 0,
  ...more,
});
