/** The code of the README by which receivers check alerts, against what is sent. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { createSecret } from '../src/config/secret.ts';
import { createPoster } from '../src/io/webhook.ts';
import { receiver, webhook } from './io/webhookKit.ts';
import { verifies } from './support/verifies.ts';

type IsGenuine = (headers: object, body: string, secret: string, now?: number) => boolean;

async function codeOfReadme(): Promise<IsGenuine> {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const code = /<!-- verified by test\/readme-signature\.test\.ts -->\n```js\n([\s\S]*?)```/.exec(readme)?.[1] as string;
  const folder = mkdtempSync(join(tmpdir(), 'onemcp-s-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'verify.mjs');
  writeFileSync(file, code);
  const { isGenuine } = (await import(/* @vite-ignore */ file)) as { isGenuine: IsGenuine };
  return isGenuine;
}

it(verifies('alert-signed', 'the code in the README accepts what is sent, and nothing that was changed or is old'), async () => {
  const there = await receiver();
  const secret = 'a key of many characters';
  const spec = webhook(there.url, { secret: createSecret(secret) });
  const poster = createPoster(spec, { timeout: 5_000, version: '1', now: Date.now, redact: (text) => text });
  await poster.post({ id: 'i', body: '{"summary":"ü"}' });
  await poster.destroy();
  const [{ headers, body }] = there.got as [(typeof there.got)[0]];
  const isGenuine = await codeOfReadme();
  expect(isGenuine(headers, body, secret)).toBe(true);
  expect(isGenuine(headers, `${body} `, secret)).toBe(false);
  expect(isGenuine(headers, body, `${secret}x`)).toBe(false);
  expect(isGenuine({ ...headers, 'onemcp-timestamp': '1700000000' }, body, secret)).toBe(false);
  expect(isGenuine({ ...headers, 'onemcp-signature': undefined }, body, secret)).toBe(false);
  expect(isGenuine(headers, body, secret, Date.now() + 600_000)).toBe(false);
});
