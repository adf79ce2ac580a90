/** Runs the official conformance suite as its users do, by its command line, and reads the checks that it saves. */
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = resolve(import.meta.dirname, '../..');
const SUITE = fileURLToPath(import.meta.resolve('@modelcontextprotocol/conformance/dist/index.js'));
const PRELOAD = 'globSync' in fs ? [] : ['--import', import.meta.resolve('./globSync.mjs')];
/** Milliseconds for one run; more than any time limit within the suite. */
const PATIENCE = 120_000;

/** One check of a scenario, as the suite saves it. */
export interface Check {
  readonly id: string;
  readonly status: 'SUCCESS' | 'FAILURE' | 'WARNING' | 'INFO' | 'SKIPPED';
  readonly description: string;
  readonly errorMessage?: string;
}

export interface Run {
  readonly exitCode: number | null;
  readonly checks: readonly Check[];
  /** What a client under test said on stderr; without checks, what the suite said. */
  readonly output: string;
}

/** The names of the scenarios that the suite has for a version. */
export async function scenariosOf(kind: 'server' | 'client', version: string): Promise<string[]> {
  const { output } = await run(['list', `--${kind}`, '--spec-version', version]);
  return [...output.matchAll(/^ {2}- (\S+)/gm)].map(([, name]) => name as string);
}

export const runServerScenario = (url: string, scenario: string): Promise<Run> => runScenario(['server', '--url', url], scenario);

/** `command` is a line for the shell; the suite appends the address of its server. */
export const runClientScenario = (command: string, scenario: string): Promise<Run> =>
  runScenario(['client', '--command', command, '--timeout', String(PATIENCE / 2)], scenario);

async function runScenario(args: readonly string[], scenario: string): Promise<Run> {
  const folder = fs.mkdtempSync(join(tmpdir(), 'conformance-'));
  try {
    const { exitCode, output } = await run([...args, '--scenario', scenario, '-o', folder]);
    const files = fs.readdirSync(folder, { recursive: true, encoding: 'utf8' });
    const read = (name: string): string | undefined => {
      const found = files.find((file) => file.endsWith(name));
      return found === undefined ? undefined : fs.readFileSync(join(folder, found), 'utf8');
    };
    const checks = read('checks.json');
    if (checks === undefined) return { exitCode, checks: [], output };
    return { exitCode, checks: JSON.parse(checks) as Check[], output: read('stderr.txt') ?? '' };
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

function run(args: readonly string[]): Promise<Omit<Run, 'checks'>> {
  return new Promise((done, failed) => {
    const child = spawn(process.execPath, [...PRELOAD, SUITE, ...args], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    const patience = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
    child.once('error', failed);
    child.once('close', (exitCode) => {
      clearTimeout(patience);
      done({ exitCode, output });
    });
  });
}
