import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { onTestFinished } from 'vitest';
import type { ProcessPorts } from '../../src/cli/process.ts';

/** A process in a folder of its own, which is also its home, and what it printed. */
export function createTerminal(env: ProcessPorts['env'] = {}, more: Partial<ProcessPorts> = {}) {
  const cwd = mkdtempSync(join(tmpdir(), 'onemcp-t-'));
  onTestFinished(() => rmSync(cwd, { recursive: true, force: true }));
  let [out, err] = ['', ''];
  const ports: ProcessPorts = {
    env: { HOME: cwd, ONEMCP_SECRETS: join(cwd, 'secrets'), ...env },
    cwd,
    platform: 'linux',
    uid: process.getuid?.(),
    tmpdir: cwd,
    stdin: new PassThrough(),
    stdout: new PassThrough().on('data', (chunk) => (out += chunk)),
    stderr: new PassThrough().on('data', (chunk) => (err += chunk)),
    onSignal: () => () => undefined,
    onHangup: () => () => undefined,
    exit: () => {
      throw new Error('nobody exits here');
    },
    ...more,
  };
  /** All that was printed since the last time. */
  const said = () => {
    const all = { out, err };
    [out, err] = ['', ''];
    return all;
  };
  return {
    ports,
    cwd,
    write: (file: string, text: string) => writeFileSync(join(cwd, file), text),
    read: (file = 'mcp.json') => readFileSync(join(cwd, file), 'utf8'),
    files: () => readdirSync(cwd).sort(),
    said,
    /** The whole lines of it. */
    printed() {
      const all = said();
      return { out: all.out.split('\n').slice(0, -1), err: all.err.split('\n').slice(0, -1) };
    },
  };
}
