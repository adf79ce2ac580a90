import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exposeTemplate, exposeUri, resolveUri, templateMatches } from '../../src/mcp/uri.ts';
import { verifies } from '../support/verifies.ts';

const BACKENDS = new Map([
  ['files', 'My Files'],
  ['b', 'b'],
]);

describe('a URI of a backend', () => {
  it.each([
    ['ui://w/x', 'ui://files/w/x'],
    ['skill://pdf/SKILL.md', 'skill://files/pdf/SKILL.md'],
    ['db://users', 'db://files/users'],
    ['db://', 'db://files/'],
    ['file:///a/b', 'onemcp://files/file:///a/b'],
    ['FILE:///a', 'onemcp://files/FILE:///a'],
    ['urn:isbn:1', 'onemcp://files/urn:isbn:1'],
    ['just text', 'onemcp://files/just text'],
    ['onemcp://inner/file:///x', 'onemcp://files/onemcp://inner/file:///x'],
    ['git+ssh://host/x', 'git+ssh://files/host/x'],
  ])('%j is exposed as %j, and leads back', (uri, exposed) => {
    expect(exposeUri('files', uri)).toBe(exposed);
    expect(resolveUri(exposed, BACKENDS)).toEqual({ backend: 'My Files', uri });
  });

  it.each(['https://example.com/x', 'http://localhost:1/', 'HTTPS://E.com', 'data:text/plain,x'])('%j stays as it is', (uri) => {
    expect(exposeUri('files', uri)).toBe(uri);
    expect(resolveUri(uri, BACKENDS)).toBeUndefined();
  });

  it(verifies('C48', 'of the scheme file: never becomes a URL with the namespace as its host'), () => {
    const [one, two] = [exposeUri('a', 'file:///README.md'), exposeUri('b', 'file:///README.md')];
    expect(one).not.toBe(two);
    for (const exposed of [one, two]) expect(exposed.startsWith('file:')).toBe(false);
  });

  it(verifies('C53', 'reaches its backend byte for byte'), () => {
    const uri = 'file:///a%20b/../c?x=%2F#ä\u0000';
    expect(resolveUri(exposeUri('files', uri), BACKENDS)?.uri).toBe(uri);
  });

  it(verifies('C53', 'leads back to the same backend and the same text, whatever it is'), () => {
    const scheme = fc.constantFrom('ui', 'db', 'file', 'onemcp', 'urn', 'x+y', 'UI', 'OneMcp');
    const rest = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.webUrl(),
      fc.string().map((text) => `//${text}`),
    );
    const uri = fc.oneof(
      fc.string({ unit: 'binary', minLength: 1 }),
      fc.tuple(scheme, rest).map(([name, text]) => `${name}:${text}`),
    );
    fc.assert(
      fc.property(uri, fc.constantFrom('files', 'b'), (text, space) => {
        fc.pre(!/^(https?|data):/i.test(text));
        expect(resolveUri(exposeUri(space, text), BACKENDS)).toEqual({ backend: BACKENDS.get(space), uri: text });
      }),
      { numRuns: 500 },
    );
  });

  it('that is already exposed by a gateway behind us is wrapped once more, and unwrapped once', () => {
    const inner = exposeUri('b', 'file:///x');
    const outer = exposeUri('files', inner);
    const back = resolveUri(outer, BACKENDS);
    expect(back).toEqual({ backend: 'My Files', uri: inner });
    expect(resolveUri(back?.uri as string, BACKENDS)).toEqual({ backend: 'b', uri: 'file:///x' });
  });

  it('is found although a client lower-cased or upper-cased its authority', () => {
    expect(resolveUri('ui://FILES/w', BACKENDS)).toEqual({ backend: 'My Files', uri: 'ui://w' });
  });

  it.each(['ui://nobody/x', 'ui://files', 'ui:///x', 'nothing', ''])('%j belongs to nobody', (uri) => {
    expect(resolveUri(uri, BACKENDS)).toBeUndefined();
  });
});

describe('a URI template of a backend', () => {
  it.each([
    ['db://{table}/rows{?limit}', 'db://b/{table}/rows{?limit}'],
    ['{scheme}://x', 'onemcp://b/{scheme}://x'],
    ['{+uri}', 'onemcp://b/{+uri}'],
    ['x://{+path}', 'onemcp://b/x://{+path}'],
    ['file:///{path}', 'onemcp://b/file:///{path}'],
    ['https://api.example/{id}', 'https://api.example/{id}'],
  ])('%j is exposed as %j', (template, exposed) => {
    expect(exposeTemplate('b', template)).toBe(exposed);
  });

  it(verifies('C52', 'expands to a URI that reaches its backend as if it had expanded its own template'), () => {
    const expand = (template: string) => template.replace('{table}', 'users').replace('{?limit}', '?limit=5');
    const template = 'db://{table}/rows{?limit}';
    expect(resolveUri(expand(exposeTemplate('b', template)), BACKENDS)).toEqual({ backend: 'b', uri: 'db://users/rows?limit=5' });
  });
});

describe('whether a URI could come from a template', () => {
  it.each([
    ['db://{table}/rows', 'db://users/rows', true],
    ['db://{table}/rows', 'db://users/cols', false],
    ['{+uri}', 'anything at all', true],
    ['a', 'a', true],
    ['a', 'ab', false],
    ['a{x}a', 'a', false],
    ['a{x}b{y}b', 'ab', false],
    ['a{x}b{y}b', 'abb', true],
    ['file:///{path}', 'file:///', true],
    ['(.*){x}', 'zzz', false],
    ['{', '{', true],
  ])('%j, %j: %j', (template, uri, matches) => {
    expect(templateMatches(template, uri)).toBe(matches);
  });

  it('agrees with a regular expression in which each expression is any text', () => {
    const literal = fc.stringMatching(/^[ab/]{0,3}$/);
    const template = fc.array(literal, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('{x}'));
    fc.assert(
      fc.property(template, fc.stringMatching(/^[ab/]{0,12}$/), (text, uri) => {
        const naive = new RegExp(`^${text.split('{x}').join('[^]*')}$`);
        expect(templateMatches(text, uri)).toBe(naive.test(uri));
      }),
      { numRuns: 2000 },
    );
  });

  it('takes time in proportion to the lengths, also for hostile templates', () => {
    const time = (length: number) => {
      const cases: [string, string][] = [
        [`${'{x}a'.repeat(length / 4)}b`, 'a'.repeat(length)],
        ['{'.repeat(length), 'a'.repeat(length)],
        [`{${'a'.repeat(length)}`, 'a'.repeat(length)],
        [`x${'{y}'.repeat(length / 3)}z`, `x${'q'.repeat(length)}`],
      ];
      let best = Number.POSITIVE_INFINITY;
      for (let run = 0; run < 5; run++) {
        const began = performance.now();
        for (const [template, uri] of cases) templateMatches(template, uri);
        best = Math.min(best, performance.now() - began);
      }
      return best;
    };
    time(1_000);
    // Quadratic would be 100 times, on top of a floor for the coarse clock.
    expect(time(10_000)).toBeLessThan(Math.max(time(1_000) * 40, 10));
  });
});
