/** Programs of Debian packages for slow tests: found, or installed in CI, or none, which is said loudly. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/opt/homebrew/bin'];
const APT = '/usr/bin/apt-get';

const find = (program: string) => FOLDERS.map((folder) => `${folder}/${program}`).find((path) => existsSync(path));

/** Path of a program whose package has its name. As root in CI a missing one is installed; elsewhere no test changes a system. */
export function findProgram(program: string): string | undefined {
  const found = find(program);
  if (found) return found;
  if (process.env.CI && process.getuid?.() === 0 && existsSync(APT)) {
    try {
      // RUNLEVEL: where there is an init, it must not start what is installed.
      const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
      for (const args of [
        ['update', '-qq'],
        ['install', '-y', '-qq', '--no-install-recommends', program],
      ]) {
        execFileSync(APT, args, { env, stdio: 'ignore', timeout: 300_000 });
      }
    } catch (error) {
      console.warn(`${program} could not be installed: ${(error as Error).message}`);
    }
  }
  const installed = find(program);
  if (!installed) console.warn(`\n*** NO ${program}: its tests are SKIPPED. Install the package ${program}. ***\n`);
  return installed;
}
