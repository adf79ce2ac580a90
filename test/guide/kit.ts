/** Starts the built program with exactly the arguments and variables that a fragment has. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type HealthBody, MAIN, until } from '../e2e/gateway.ts';

type Env = Readonly<Record<string, string>>;

/** A folder with a configuration, removed when the test is over. */
export function home(config: string | object): string {
  const folder = mkdtempSync(join(tmpdir(), 'onemcp-guide-'));
  writeFileSync(join(folder, 'mcp.json'), typeof config === 'string' ? config : JSON.stringify(config));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Nothing of this process but where programs are. */
const environment = (folder: string, more: Env) => ({
  PATH: process.env.PATH,
  HOME: folder,
  ONEMCP_STATE_DIR: join(folder, 'state'),
  ONEMCP_SECRET_KEY_FILE: join(folder, 'secret.key'),
  ...more,
});

export function start(folder: string, args: readonly string[], env: Env = {}) {
  const child = spawn(process.execPath, [MAIN, ...args], { cwd: folder, env: environment(folder, env), stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = new Promise<number | null>((done) => child.once('exit', (code) => done(code)));
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  }
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    await exited;
  });
  const url = () =>
    until('it listens', () => {
      if (child.exitCode !== null) throw new Error(`onemcp exited with ${child.exitCode}: ${text}`);
      return /serves (\S+)\/mcp/.exec(text)?.[1];
    });
  return { url, exited, output: () => text };
}

/** Runs a command to its end. */
export function onemcp(folder: string, args: readonly string[], { env = {}, input = '' }: { env?: Env; input?: string } = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    cwd: folder,
    encoding: 'utf8',
    env: environment(folder, env),
    input,
  });
  return { status, stdout, stderr };
}

/** Words of a line of a shell that has no quotes, and no more than that. */
export function wordsOf(line: string): readonly string[] {
  if (/["'\\`$|;&<>()]/.test(line)) throw new Error(`this needs a real shell: ${line}`);
  return line.trim().split(/\s+/);
}

export const healthOf = async (url: string): Promise<HealthBody> => (await (await fetch(`${url}/health`)).json()) as HealthBody;

/** Waits until a server of the gateway has a state. */
export const untilServer = (url: string, name: string, isSo: (entry: HealthBody['servers']['details'][number]) => boolean) =>
  until(`${name} is so`, async () => (await healthOf(url)).servers.details.find((entry) => entry.name === name && isSo(entry)));
