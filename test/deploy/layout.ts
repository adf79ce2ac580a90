/** The files of the image in a plain folder, and its command in there: as near as one comes to a container without one. */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { onTestFinished } from 'vitest';
import { copiesOf, envOf, healthcheckOf, instructionsOf, lastOf, type Stage, stagesOf, wordsOf } from './dockerfile.ts';

export const ROOT = resolve(import.meta.dirname, '../..');
export const UID = 10_001;

export const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

export function stage(name: string): Stage {
  const found = stagesOf(instructionsOf(read('Dockerfile'))).find((one) => one.name === name);
  if (!found) throw new Error(`the Dockerfile has no stage ${name}`);
  return found;
}

/** Only root may become somebody else. */
export const isRoot = process.getuid?.() === 0;
/** Who the image runs as, or this user where there is no choice. */
const imageUser = isRoot ? { uid: UID, gid: UID } : {};

export interface Layout {
  /** What is `/` in the image. */
  readonly root: string;
  /** A path, or a word of a command that is one, as it is here. */
  readonly here: (word: string) => string;
  readonly env: Readonly<Record<string, string>>;
  /** ENTRYPOINT. */
  readonly entrypoint: readonly string[];
  /** CMD. */
  readonly command: readonly string[];
  readonly healthcheck: readonly string[];
}

/** Folders the image makes by RUN, those that its user may write among them. */
const WRITABLE = ['/var/lib/onemcp', '/var/log/onemcp', '/tmp'];

/**
 * Carries out the COPY lines of the gateway's stage; `/src/dist` is the built program of this repository. Everything but the
 * folders that the compose file mounts is read-only, and belongs to this user.
 *
 * @param mounts folders of this repository that are mounted somewhere, read-only
 */
export function layOut(mounts: Readonly<Record<string, string>> = {}): Layout {
  const gateway = stage('gateway');
  const root = mkdtempSync(join(tmpdir(), 'onemcp-image-'));
  const here = (word: string) => (!word.startsWith(root) && /^\/(app|etc|opt|var|tmp)(\/|$)/.test(word) ? join(root, word) : word);
  for (const { from, sources, target } of copiesOf(gateway)) {
    for (const source of sources) {
      const path = from === undefined ? join(ROOT, source) : join(ROOT, source.replace(/^\/src\//, ''));
      const to = sources.length > 1 || (target.endsWith('/') && !source.endsWith('/')) ? join(target, basename(source)) : target;
      mkdirSync(dirname(here(to)), { recursive: true });
      cpSync(path, here(to), { recursive: true });
    }
  }
  for (const [target, source] of Object.entries(mounts)) {
    rmSync(here(target), { recursive: true, force: true });
    cpSync(join(ROOT, source), here(target), { recursive: true });
  }
  for (const folder of WRITABLE) {
    mkdirSync(here(folder), { recursive: true });
    if (isRoot) chownSync(here(folder), UID, UID);
  }
  const writable = WRITABLE.map(here);
  walk(root, (path) => {
    if (!writable.includes(path)) chmodSync(path, statSync(path).mode & 0o555);
  });
  chmodSync(root, 0o555);
  onTestFinished(() => {
    walk(root, (path) => chmodSync(path, 0o755));
    rmSync(root, { recursive: true, force: true });
  });
  return {
    root,
    here,
    env: Object.fromEntries(Object.entries(envOf(gateway)).map(([name, value]) => [name, here(value)])),
    entrypoint: wordsOf(lastOf(gateway, 'ENTRYPOINT')),
    command: wordsOf(lastOf(gateway, 'CMD')),
    healthcheck: healthcheckOf(gateway),
  };
}

function walk(path: string, see: (path: string) => void): void {
  if (!existsSync(path)) return;
  if (!statSync(path).isDirectory()) return see(path);
  // A folder that was made read-only could not be walked into otherwise.
  for (const name of readdirSync(path)) walk(join(path, name), see);
  see(path);
}

const has = (program: string): boolean => {
  try {
    execFileSync('/bin/sh', ['-c', `command -v ${program}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

/** Whether this machine has what the image installs; without it the command runs without it. */
export const hasTini = has('tini');

/** The words of a command as they run here: paths in the layout, this Node.js, no tini where there is none. */
export function wordsHere(words: readonly string[], { here }: Layout, port: number): readonly string[] {
  const without = hasTini || words[0] !== 'tini' ? words : words.slice(words.indexOf('--') + 1);
  return without.map((word) =>
    word === 'node' ? process.execPath : here(word).replaceAll(/(?<=127\.0\.0\.1:|localhost:)3050/g, String(port)),
  );
}

/** Environment of a container, of which the path is this machine's. */
const containerEnv = ({ env, here }: Layout, more: Readonly<Record<string, string>> = {}) => ({
  PATH: process.env.PATH,
  TMPDIR: here('/tmp'),
  ...env,
  ...more,
});

/** Starts words as the image's user would. */
export function start(words: readonly string[], layout: Layout, more: Readonly<Record<string, string>> = {}): ChildProcess {
  const [program = '', ...args] = words;
  const child = spawn(program, args, {
    cwd: layout.here('/app'),
    env: containerEnv(layout, more),
    stdio: ['ignore', 'ignore', 'pipe'],
    ...imageUser,
  });
  onTestFinished(() => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  });
  return child;
}

/** Exit code of a command, and what it printed. */
export const ends = (words: readonly string[], layout: Layout, more: Readonly<Record<string, string>> = {}) =>
  new Promise<{ code: number; out: string }>((done) => {
    const [program = '', ...args] = words;
    execFile(program, args, { cwd: layout.here('/app'), env: containerEnv(layout, more), ...imageUser }, (error, out, err) =>
      done({ code: error ? Number(error.code ?? 1) : 0, out: out + err }),
    );
  });

/** A port that was free a moment ago. */
export const freePort = (): Promise<number> =>
  new Promise((found) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => found(port));
    });
  });
