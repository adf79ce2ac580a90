/** Programs that some tests need: found, or installed from a Debian package in CI, or none, which is said loudly. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const APT = '/usr/bin/apt-get';
const FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/opt/homebrew/bin'];

export interface Wanted {
  /** Debian package; most programs have the name of theirs. */
  readonly package: string;
  /** Places to look at; default: the usual folders. */
  readonly places?: readonly (string | undefined)[];
  /** What does not happen without it. */
  readonly otherwise: string;
}

/** Path of a program. As root in CI a missing one is installed; elsewhere nobody's system is changed by a test. */
export function findProgram(program: string, wanted: Wanted): string | undefined {
  const places = wanted.places ?? FOLDERS.map((folder) => `${folder}/${program}`);
  const find = () => places.find((path) => path !== undefined && existsSync(path));
  const found = find();
  if (found) return found;
  if (process.env.CI && process.getuid?.() === 0 && existsSync(APT)) install(wanted.package);
  const installed = find();
  if (!installed) console.warn(`\n*** NO ${program.toUpperCase()}: ${wanted.otherwise}. Install the package ${wanted.package}. ***\n`);
  return installed;
}

function install(name: string): void {
  // RUNLEVEL: where there is an init, it must not start what is installed.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  try {
    for (const args of [
      ['update', '-qq'],
      ['install', '-y', '-qq', '--no-install-recommends', name],
    ]) {
      execFileSync(APT, args, { env, stdio: 'ignore', timeout: 300_000 });
    }
  } catch (error) {
    console.warn(`${name} could not be installed: ${(error as Error).message}`);
  }
}
