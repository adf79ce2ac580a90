/** What a trial starts besides the gateway. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';
import { type Backend, start } from '../../fixtures/http/index.mjs';
import type { Peer, Setup } from './fault.ts';

const PEERS = resolve(import.meta.dirname, '../../fixtures/http');

/** All of it ends with the test at the latest. */
export function setUp(): Setup & { close(): Promise<void> } {
  const folder = mkdtempSync(join(tmpdir(), 'onemcp-chaos-'));
  const ends: (() => Promise<unknown> | unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
  const close = async () => {
    for (const end of ends.splice(0)) await end();
  };
  onTestFinished(close);
  const peers: Peer[] = [];
  const nears: Backend[] = [];
  return {
    folder,
    peers,
    nears,
    async peer(name, options = {}) {
      const args = Object.entries(options).flatMap(([key, value]) => [`--${key}`, String(value)]);
      const child = spawn(process.execPath, [join(PEERS, `${name}.mjs`), ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
      ends.push(() => gone(child));
      const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
      const peer = { url: (JSON.parse(line) as { url: string }).url, pid: child.pid as number };
      peers.push(peer);
      return peer;
    },
    async near(name, options) {
      const backend = await start(name, options);
      nears.push(backend);
      ends.push(() => backend.close());
      return backend;
    },
    close,
  };
}

async function gone(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}
