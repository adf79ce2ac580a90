/** A Chromium for the tests of pages. */
import { type Browser, chromium } from 'playwright-core';
import { findProgram } from './debian.ts';

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

/** Path of a Chromium, or of what `CHROMIUM` names. */
export const findChromium = (): string | undefined =>
  findProgram('chromium', {
    package: 'chromium',
    places: PLACES,
    otherwise: 'the tests of the inspection page are SKIPPED (CHROMIUM may name one)',
  });

/** Starts it without a window and with an empty profile. */
export const launchChromium = (executablePath: string): Promise<Browser> => chromium.launch({ executablePath, args: ARGUMENTS });
