// biome-ignore-all lint/suspicious/noTemplateCurlyInString: .env looks like JavaScript here
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { environmentOf, parseDotEnv } from '../../src/config/dotenv.ts';

describe('the text of .env', () => {
  it.each([
    ['A=1', { A: '1' }],
    ['A = 1 \n\n# note\n  export B=2\r\nC=', { A: '1', B: '2', C: '' }],
    ['A=x # note', { A: 'x' }],
    ['A=x#y', { A: 'x#y' }],
    ['A= # note', { A: '' }],
    ['A=#x', { A: '#x' }],
    ["A='x # $Y \\n' # note", { A: 'x # $Y \\n' }],
    ['A="x # \\"y\\" \\n\\t\\\\ $Z"', { A: 'x # "y" \n\t\\ $Z' }],
    ['A="one\ntwo"\nB=3', { A: 'one\ntwo', B: '3' }],
    ['A=""', { A: '' }],
    ['A=b=c', { A: 'b=c' }],
    ['A=it\'s "fine"', { A: 'it\'s "fine"' }],
    ['A=1\nA=2', { A: '2' }],
    ['\uFEFFA=1', { A: '1' }],
    ['A=${B}', { A: '${B}' }],
    ['__proto__=1', Object.fromEntries([['__proto__', '1']])],
    ['', {}],
    ['# only a note', {}],
  ])('%j gives %j', (text, values) => {
    expect(parseDotEnv(text)).toEqual({ values, problems: [] });
  });

  it('names the lines that say nothing, and goes on', () => {
    expect(parseDotEnv('A=1\nexport B\nC="open\nD=4\n1E=5\n"F"=6\nG="x" y')).toEqual({
      values: { A: '1', D: '4' },
      problems: [
        { line: 2, message: 'expected NAME=value; the line is left out' },
        { line: 3, message: 'the value of C begins with a quote and does not end with it; the line is left out' },
        { line: 5, message: 'expected NAME=value; the line is left out' },
        { line: 6, message: 'expected NAME=value; the line is left out' },
        { line: 7, message: 'the value of G begins with a quote and does not end with it; the line is left out' },
      ],
    });
  });

  it('never shows a value in a message, never throws, and ends soon', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        for (const { message } of parseDotEnv(`A="${text}`).problems) expect(message.length).toBeLessThan(200);
        expect(parseDotEnv(text)).toHaveProperty('values');
      }),
      { numRuns: 500 },
    );
    const start = performance.now();
    parseDotEnv('A="x\n'.repeat(10_000));
    expect(performance.now() - start).toBeLessThan(10_000);
  });

  it('gives back what was quoted', () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        const quoted = value.replace(/[\\"]/g, '\\$&').replaceAll('\r', '\\r').replaceAll('\n', '\\n');
        expect(parseDotEnv(`A="${quoted}"`).values).toEqual({ A: value });
      }),
    );
  });
});

describe('the environment of a configuration', () => {
  const folder = (text?: string) => {
    const path = mkdtempSync(join(tmpdir(), 'onemcp-dotenv-'));
    onTestFinished(() => rmSync(path, { recursive: true, force: true }));
    if (text !== undefined) writeFileSync(join(path, '.env'), text);
    return path;
  };

  it('is the real one over the .env beside the file', async () => {
    const base = folder('A=file\nB=file\nC=file\noops\n');
    expect(await environmentOf('mcp.json', { A: 'real', B: '', C: undefined }, base)).toEqual({
      env: { A: 'real', B: '', C: 'file' },
      beside: new Set(['C']),
      text: 'A=file\nB=file\nC=file\noops\n',
      warnings: [{ file: '.env', line: 4, message: 'expected NAME=value; the line is left out' }],
    });
    expect((await environmentOf(join(base, 'mcp.json'), {})).beside).toEqual(new Set(['A', 'B', 'C']));
  });

  it('is the real one where there is none, or none that can be read', async () => {
    const env = { A: 'real' };
    expect(await environmentOf('mcp.json', env, folder())).toMatchObject({ env, text: undefined, warnings: [] });
    expect(await environmentOf('no/such/mcp.json', env, folder())).toMatchObject({ env, warnings: [] });
    const base = folder();
    mkdirSync(join(base, '.env'));
    expect(await environmentOf('mcp.json', env, base)).toMatchObject({ env, warnings: [] });
    expect(await environmentOf('mcp.json', env, folder(`A="${'x'.repeat(1024 * 1024)}"`))).toMatchObject({
      env,
      warnings: [{ file: '.env', message: 'larger than 1 MiB; it is not read' }],
    });
  });
});
