/** A Chromium for the tests of pages: found, or installed in CI, or none, which is said loudly. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const PLACES = [
  process.env.CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome-stable',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const APT = '/usr/bin/apt-get';

const find = () => PLACES.find((path) => path !== undefined && existsSync(path));

/** Path of a Chromium. As root in CI a missing one is installed; elsewhere nobody's system is changed by a test. */
export function findChromium(): string | undefined {
  const found = find();
  if (found) return found;
  if (process.env.CI && process.getuid?.() === 0 && existsSync(APT)) {
    try {
      const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
      for (const args of [
        ['update', '-qq'],
        ['install', '-y', '-qq', '--no-install-recommends', 'chromium'],
      ]) {
        execFileSync(APT, args, { env, stdio: 'ignore', timeout: 300_000 });
      }
    } catch (error) {
      console.warn(`chromium could not be installed: ${(error as Error).message}`);
    }
  }
  const installed = find();
  if (!installed) {
    console.warn('\n*** NO CHROMIUM: the tests of the inspection page are SKIPPED. Install it, or set CHROMIUM to its path. ***\n');
  }
  return installed;
}

/** Starts it without a window and with an empty profile. */
export const launchChromium = (executablePath: string): Promise<Browser> => chromium.launch({ executablePath, args: ARGUMENTS });
