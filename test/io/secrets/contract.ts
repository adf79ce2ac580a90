/** What every provider of secrets has to do, whatever is behind it. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { openSecrets } from '../../../src/io/secrets/index.ts';
import type { SecretProvider } from '../../../src/io/secrets/provider.ts';
import { until } from '../../e2e/gateway.ts';
import { settingsOf } from './kit.ts';

/** A provider with what is behind it. */
export interface Bench {
  /** Anew for each call, as for each reading of a configuration. */
  provider(maxBytes: number): SecretProvider;
  /** Lets what is behind it have a secret, exactly like this. */
  put(name: string, value: string): Promise<void> | void;
  /** From now on nothing can be read. */
  ruin(): Promise<void> | void;
  /** From now on nothing is answered; missing: it cannot happen. */
  hang?(): Promise<void> | void;
  /** Whether one line end at the end of what is behind it is part of a secret. */
  readonly lineEnd: 'part' | 'none';
  /** Whether it can change while it is used. */
  readonly changes: boolean;
}

const MAX_BYTES = 1000;
const VALUE = 'v4lue-of "the" secret';

export function contract(scheme: string, open: () => Promise<Bench> | Bench): void {
  const secretsOf = (bench: Bench, timeout = 10_000) =>
    openSecrets(settingsOf({ providers: [bench.provider(MAX_BYTES).scheme], timeout, poll: 50 }), () => [bench.provider(MAX_BYTES)]);
  const errorOf = (bench: Bench, name: string, timeout?: number) =>
    secretsOf(bench, timeout)
      .read(name)
      .then(
        () => undefined,
        ({ message }: Error) => message,
      );

  describe(`the provider ${scheme}`, () => {
    it('gives a value to the letter', async () => {
      const bench = await open();
      const values = ['plain', ' spaces and\ttabs ', 'two\nlines', '${SECRET:other}', '"quoted" \\', 'ключ 🔑', 'x'.repeat(MAX_BYTES)];
      for (const [index, value] of values.entries()) await bench.put(`name-${index}`, value);
      const { read } = secretsOf(bench);
      expect(await Promise.all(values.map((_, index) => read(`name-${index}`)))).toEqual(values);
      expect(await read(`${scheme}:name-0`)).toBe('plain');
    });

    it('does not have what it does not have', async () => {
      const bench = await open();
      const provider = bench.provider(MAX_BYTES);
      const { signal } = new AbortController();
      for (const name of ['missing', 'constructor', '__proto__', 'folder/missing'])
        expect(await provider.read(name, signal)).toBeUndefined();
      await bench.put('other', VALUE);
      expect(await bench.provider(MAX_BYTES).read('missing', signal)).toBeUndefined();
      expect(await errorOf(bench, 'missing')).toMatch(/^secret "missing" was not found/);
      expect(await errorOf(bench, 'missing')).not.toContain(VALUE);
    });

    it('says of what it cannot read who could not and what, but no value', async () => {
      const bench = await open();
      await bench.put('api-key', VALUE);
      await bench.ruin();
      const message = await errorOf(bench, 'api-key');
      expect(message).toContain(`the provider "${scheme}" cannot tell "api-key": `);
      expect(message).not.toContain(VALUE);
    });

    it('takes one line end at most for the end of a file', async () => {
      const bench = await open();
      await bench.put('unix', 'value\n');
      await bench.put('windows', 'value\r\n');
      await bench.put('two', 'value\n\n');
      const { read } = secretsOf(bench);
      const found = [await read('unix'), await read('windows'), await read('two')];
      expect(found).toEqual(bench.lineEnd === 'none' ? ['value', 'value', 'value\n'] : ['value\n', 'value\r\n', 'value\n\n']);
    });

    it('refuses a value that is too large', async () => {
      const bench = await open();
      await bench.put('large', 'y'.repeat(MAX_BYTES + 1));
      await bench.put('huge', 'y'.repeat(100 * MAX_BYTES));
      for (const name of ['large', 'huge']) {
        const message = await errorOf(bench, name);
        expect(message).toContain(`the provider "${scheme}" cannot tell "${name}": `);
        expect(message).toContain('gateway.secrets.maxBytes (1000 bytes)');
        expect(message).not.toContain('yyyy');
      }
    });

    it('answers many at once, each with its own', async () => {
      const bench = await open();
      const names = Array.from({ length: 40 }, (_, index) => `name-${index}`);
      for (const name of names) await bench.put(name, `value of ${name}`);
      const { read } = secretsOf(bench);
      expect(await Promise.all(names.map((name) => read(name)))).toEqual(names.map((name) => `value of ${name}`));
    });

    it('is not waited for any longer than it may take', async () => {
      const bench = await open();
      await bench.put('slow', VALUE);
      if (!bench.hang) return expect(await secretsOf(bench, 1000).read('slow')).toBe(VALUE);
      await bench.hang();
      const began = performance.now();
      const message = await errorOf(bench, 'slow', 300);
      expect(message).toContain(`the provider "${scheme}" cannot tell "slow": `);
      expect(message).not.toContain(VALUE);
      expect(performance.now() - began).toBeLessThan(5_000);
    });

    it('tells of a value that has changed, and of nothing else', async () => {
      const bench = await open();
      await bench.put('mine', 'old');
      await bench.put('other', 'old');
      const secrets = secretsOf(bench);
      expect(await secrets.read('mine')).toBe('old');
      let changes = 0;
      onTestFinished(secrets.watch(() => changes++));
      await bench.put('other', 'new');
      // There is no end to "nothing happens": what comes next shows that the looks went on.
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(changes).toBe(0);
      await bench.put('mine', 'new');
      if (!bench.changes) return;
      await until('the change is told', () => changes > 0);
      expect(await secretsOf(bench).read('mine')).toBe('new');
    });
  });
}
