/** The backends of a soak: two thirds programs, one third HTTP servers; some of each are faulty. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { FaultyBackend } from './faults.ts';

const STDIO = fileURLToPath(new URL('./stdio.mjs', import.meta.url));
const HTTP = fileURLToPath(new URL('./http.mjs', import.meta.url));

export interface SoakBackends {
  /** `mcpServers` of the configuration. */
  readonly servers: Readonly<Record<string, object>>;
  readonly faulty: readonly FaultyBackend[];
  readonly stop: () => void;
}

/** @param pidOf the process of a program that the gateway has started */
export async function startSoakBackends(
  { backends, faulty }: { backends: number; faulty: number },
  pidOf: (name: string) => Promise<number | undefined>,
): Promise<SoakBackends> {
  const folder = mkdtempSync(join(tmpdir(), 'onemcp-soak-faults-'));
  const servers: Record<string, object> = {};
  const troubled: FaultyBackend[] = [];
  const stops: (() => void)[] = [() => rmSync(folder, { recursive: true, force: true })];
  for (let n = 0; n < backends; n++) {
    const isFaulty = n < faulty;
    const name = `${isFaulty ? 'odd' : 'even'}${n}`;
    const file = join(folder, name);
    if (isFaulty) writeFileSync(file, 'good');
    const env: Record<string, string> = isFaulty ? { FAULT_FILE: file } : {};
    if (n % 3 === 2) {
      const server = await startHttp(env);
      stops.push(server.stop);
      servers[name] = { type: 'http', url: server.url };
      if (isFaulty) troubled.push({ name, file, kill: server.restart });
    } else {
      servers[name] = { command: process.execPath, args: [STDIO], ...(isFaulty && { env }) };
      const kill = async () => {
        const pid = await pidOf(name).catch(() => undefined);
        // It may have ended since.
        if (pid !== undefined) trySignal(pid);
      };
      if (isFaulty) troubled.push({ name, file, kill });
    }
  }
  return {
    servers,
    faulty: troubled,
    stop() {
      for (const stop of stops) stop();
    },
  };
}

/** An HTTP server in a process of its own; `restart` kills it and starts another on the same port. */
async function startHttp(env: Readonly<Record<string, string>>) {
  const start = async (port: string) => {
    const child = spawn(process.execPath, [HTTP, port], { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'inherit'] });
    const [url] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    return { child, url };
  };
  let current = await start('0');
  const { url } = current;
  return {
    url,
    async restart() {
      const gone = once(current.child, 'exit');
      current.child.kill('SIGKILL');
      await gone;
      current = await start(new URL(url).port);
    },
    stop: () => void current.child.kill('SIGKILL'),
  };
}

function trySignal(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Somebody else was quicker.
  }
}
