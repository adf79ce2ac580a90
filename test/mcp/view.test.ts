import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ORIGINAL_NAME_META, SERVER_META } from '../../src/mcp/metaKeys.ts';
import { createViewOf } from '../../src/mcp/view.ts';
import { type BackendView, KINDS } from '../../src/world.ts';
import { tool, viewOf, worldOf } from '../support/fakeWorld.ts';
import { verifies } from '../support/verifies.ts';

const always = () => createViewOf({ prefix: 'always', maxLength: 64 });
const never = () => createViewOf({ prefix: 'never', maxLength: 64 });
const ids = (list: { routes: ReadonlyMap<string, unknown> }) => [...list.routes.keys()];

describe('what clients see', () => {
  it(verifies('B21', 'is in configuration order, then in the order of the backend'), () => {
    const world = worldOf([
      viewOf('z', { items: { tools: [tool('b'), tool('c')] } }),
      viewOf('a', { items: { tools: [tool('a')] } }),
      viewOf('m', { items: { tools: [tool('a'), tool('z')] } }),
    ]);
    const { tools } = always()(world);
    expect(tools.items.map(({ name }) => name)).toEqual(['z__b', 'z__c', 'a__a', 'm__a', 'm__z']);
    expect(ids(tools)).toEqual(['z__b', 'z__c', 'a__a', 'm__a', 'm__z']);
  });

  it(verifies('C41', 'has the same tool of two servers twice, each leading to its own'), () => {
    const world = worldOf(['a', 'b'].map((name) => viewOf(name, { items: { tools: [tool('search')] } })));
    expect([...always()(world).tools.routes]).toEqual([
      ['a__search', { backend: 'a', name: 'search' }],
      ['b__search', { backend: 'b', name: 'search' }],
    ]);
  });

  it('uses the namespace for names and the backend for routes', () => {
    const world = worldOf([viewOf('My Files', { namespace: 'my-files', items: { tools: [tool('ls')] } })]);
    expect([...always()(world).tools.routes]).toEqual([['my-files__ls', { backend: 'My Files', name: 'ls' }]]);
  });

  it(verifies('C46', 'keeps the names of a backend when another comes'), () => {
    const a = viewOf('a', { items: { tools: [tool('x.y'), tool('search')] } });
    const alone = ids(always()(worldOf([a])).tools);
    const both = ids(always()(worldOf([viewOf('new', { items: { tools: [tool('search')] } }), a])).tools);
    expect(both.slice(1)).toEqual(alone);
  });

  it('keeps the last known items of a backend that is down', () => {
    const world = worldOf([viewOf('a', { state: 'retrying', items: { tools: [tool('x')] } })]);
    expect(ids(always()(world).tools)).toEqual(['a__x']);
  });

  it(verifies('C51', 'has an http URI of two servers once, with its first owner'), () => {
    const items = { resources: [{ uri: 'https://e/x', name: 'x' }] };
    const { resources } = always()(worldOf([viewOf('a', { items }), viewOf('b', { items })]));
    expect([...resources.routes]).toEqual([['https://e/x', { backend: 'a', name: 'https://e/x' }]]);
    expect(resources.items).toHaveLength(1);
  });
});

describe('exposed names and URIs', () => {
  const NAMES = ['search', 'x.y', 'x_y', 'x__y', 'list', 'b__search', 'y'.repeat(70), `${'y'.repeat(69)}z`, 'Ünïcode', 'a b'];
  const URIS = ['file:///README.md', 'ui://w', 'ui://b/w', 'db://', 'urn:x', 'UI://w', 'onemcp://a/urn:x', 'not a uri'];
  const backend = fc.record({
    namespace: fc.constantFrom('a', 'b', 'A-1', 'x'.repeat(32), `${'x'.repeat(31)}y`),
    tools: fc.subarray(NAMES),
    uris: fc.subarray(URIS),
  });
  const backends = fc.uniqueArray(backend, { selector: ({ namespace }) => namespace.toLowerCase(), maxLength: 4 });
  const changing = backends.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all)));
  const viewsOf = (all: readonly { namespace: string; tools: string[]; uris: string[] }[]) =>
    all.map(({ namespace, tools, uris }) =>
      viewOf(`server ${namespace}`, {
        namespace,
        // As the catalog gives them: sorted.
        items: { tools: tools.toSorted().map((name) => tool(name)), resources: uris.toSorted().map((uri) => ({ uri })) },
      }),
    );

  it(verifies(['C41', 'C43'], 'are unique, and each leads to its own server and the name it has there'), () => {
    fc.assert(
      fc.property(backends, (all) => {
        const { tools, resources } = always()(worldOf(viewsOf(all)));
        const routesOf = (list: typeof tools) => [...list.routes.values()].map(({ backend, name }) => `${backend}: ${name}`).sort();
        expect(routesOf(tools)).toEqual(all.flatMap(({ namespace, tools }) => tools.map((name) => `server ${namespace}: ${name}`)).sort());
        expect(routesOf(resources)).toEqual(all.flatMap(({ namespace, uris }) => uris.map((uri) => `server ${namespace}: ${uri}`)).sort());
        expect(tools.items.map(({ name }) => name)).toEqual(ids(tools));
        expect(resources.items.map(({ uri }) => uri)).toEqual(ids(resources));
      }),
    );
  });

  it(verifies('C46', 'of a server do not change while others come, go and change places'), () => {
    fc.assert(
      fc.property(changing, ([all, later]) => {
        const of = (some: typeof all) => {
          const { tools, resources } = always()(worldOf(viewsOf(some)));
          return new Map([...tools.routes, ...resources.routes].map(([exposed, { backend, name }]) => [`${backend} ${name}`, exposed]));
        };
        const before = of(all);
        for (const [key, exposed] of of(later)) expect(before.get(key)).toBe(exposed);
      }),
    );
  });
});

describe('an exposed item', () => {
  it(verifies('B29', 'differs from its origin in its id and its provenance only'), () => {
    const origin = tool('ls', { title: 'T', 'x-unknown': { a: [1] }, inputSchema: { $defs: { a: true } }, _meta: { 'v/own': 1 } });
    const before = structuredClone(origin);
    const { tools } = always()(worldOf([viewOf('a', { items: { tools: [origin] } })]));
    expect(tools.items).toEqual([{ ...origin, name: 'a__ls', _meta: { 'v/own': 1, [SERVER_META]: 'a', [ORIGINAL_NAME_META]: 'ls' } }]);
    expect(origin).toEqual(before);
  });

  it('of a resource or template has its server, but no original name', () => {
    const items = { resources: [{ uri: 'ui://w', name: 'label' }], templates: [{ uriTemplate: 'db://{t}', _meta: null }] };
    const { resources, templates } = always()(worldOf([viewOf('a', { items })]));
    expect(resources.items).toEqual([{ uri: 'ui://a/w', name: 'label', _meta: { [SERVER_META]: 'a' } }]);
    expect(templates.items).toEqual([{ uriTemplate: 'db://a/{t}', _meta: { [SERVER_META]: 'a' } }]);
  });

  it('points to its exposed UI resource, in the new and the old form', () => {
    const _meta = { ui: { resourceUri: 'ui://w', other: 1 }, 'ui/resourceUri': 'ui://w' };
    const { tools, resources } = always()(
      worldOf([viewOf('a', { items: { tools: [tool('t', { _meta })], resources: [{ uri: 'ui://w' }] } })]),
    );
    const uri = resources.items[0]?.uri;
    expect(uri).toBe('ui://a/w');
    expect(tools.items[0]?._meta).toMatchObject({ ui: { resourceUri: uri, other: 1 }, 'ui/resourceUri': uri });
  });
});

describe('icons of an item', () => {
  const of = (icons: unknown, viewOfWorld = always()) =>
    viewOfWorld(worldOf([viewOf('a', { items: { tools: [tool('t', { icons })] } })])).tools.items[0]?.icons;
  const good = [{ src: 'https://e/x.png', sizes: ['48x48'] }, { src: 'data:image/png;base64,' }, {}, null, 'x', { src: 'javascript.png' }];

  it('stay as they are', () => {
    for (const icons of [good, [], 'x', null]) expect(of(icons)).toBe(icons);
  });

  it.each([
    'javascript:alert(1)',
    `${' '.repeat(200)}javascript:x`,
    ' JavaScript:x',
    'java\nscript:x',
    '\u0000file:///etc/passwd',
    'FILE:x',
  ])('are dropped with the source %j', (src) => {
    for (const view of [always(), never()]) expect(of([{ src }, ...good, { src }], view)).toEqual(good);
  });
});

describe('arguments that are URIs', () => {
  it('are known by the schema of the tool', () => {
    const inputSchema = {
      type: 'object',
      properties: {
        link: { type: 'string', format: 'uri' },
        links: { type: 'array', items: { format: 'uri' } },
        date: { type: 'string', format: 'date' },
        any: true,
        none: null,
      },
    };
    const tools = [tool('t', { inputSchema }), tool('u'), tool('v', { inputSchema: { properties: 7 } })];
    const { routes } = always()(worldOf([viewOf('a', { items: { tools } })])).tools;
    expect([...routes.values()]).toEqual([
      { backend: 'a', name: 't', uriArguments: ['link', 'links'] },
      { backend: 'a', name: 'u' },
      { backend: 'a', name: 'v' },
    ]);
    expect(never()(worldOf([viewOf('a', { items: { tools } })])).tools.routes.get('t')).toEqual({ backend: 'a', name: 't' });
  });
});

describe('transparent naming', () => {
  it('leaves items alone altogether', () => {
    const items = {
      tools: [tool('admin.list')],
      resources: [{ uri: 'file:///x' }],
      prompts: [{ name: 'p' }],
      templates: [{ uriTemplate: '{+x}' }],
    };
    const view = never()(worldOf([viewOf('a', { items })]));
    for (const kind of KINDS) expect(view[kind].items[0]).toBe(items[kind][0]);
    expect(view.resources.routes.get('file:///x')).toEqual({ backend: 'a', name: 'file:///x' });
  });

  it('hides what an earlier server has already', () => {
    const world = worldOf(['a', 'b'].map((name) => viewOf(name, { items: { tools: [tool('search')] } })));
    const { tools } = never()(world);
    expect([tools.items.length, [...tools.routes]]).toEqual([1, [['search', { backend: 'a', name: 'search' }]]]);
    expect(tools.hidden).toEqual([{ backend: 'b', name: 'search', keptBy: 'a' }]);
  });

  it('hides no web page that two servers know, and names with a prefix hide nothing', () => {
    const items = { tools: [tool('search')], resources: [{ uri: 'https://e/x' }] };
    const world = worldOf(['a', 'b'].map((name) => viewOf(name, { items })));
    expect([never()(world).resources.hidden, always()(world).resources.hidden, always()(world).tools.hidden]).toEqual([[], [], []]);
  });
});

describe('the identity of a list', () => {
  const a = viewOf('a', { items: { tools: [tool('x')], prompts: [{ name: 'p' }] } });
  const b = viewOf('b', { items: { tools: [tool('y')] } });
  const withState = (view: BackendView, state: BackendView['state']): BackendView => ({ ...view, state, session: undefined });

  it(verifies('B34', 'stays while its items are the same, whatever happens to the backends'), () => {
    const viewOfWorld = always();
    const before = viewOfWorld(worldOf([a, b]));
    const after = viewOfWorld(worldOf([withState(a, 'error'), withState(b, 'stopped')]));
    for (const kind of KINDS) expect(after[kind]).toBe(before[kind]);
  });

  it('changes for the kind that changed only', () => {
    const viewOfWorld = always();
    const before = viewOfWorld(worldOf([a, b]));
    const after = viewOfWorld(worldOf([a, { ...b, items: { ...b.items, tools: [tool('z')] } }]));
    expect(KINDS.filter((kind) => after[kind] !== before[kind])).toEqual(['tools']);
  });

  it('changes with the order of the backends, and when one goes', () => {
    const viewOfWorld = always();
    const before = viewOfWorld(worldOf([a, b]));
    const turned = viewOfWorld(worldOf([b, a]));
    expect(turned.tools).not.toBe(before.tools);
    expect(ids(viewOfWorld(worldOf([b])).tools)).toEqual(['b__y']);
  });

  it('is the whole view for the same backends', () => {
    const viewOfWorld = always();
    const world = worldOf([a]);
    expect(viewOfWorld({ ...world, phase: 'draining' })).toBe(viewOfWorld(world));
  });
});
