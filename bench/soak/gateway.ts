/** The gateway of a soak: the built program, watched from outside and by its probe. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openFiles } from '../proc.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const PROBE = new URL('./probe.mjs', import.meta.url).href;

/** What the gateway holds, after a garbage collection. */
export interface Held {
  readonly rss: number;
  readonly heap: number;
  readonly timers: number;
  readonly handles: number;
  readonly files: number;
}

export interface SoakGateway {
  readonly url: string;
  readonly held: () => Promise<Held>;
  /** Process id of a backend, while it has one. */
  readonly pidOf: (name: string) => Promise<number | undefined>;
  readonly exitCode: () => number | null;
  /** Resolves with the exit code after SIGTERM. */
  readonly stop: () => Promise<number | null>;
}

/** Starts it and waits until all backends are connected. @throws Error when it ends, or takes more than a minute */
export async function startSoakGateway(mcpServers: object, gateway: object): Promise<SoakGateway> {
  const folder = mkdtempSync(join(tmpdir(), 'onemcp-soak-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'mcp.json'), JSON.stringify({ gateway, mcpServers }, null, 2));
  const args = ['--expose-gc', '--import', PROBE, MAIN, 'run', 'mcp.json', '--port', '0', '--log-format', 'json'];
  const child = spawn(process.execPath, args, {
    cwd: folder,
    env: { ...process.env, ONEMCP_STATE_DIR: join(folder, 'state') },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let tail = '';
  const listening = new Promise<string>((found, failed) => {
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      tail = (tail + text).slice(-20_000);
      const match = /serves (http:\S+)\/mcp/.exec(tail);
      if (match) found(match[1] as string);
    });
    child.once('exit', (code) => failed(new Error(`onemcp ended with ${code}: ${tail.slice(-2_000)}`)));
  });
  const url = await listening;
  const details = async () => {
    const answer = await fetch(`${url}/health`, { signal: AbortSignal.timeout(10_000) });
    const body = (await answer.json()) as { servers: { details: { name: string; status: string; pid?: number }[] } };
    return body.servers.details;
  };
  for (const deadline = Date.now() + 60_000; (await details()).some(({ status }) => status !== 'connected'); await sleep(100)) {
    if (Date.now() > deadline) throw new Error(`not all backends are connected after a minute: ${tail.slice(-2_000)}`);
  }
  return {
    url,
    async held() {
      const answer = once(child, 'message', { signal: AbortSignal.timeout(30_000) });
      child.send('held');
      const [held] = (await answer) as [Omit<Held, 'files'>];
      return { ...held, files: openFiles(child.pid as number) };
    },
    pidOf: async (name) => (await details()).find((entry) => entry.name === name)?.pid,
    exitCode: () => child.exitCode,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 30_000);
      await gone;
      clearTimeout(timer);
      return child.exitCode;
    },
  };
}
