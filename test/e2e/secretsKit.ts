/** What a run has left behind and said, by place, and a search for secrets in all of it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import { httpReceiver } from '../support/httpReceiver.ts';
import { MAIN, until } from './gateway.ts';

type Env = Readonly<Record<string, string | undefined>>;

const alphabets = ['base64', 'base64url'] as const;

/** What of the base64 of a longer text is the same whatever stands around the secret, for each of the three ways it can lie. */
const insideBase64 = (value: string): readonly string[] =>
  [0, 1, 2].flatMap((before) => {
    const length = Buffer.byteLength(value);
    const cut = [Math.ceil((before * 4) / 3), Math.floor(((before + length) * 4) / 3)] as const;
    return alphabets.map((alphabet) =>
      Buffer.from('-'.repeat(before) + value)
        .toString(alphabet)
        .slice(...cut),
    );
  });

/** A secret in every encoding in which it must not be seen, by the name of that. */
export function formsOf(value: string): ReadonlyMap<string, readonly string[]> {
  const json = JSON.stringify(value).slice(1, -1);
  const url = encodeURIComponent(value);
  return new Map([
    ['plain', [value]],
    ['JSON', [json, JSON.stringify(json).slice(1, -1)]],
    ['URL', [url, url.replace(/%../g, (code) => code.toLowerCase()), new URLSearchParams({ value }).toString().slice(6)]],
    ['whole URL', [encodeURI(value), new URL(`http://x/?${value}`).search.slice(1), encodeURIComponent(url)]],
    ['base64', insideBase64(value)],
    // Where a text was cut in the middle of it.
    ['half', [value.slice(0, Math.ceil(value.length / 2)), value.slice(Math.floor(value.length / 2))]],
  ]);
}

/** Named texts: where something was said, and what. */
export interface Places {
  add(name: string, said: string): void;
  /** Every file in it, those of `except` and what is in them not. */
  addFolder(folder: string, except: readonly string[]): void;
  readonly all: readonly (readonly [name: string, said: string])[];
}

export function createPlaces(): Places {
  const all: [string, string][] = [];
  return {
    all,
    add: (name, said) => void all.push([name, said]),
    addFolder(folder, except) {
      for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
        const path = join(folder, name);
        if (except.some((own) => path === own || path.startsWith(`${own}/`)) || !statSync(path).isFile()) continue;
        all.push([path, readFileSync(path, 'utf8')]);
      }
    },
  };
}

/** Every secret that is seen somewhere: which, how, where, and what stands around it. */
export function leaksIn({ all }: Pick<Places, 'all'>, secrets: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(secrets).flatMap(([name, value]) =>
    [...formsOf(value)].flatMap(([how, forms]) =>
      all.flatMap(([place, said]) => {
        const at = forms.map((form) => said.indexOf(form)).find((index) => index >= 0);
        return at === undefined ? [] : [`${name} as ${how} in ${place}: ${said.slice(Math.max(0, at - 200), at + 150)}`];
      }),
    ),
  );
}

/** Runs a command; what it printed. */
export async function command(args: readonly string[], cwd: string, { env, input = '' }: { env: Env; input?: string }): Promise<string> {
  const child = spawn(process.execPath, [MAIN, ...args], { cwd, env: env as NodeJS.ProcessEnv });
  child.stdin.end(input);
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return out + err;
}

export interface Raw {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly url: string;
  /** All of stdout and stderr so far. */
  readonly said: () => string;
  readonly exited: Promise<number | null>;
}

/** Starts `onemcp run`, whatever its log looks like, and waits until it listens. It is ended when the test is over. */
export async function run(args: readonly string[], cwd: string, env: Env): Promise<Raw> {
  const child = spawn(process.execPath, [MAIN, 'run', ...args], { cwd, env: env as NodeJS.ProcessEnv, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  const hear = (chunk: string) => {
    said += chunk;
  };
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', hear);
  const exited = new Promise<number | null>((done) => child.once('close', done));
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill();
    await exited;
  });
  const url = await until('it listens', () => {
    if (child.exitCode !== null) throw new Error(`onemcp exited with ${child.exitCode}: ${said}`);
    return /serves (http\S+)\/mcp/.exec(said)?.[1];
  });
  return { child, pid: child.pid as number, url, said: () => said, exited };
}

/** Reads a stream of events until the test is over; what has come so far. */
export async function listenTo(url: string, headers: Record<string, string> = {}): Promise<() => string> {
  const aborter = new AbortController();
  onTestFinished(() => aborter.abort());
  const { body } = await fetch(url, { headers, signal: aborter.signal });
  let heard = '';
  void (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of body ?? []) heard += decoder.decode(chunk as Uint8Array, { stream: true });
  })().catch(() => {});
  return () => heard;
}

/** A server that answers what it is told, and keeps what it was sent, headers included. */
export interface Sink {
  readonly origin: string;
  readonly got: string[];
}

type Answer = { readonly status?: number; readonly headers?: Record<string, string>; readonly body?: string };

export async function sink(answer: (asked: { url: string; headers: Record<string, unknown> }) => Answer = () => ({})): Promise<Sink> {
  const got: string[] = [];
  const host = await httpReceiver(({ request, body, response }) => {
    got.push(`${JSON.stringify(request.headers)}\n${body}`);
    const { status = 200, headers = {}, body: answered = '' } = answer({ url: String(request.url), headers: request.headers });
    response.writeHead(status, headers).end(answered);
  });
  return { origin: `http://${host}`, got };
}
