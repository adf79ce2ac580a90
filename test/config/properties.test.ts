// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the templates of the configuration look like those of JavaScript
import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Config } from '../../src/config/config.ts';
import { formatIssue, loadConfig } from '../../src/config/load.ts';
import { parseDocument } from '../../src/config/parse.ts';
import { fill } from '../../src/config/template.ts';

const anyText = fc.string({ unit: 'binary', maxLength: 200 });
/** Text in which the marks of templates are frequent. */
const templateText = fc.array(fc.constantFrom('${', '$${', '}', ':-', ':?', 'A', 'SECRET:', 'env:', '$', ' ', '{', '"', '..', '\n'), {
  maxLength: 40,
});
const noSecrets = { read: async (name: string) => `secret of ${name}` };
const load = (text: string, env: Record<string, string> = {}, secrets = noSecrets) =>
  loadConfig({ file: 'mcp.json', base: '/', text, env, secrets });

describe('templates', () => {
  it('never throw, whatever is written', async () => {
    const property = fc.asyncProperty(
      fc.oneof(
        anyText,
        templateText.map((parts) => parts.join('')),
      ),
      anyText,
      async (text, value) => {
        const { text: result, problems } = await fill(text, { env: { A: value }, secret: noSecrets.read });
        expect(typeof result).toBe('string');
        if (!text.includes('${')) expect({ result, problems }).toEqual({ result: text, problems: [] });
      },
    );
    await fc.assert(property, { numRuns: 500 });
  });

  it('survive any depth of defaults', async () => {
    const { problems } = await fill('${A:-'.repeat(100_000), { env: {}, secret: noSecrets.read });
    expect(problems).toEqual(['defaults are nested too deeply']);
  });

  it('insert values as they are: never split, never filled again', async () => {
    const value = fc
      .oneof(
        anyText,
        templateText.map((parts) => parts.join('')),
      )
      .filter((text) => !text.includes('\0') && text !== '');
    const property = fc.asyncProperty(value, async (text) => {
      const forms = ['${A}', 'x${A}y', '${A:-d}', '${B:-${A}}', '${SECRET:s}'];
      const config = { mcpServers: { one: { command: ['x', ...forms] } } };
      const loaded = await load(JSON.stringify(config), { A: text }, { read: async () => text });
      if (!loaded.ok) throw new Error(loaded.issues.map(formatIssue).join());
      const [backend] = loaded.config.backends;
      const args = backend?.kind === 'stdio' ? backend.args.map((arg) => (typeof arg === 'string' ? arg : arg.reveal())) : [];
      expect(args).toEqual([text, `x${text}y`, text, text, text]);
    });
    await fc.assert(property, { numRuns: 200 });
  });
});

describe('parsing', () => {
  it('never throws, and every issue has a place in the text', async () => {
    const damaged = fc
      .tuple(fc.json(), fc.nat(), anyText)
      .map(([json, at, junk]) => json.slice(0, at % (json.length + 1)) + junk + json.slice(at % (json.length + 1)));
    const property = fc.asyncProperty(fc.oneof(anyText, damaged, fc.json()), async (text) => {
      const loaded = await load(text);
      const lines = text.split(/\r\n|\r|\n/);
      for (const { line = 0, column = 0 } of loaded.ok ? loaded.warnings : loaded.issues) {
        expect(line).toBeGreaterThan(0);
        expect(line).toBeLessThanOrEqual(lines.length);
        expect(column).toBeGreaterThan(0);
        expect(column).toBeLessThanOrEqual((lines[line - 1]?.length ?? 0) + 2);
      }
    });
    await fc.assert(property, { numRuns: 500 });
  });

  it('reads what JSON.parse reads', () => {
    const safe = fc.jsonValue({ maxDepth: 5 }).filter((value) => !/"(__proto__|constructor|prototype)":/.test(JSON.stringify(value)));
    fc.assert(
      fc.property(safe, (value) => {
        expect(parseDocument(JSON.stringify(value)).document?.value).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('never throws on a configuration with values of any kind', async () => {
    const key = fc.constantFrom(
      'command',
      'args',
      'env',
      'cwd',
      'url',
      'headers',
      'type',
      'tags',
      'disabled',
      'critical',
      'namespace',
      'timeout',
    );
    const gatewayKey = fc.constantFrom('host', 'port', 'trustedHosts', 'allowedOrigins', 'naming', 'restart', 'callWait', 'message');
    const dictionary = (keys: fc.Arbitrary<string>) => fc.dictionary(keys, fc.jsonValue({ maxDepth: 2 }));
    const file = fc.record({ mcpServers: fc.dictionary(anyText, dictionary(key)), gateway: dictionary(gatewayKey) });
    await fc.assert(
      fc.asyncProperty(file, async (value) => {
        expect(await load(JSON.stringify(value))).toHaveProperty('ok');
      }),
      { numRuns: 300 },
    );
  });

  it('survives a megabyte of brackets', () => {
    expect(parseDocument('['.repeat(1_000_000)).problems).toHaveLength(1);
  });
});

describe('secrets', () => {
  const secretText = fc.stringMatching(/^s3cr3t-[a-z0-9]{8,20}$/);

  it('are in no print of the configuration', async () => {
    const property = fc.asyncProperty(secretText, secretText, secretText, async (provided, variable, plain) => {
      const text = JSON.stringify({
        mcpServers: {
          local: {
            command: '${SECRET:a}',
            args: ['--x=${SECRET:a}'],
            env: { DB: 'pg://${SECRET:a}', API_KEY: '${V}', password: plain },
          },
          remote: { url: 'https://h/${SECRET:a}', headers: { Authorization: 'Bearer ${V}', 'X-Token': plain } },
        },
      });
      const loaded = await load(text, { V: variable }, { read: async () => provided });
      if (!loaded.ok) throw new Error(loaded.issues.map(formatIssue).join());
      for (const print of prints(loaded.config)) for (const secret of [provided, variable, plain]) expect(print).not.toContain(secret);
      expect([...loaded.config.secrets]).toEqual(expect.arrayContaining([provided, variable, plain]));
    });
    await fc.assert(property, { numRuns: 50 });
  });

  it('are in no issue', async () => {
    const property = fc.asyncProperty(secretText, async (secret) => {
      const text = JSON.stringify({
        mcpServers: {
          a: { url: '${SECRET:a}', headers: { 'bad header': '${V}', Authorization: '${V}\r\n' } },
          b: { command: '~/${SECRET:a}', env: { 'A=': '${V}', TOKEN: [secret] }, cwd: '${SECRET:a}' },
          c: { url: 'ftp://${V}', headers: secret, args: secret, env: secret },
          d: { url: 'https://u:${V}@h/' },
        },
        gateway: { host: '${SECRET:a}' },
      });
      const loaded = await load(text, { V: secret }, { read: async () => secret });
      expect(loaded.ok ? [] : loaded.issues).toHaveLength(14);
      expect(JSON.stringify(loaded)).not.toContain(secret);
    });
    await fc.assert(property, { numRuns: 20 });
  });
});

function prints(config: Config): string[] {
  const parts = [config, ...config.backends, config.secrets];
  return [
    ...parts.flatMap((part) => [JSON.stringify(part), inspect(part, { depth: null, showHidden: true }), String(part)]),
    ...config.backends.flatMap((backend) => (backend.kind === 'stdio' ? [`${backend.command}`, `${backend.args}`] : [`${backend.url}`])),
  ];
}
