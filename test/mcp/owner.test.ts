import { describe, expect, it } from 'vitest';
import type { OnemcpError } from '../../src/errors.ts';
import { ownerOfName, ownerOfUri } from '../../src/mcp/owner.ts';
import { linkExposer, rewritePromptResult, rewriteReadResult, rewriteToolResult } from '../../src/mcp/rewrite.ts';
import { fakeGateway, tool, viewOf } from '../support/fakeWorld.ts';
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
