import { UriTemplate } from '@modelcontextprotocol/sdk/shared/uriTemplate.js';
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
    ['db://host?x=1#y', 'db://files/host?x=1#y'],
    ['db://user:pw@[::1]:80/p', 'db://files/user:pw@[::1]:80/p'],
    ['db://files/x', 'db://files/files/x'],
    ['skill://a/../../b/%2e%2E//c', 'skill://files/a/../../b/%2e%2E//c'],
    ['db://\u00fc\ud83d\ude00/\n', 'db://files/\u00fc\ud83d\ude00/\n'],
    ['a:b://c', 'onemcp://files/a:b://c'],
    ['//host/x', 'onemcp://files///host/x'],
    ['mailto:a@b', 'onemcp://files/mailto:a@b'],
    ['onemcp:x', 'onemcp://files/onemcp:x'],
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

  it('has a form of its own for each backend and each URI', () => {
    const piece = fc.constantFrom('a', 'b', 'A', 'files', '/', '//', ':', 'onemcp', 'file', 'db', '?', '#', '%2F');
    const text = fc.array(piece, { minLength: 1, maxLength: 6 }).map((pieces) => pieces.join(''));
    const owned = fc.uniqueArray(fc.tuple(fc.constantFrom('files', 'b', 'a-1'), text), { selector: String, maxLength: 40 });
    fc.assert(
      fc.property(owned, (all) => {
        const own = all.filter(([, uri]) => !/^(https?|data):/i.test(uri));
        expect(new Set(own.map(([space, uri]) => exposeUri(space, uri))).size).toBe(own.length);
      }),
      { numRuns: 500 },
    );
  });

  it('of a namespace with capitals leads back, as it was exposed and as a URL parser would write it', () => {
    const backends = new Map([['my-srv', 'server']]);
    for (const uri of ['ftp://h/x', 'ui://w/X', 'urn:X', 'file:///A']) {
      const exposed = exposeUri('My-Srv', uri);
      expect(resolveUri(exposed, backends)).toEqual({ backend: 'server', uri });
      expect(resolveUri(exposed.replace('My-Srv', 'my-srv'), backends)).toEqual({ backend: 'server', uri });
    }
    expect(resolveUri(new URL(exposeUri('My-Srv', 'ftp://h/x')).href, backends)).toEqual({ backend: 'server', uri: 'ftp://h/x' });
  });

  it('never gets to another backend by relative references', () => {
    const relative = fc
      .array(fc.constantFrom('..', '.', 'b', '/', 'x', '%2e%2e', '?', '#'), { maxLength: 8 })
      .map((parts) => parts.join('/'));
    fc.assert(
      fc.property(relative, (path) => {
        fc.pre(!path.startsWith('//'));
        const base = exposeUri('files', 'skill://refunds/SKILL.md');
        expect(['My Files', undefined]).toContain(resolveUri(new URL(path, base).href, BACKENDS)?.backend);
      }),
    );
  });

  it('of a part of a resource leads to the same backend as the resource', () => {
    for (const uri of ['ui://w', 'file:///dir', 'urn:x']) {
      expect(resolveUri(`${exposeUri('files', uri)}/part?x=1`, BACKENDS)).toEqual({ backend: 'My Files', uri: `${uri}/part?x=1` });
    }
  });

  it.each(['ui://nobody/x', 'ui://files', 'ui:///x', 'file://files/share', 'nothing', ''])('%j belongs to nobody', (uri) => {
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
    ['http{s}://{+rest}', 'onemcp://b/http{s}://{+rest}'],
    ['urn:isbn:{id}', 'onemcp://b/urn:isbn:{id}'],
    ['data:{+x}', 'data:{+x}'],
  ])('%j is exposed as %j', (template, exposed) => {
    expect(exposeTemplate('b', template)).toBe(exposed);
  });

  it(verifies('C52', 'expands to a URI that reaches its backend as if it had expanded its own template'), () => {
    const expand = (template: string) => template.replace('{table}', 'users').replace('{?limit}', '?limit=5');
    const template = 'db://{table}/rows{?limit}';
    expect(resolveUri(expand(exposeTemplate('b', template)), BACKENDS)).toEqual({ backend: 'b', uri: 'db://users/rows?limit=5' });
  });
});

describe('an exposed template, expanded', () => {
  const operator = fc.constantFrom('', '+', '#', '.', '/', '?', '&');
  const expression = fc.tuple(operator, fc.constantFrom('one', 'two', 'one,two')).map(([op, names]) => `{${op}${names}}`);
  const start = fc.constantFrom('db://', 'db://host', 'ui://w/', 'file://', 'urn:', 'onemcp://', 'X+y://', '');
  const template = fc
    .tuple(start, fc.array(fc.oneof(expression, fc.constantFrom('/', '/rows', 'x', '%2F', 'ä')), { minLength: 1, maxLength: 4 }))
    .map(([head, parts]) => head + parts.join(''));
  const variables = fc.record({ one: fc.string({ unit: 'grapheme' }), two: fc.string() });

  it(verifies('C52', 'leads back to what the template of the backend expands to, whatever its operators are'), () => {
    fc.assert(
      fc.property(template, variables, (text, values) => {
        const exposed = exposeTemplate('b', text);
        const [own, seen] = [new UriTemplate(text).expand(values), new UriTemplate(exposed).expand(values)];
        expect(resolveUri(seen, BACKENDS)).toEqual({ backend: 'b', uri: own });
      }),
      { numRuns: 500 },
    );
  });

  it('is found by the template that it came from', () => {
    fc.assert(
      fc.property(template, variables, (text, values) => {
        expect(templateMatches(text, new UriTemplate(text).expand(values))).toBe(true);
      }),
      { numRuns: 500 },
    );
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
