import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OnemcpError } from '../../src/errors.ts';
import { originalArguments, ownerOfName, ownerOfUri, unlistedOwner } from '../../src/mcp/owner.ts';
import { linkExposer, rewritePromptResult, rewriteReadResult, rewriteToolResult } from '../../src/mcp/rewrite.ts';
import type { Json } from '../../src/world.ts';
import { fakeGateway, tool, viewOf, worldOf } from '../support/fakeWorld.ts';
import { verifies } from '../support/verifies.ts';

const caught = (run: () => unknown): OnemcpError => {
  try {
    run();
  } catch (error) {
    return error as OnemcpError;
  }
  throw new Error('it did not throw');
};

describe('the owner of a name', () => {
  const gateway = fakeGateway([
    viewOf('a', { items: { tools: [tool('search'), tool('x__y'), tool('only.here')], prompts: [{ name: 'ask' }] } }),
    viewOf('b', { state: 'retrying', items: { tools: [tool('search')] } }),
  ]);
  const view = gateway.context.view(gateway.context.world());

  it.each([
    ['a__search', { backend: 'a', name: 'search' }],
    ['b__search', { backend: 'b', name: 'search' }],
  ])(verifies('C41', '%j is %j'), (name, route) => {
    expect(ownerOfName('tools', name, view)).toEqual(route);
  });

  it(verifies('C44', 'is found by table, never by splitting'), () => {
    expect(ownerOfName('tools', 'a__x__y', view)).toEqual({ backend: 'a', name: 'x__y' });
  });

  it(verifies('C47', 'may be bare while one server has it'), () => {
    expect(ownerOfName('tools', 'only.here', view)).toEqual({ backend: 'a', name: 'only.here' });
    expect(ownerOfName('prompts', 'ask', view)).toEqual({ backend: 'a', name: 'ask' });
  });

  it(verifies('C47', 'must not be bare when two have it, one of them down: the error names both'), () => {
    const error = caught(() => ownerOfName('tools', 'search', view));
    expect([error.rpcCode, error.message]).toEqual([
      -32602,
      'Unknown tool: search; several servers have it, so use one of a__search, b__search',
    ]);
  });

  it.each(['nothing', 'a__nothing', '', 'constructor', '__proto__'])('%j is nobody', (name) => {
    expect(ownerOfName('tools', name, view)).toBeUndefined();
  });
});

describe('a bare name', () => {
  it(verifies('C47', 'is routed exactly when one server has it, with or without a change in its exposed form'), () => {
    const names = fc.subarray(['search', 'x.y', 'a__search', 'b__x', 'y'.repeat(80)]);
    fc.assert(
      fc.property(fc.record({ a: names, b: names, c: names }), fc.constantFrom('search', 'x.y', 'y'.repeat(80)), (owned, bare) => {
        const views = Object.entries(owned).map(([name, list], index) =>
          viewOf(name, { state: index === 1 ? 'retrying' : 'connected', items: { tools: list.map((each) => tool(each)) } }),
        );
        const { context } = fakeGateway(views);
        const owners = Object.entries(owned).filter(([, list]) => list.includes(bare));
        const find = () => ownerOfName('tools', bare, context.view(context.world()));
        if (owners.length > 1) expect(caught(find).message).toContain('several servers have it');
        else expect(find()).toEqual(owners[0] && { backend: owners[0][0], name: bare });
      }),
    );
  });

  it(verifies('C44', 'never hides an exposed name'), () => {
    const { context } = fakeGateway([viewOf('a', { items: { tools: [tool('b__x')] } }), viewOf('b', { items: { tools: [tool('x')] } })]);
    expect(ownerOfName('tools', 'b__x', context.view(context.world()))).toEqual({ backend: 'b', name: 'x' });
  });
});

describe('the owner of a name that is in no list', () => {
  const always = { prefix: 'always', maxLength: 64 } as const;
  const never = { prefix: 'never', maxLength: 64 } as const;
  const world = worldOf([
    viewOf('own', { isolation: 'session' }),
    viewOf('My Own', { namespace: 'my-own', isolation: 'principal' }),
    viewOf('down', { isolation: 'session', state: 'retrying' }),
    viewOf('shared', { isolation: 'shared' }),
    viewOf('auto'),
  ]);

  it.each([
    ['own__x', { backend: 'own', name: 'x' }],
    ['own__x__y', { backend: 'own', name: 'x__y' }],
    ['my-own__x', { backend: 'My Own', name: 'x' }],
    ['down__x', undefined],
    ['shared__x', undefined],
    ['auto__x', undefined],
    ['nobody__x', undefined],
    ['Own__x', undefined],
    ['own__', undefined],
    ['x', undefined],
    ['', undefined],
  ])('%j is %j', (name, route) => {
    expect(unlistedOwner(name, world, always)).toEqual(route);
  });

  it('is with transparent naming the only server that serves clients on their own', () => {
    expect(unlistedOwner('x', world, never)).toBeUndefined();
    const one = worldOf([
      viewOf('shared'),
      viewOf('own', { isolation: 'session' }),
      viewOf('down', { isolation: 'session', state: 'error' }),
    ]);
    expect(unlistedOwner('own__x', one, never)).toEqual({ backend: 'own', name: 'own__x' });
    expect(unlistedOwner('', one, never)).toBeUndefined();
    expect(unlistedOwner('x', worldOf([viewOf('shared')]), never)).toBeUndefined();
  });
});

describe('arguments with URIs', () => {
  const route = { backend: 'a', name: 't', uriArguments: ['link', 'links', 'absent'] };

  it('are those of the backend where its schema says so; all else stays', () => {
    const given = {
      link: 'ui://A/w',
      links: ['onemcp://a/file:///x', 'ui://b/w', 'ui://w', 'https://e/x', 7, null],
      other: 'ui://a/w',
      deep: { link: 'ui://a/w' },
    };
    const before = structuredClone(given);
    expect(originalArguments(given, route, 'A')).toEqual({
      ...given,
      link: 'ui://w',
      links: ['file:///x', 'ui://b/w', 'ui://w', 'https://e/x', 7, null],
    });
    expect(given).toEqual(before);
  });

  it.each([undefined, null, 'x', [1], { link: 5 }, { link: null }, { link: {} }])('that are something else stay: %j', (given) => {
    expect(originalArguments(given, route, 'A')).toEqual(given);
  });
});

describe('the owner of a URI', () => {
  const items = {
    a: {
      resources: [{ uri: 'file:///README.md' }, { uri: 'https://e/both' }, { uri: 'https://e/a' }, { uri: 'ui://w' }],
      templates: [{ uriTemplate: 'https://api/{id}' }],
    },
    b: { resources: [{ uri: 'file:///README.md' }, { uri: 'https://e/both' }] },
  };
  const make = (prefix: 'always' | 'never' = 'always') =>
    fakeGateway([viewOf('a', { items: items.a }), viewOf('b', { items: items.b })], { prefix });

  it(verifies('C48', 'of two servers with the same file is the one in its namespace'), () => {
    const { context } = make();
    for (const backend of ['a', 'b']) {
      expect(ownerOfUri(`onemcp://${backend}/file:///README.md`, context)).toEqual({ backend, name: 'file:///README.md' });
    }
  });

  it(verifies('C50', 'is known by its namespace although nobody lists the URI'), () => {
    expect(ownerOfUri('db://b/never/listed', make().context)).toEqual({ backend: 'b', name: 'db://never/listed' });
  });

  it('is the only one that lists the bare URI', () => {
    expect(ownerOfUri('ui://w', make().context)).toEqual({ backend: 'a', name: 'ui://w' });
  });

  it('is nobody when two list the bare URI: both are named', () => {
    const error = caught(() => ownerOfUri('file:///README.md', make().context));
    expect([error.rpcCode, error.data]).toEqual([-32002, { uri: 'file:///README.md', candidates: ['a', 'b'] }]);
  });

  it(verifies('C51', 'of an http URI is its one lister; two listers are not-found with candidates'), () => {
    const { context } = make();
    expect(ownerOfUri('https://e/a', context)).toEqual({ backend: 'a', name: 'https://e/a' });
    expect(caught(() => ownerOfUri('https://e/both', context)).data).toEqual({ uri: 'https://e/both', candidates: ['a', 'b'] });
  });

  it('of an http URI nobody lists is whose template fits, else whose scheme it is', () => {
    expect(ownerOfUri('https://api/7', make().context).backend).toBe('a');
    expect(caught(() => ownerOfUri('https://elsewhere/', make().context)).data?.candidates).toEqual(['a', 'b']);
    expect(caught(() => ownerOfUri('http://elsewhere/', make().context)).data).toEqual({ uri: 'http://elsewhere/' });
  });

  it(verifies('C50', 'is the one that handed the URI out'), () => {
    const { context } = make();
    linkExposer({ name: 'b', namespace: 'b' }, false, context.handedOut)('https://cdn/x');
    expect(ownerOfUri('https://cdn/x', context)).toEqual({ backend: 'b', name: 'https://cdn/x' });
  });

  it('is the one whose tool points to it: UI resources need not be listed', () => {
    const pointing = (_meta: Json) => ({ items: { tools: [tool('t', { _meta })] } });
    const views = [viewOf('a', pointing({ ui: { resourceUri: 'ui://new' } })), viewOf('b', pointing({ 'ui/resourceUri': 'ui://old' }))];
    for (const prefix of ['always', 'never'] as const) {
      const { context } = fakeGateway(views, { prefix });
      expect(ownerOfUri('ui://new', context)).toEqual({ backend: 'a', name: 'ui://new' });
      expect(ownerOfUri('ui://old', context)).toEqual({ backend: 'b', name: 'ui://old' });
      expect(caught(() => ownerOfUri('ui://none', context)).code).toBe('unknown_resource');
    }
    const both = fakeGateway(['a', 'b'].map((name) => viewOf(name, pointing({ ui: { resourceUri: 'ui://same' } }))));
    expect(caught(() => ownerOfUri('ui://same', both.context)).data?.candidates).toEqual(['a', 'b']);
  });

  it('of a data: URI is nobody, even if one lists it: it is its own content', () => {
    const items = { resources: [{ uri: 'data:,x' }] };
    for (const prefix of ['always', 'never'] as const) {
      const { context } = fakeGateway([viewOf('a', { items })], { prefix });
      expect(caught(() => ownerOfUri('data:,x', context)).rpcCode).toBe(-32002);
    }
  });

  it('of a file on a host that is named like a server is the one that lists it', () => {
    const { context } = fakeGateway([viewOf('a'), viewOf('b', { items: { resources: [{ uri: 'file://a/share' }] } })]);
    expect(ownerOfUri('file://a/share', context)).toEqual({ backend: 'b', name: 'file://a/share' });
  });

  it('is the one in the namespace, whatever another lists under just this URI', () => {
    const { context } = fakeGateway([viewOf('a', { items: { resources: [{ uri: 'db://b/x' }] } }), viewOf('b')]);
    expect(ownerOfUri('db://b/x', context)).toEqual({ backend: 'b', name: 'db://x' });
    expect(ownerOfUri('db://a/b/x', context)).toEqual({ backend: 'a', name: 'db://b/x' });
  });

  it('is nobody when two handed the same URI out: a guess could reach the wrong server', () => {
    const { context } = make();
    for (const name of ['a', 'b']) linkExposer({ name, namespace: name }, false, context.handedOut)('urn:same');
    expect(caught(() => ownerOfUri('urn:same', context)).code).toBe('unknown_resource');
  });

  it('is no longer one that was removed', () => {
    const gateway = make();
    linkExposer({ name: 'b', namespace: 'b' }, false, gateway.context.handedOut)('urn:x');
    gateway.remove('b');
    expect(caught(() => ownerOfUri('urn:x', gateway.context)).code).toBe('unknown_resource');
  });

  it(verifies('C57', 'that nobody has is -32002 with the URI'), () => {
    const error = caught(() => ownerOfUri('urn:nobody', make().context));
    expect([error.rpcCode, error.data]).toEqual([-32002, { uri: 'urn:nobody' }]);
  });

  it('with transparent naming is the lister, whose template fits, or whose scheme it is', () => {
    const { context } = make('never');
    expect(ownerOfUri('file:///README.md', context)).toEqual({ backend: 'a', name: 'file:///README.md' });
    expect(ownerOfUri('https://api/7', context).backend).toBe('a');
    expect(ownerOfUri('ui://elsewhere', context)).toEqual({ backend: 'a', name: 'ui://elsewhere' });
    expect(caught(() => ownerOfUri('file:///other', context)).data?.candidates).toEqual(['a', 'b']);
  });
});

describe('the URIs in a result', () => {
  const exposer = (handedOut = new Map<string, readonly string[]>()) => linkExposer({ name: 'a', namespace: 'ns' }, false, handedOut);

  it('of a tool are exposed in links, embedded resources and the UI resource; nothing else is touched', () => {
    const result = {
      content: [
        { type: 'resource_link', uri: 'ui://w', name: 'ui://w' },
        { type: 'resource', resource: { uri: 'file:///x', text: 'see file:///x' } },
        { type: 'text', text: 'ui://w' },
        { type: 'unknown', uri: 'ui://w' },
        { type: 'resource_link', uri: 7 },
        { type: 'resource', resource: null },
        null,
        'text',
      ],
      structuredContent: { uri: 'ui://w' },
      _meta: { ui: { resourceUri: 'ui://w' }, 'v/x': 'ui://w' },
    };
    expect(rewriteToolResult(structuredClone(result), exposer())).toEqual({
      ...result,
      content: [
        { type: 'resource_link', uri: 'ui://ns/w', name: 'ui://w' },
        { type: 'resource', resource: { uri: 'onemcp://ns/file:///x', text: 'see file:///x' } },
        ...result.content.slice(2),
      ],
      _meta: { ui: { resourceUri: 'ui://ns/w' }, 'v/x': 'ui://w' },
    });
  });

  it('of a prompt are exposed in its messages', () => {
    const result = { messages: [{ role: 'user', content: { type: 'resource_link', uri: 'ui://w' } }, null, { content: 'x' }] };
    expect(rewritePromptResult(structuredClone(result), exposer())).toEqual({
      messages: [{ role: 'user', content: { type: 'resource_link', uri: 'ui://ns/w' } }, null, { content: 'x' }],
    });
  });

  it(verifies('C48', 'of a read are the URI that was asked for, byte for byte, and exposed ones besides'), () => {
    const result = { contents: [{ uri: 'ui://w', text: '' }, { uri: 'ui://w/part' }, null, { text: 'x' }] };
    expect(rewriteReadResult(result, { asked: 'UI://NS/w', original: 'ui://w' }, exposer())).toEqual({
      contents: [{ uri: 'UI://NS/w', text: '' }, { uri: 'ui://ns/w/part' }, null, { text: 'x' }],
    });
  });

  it.each([{}, { content: 'x' }, { content: null, _meta: null }, { messages: {} }, { contents: 5 }])('may be absent: %j', (result) => {
    const copy = structuredClone(result);
    expect(
      rewriteReadResult(rewritePromptResult(rewriteToolResult(copy, exposer()), exposer()), { asked: '', original: '' }, exposer()),
    ).toEqual(result);
  });

  it('are remembered, the oldest of more than 10,000 forgotten', () => {
    const handedOut = new Map<string, readonly string[]>();
    const expose = exposer(handedOut);
    for (let n = 0; n < 10_001; n++) expose(`urn:${n}`);
    expect([handedOut.size, handedOut.has('urn:0'), handedOut.has('urn:1')]).toEqual([10_000, false, true]);
  });
});
