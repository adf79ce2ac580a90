/** Prometheus' own checker for the tests of our metrics: found, or installed in CI, or none, which is said loudly. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const PLACES = [process.env.PROMTOOL, '/usr/bin/promtool', '/usr/local/bin/promtool', '/opt/homebrew/bin/promtool'];
const APT = '/usr/bin/apt-get';

const find = () => PLACES.find((path) => path !== undefined && existsSync(path));

/** Path of a promtool. As root in CI a missing one is installed; elsewhere nobody's system is changed by a test. */
export function findPromtool(): string | undefined {
  const found = find();
  if (found) return found;
  if (process.env.CI && process.getuid?.() === 0 && existsSync(APT)) {
    try {
      const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
      for (const args of [
        ['update', '-qq'],
        ['install', '-y', '-qq', '--no-install-recommends', 'prometheus'],
      ]) {
        execFileSync(APT, args, { env, stdio: 'ignore', timeout: 300_000 });
      }
    } catch (error) {
      console.warn(`prometheus could not be installed: ${(error as Error).message}`);
    }
  }
  const installed = find();
  if (!installed) {
    console.warn('\n*** NO PROMTOOL: what Prometheus says of our metrics is NOT TESTED. Install it, or set PROMTOOL to its path. ***\n');
  }
  return installed;
}
