/** Starts the program in front of one server, for clients on its stdin and stdout. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Json } from '../../src/world.ts';
import { MAIN, startGateway } from '../e2e/gateway.ts';
import { overHttp, overStdio, type RawClient } from './client.ts';

/** The server's exposed names begin with it. */
export const NAMESPACE = 'under';

export interface Front {
  readonly carrier: 'stdio' | 'http';
  readonly naming: 'never' | 'always';
}

/** Refreshes and announcements without delay, floods without end: what they wait for is tested elsewhere. */
const SETTINGS: Json = {
  batch: { quiet: '5ms', max: '20ms' },
  refresh: { interval: '5ms' },
  flood: { messages: 1_000_000, progress: 1_000_000 },
  stateDir: false,
};

/** A client of a gateway before one server. Both are gone when the test is over. */
export async function through({ carrier, naming }: Front, entry: Json, capabilities: Json): Promise<RawClient> {
  const gateway = { ...SETTINGS, naming: { prefix: naming } };
  if (carrier === 'http') {
    const { url } = await startGateway({ [NAMESPACE]: { ...entry, isolation: 'session' } }, gateway);
    return closedAfterTest(await overHttp(`${url}/mcp`, capabilities));
  }
  const folder = mkdtempSync(join(tmpdir(), 'onemcp-differential-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'mcp.json'), JSON.stringify({ mcpServers: { [NAMESPACE]: entry }, gateway }));
  return closedAfterTest(await overStdio([process.execPath, MAIN, 'run', '--stdio'], { cwd: folder }, capabilities));
}

/** A client of the server itself. */
export async function directly(entry: Json, capabilities: Json): Promise<RawClient> {
  const env = { PATH: process.env.PATH, ...(entry.env as NodeJS.ProcessEnv | undefined) };
  return closedAfterTest(await overStdio(entry.command as string[], { env }, capabilities));
}

function closedAfterTest(client: RawClient): RawClient {
  onTestFinished(() => client.close());
  return client;
}
