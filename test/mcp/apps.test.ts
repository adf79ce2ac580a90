/** MCP Apps and unknown metadata through the gateway: gateway semantics §8. */
import { describe, expect, it } from 'vitest';
import type { Json } from '../../src/world.ts';
import { type FakeSession, fakeClient, fakeGateway, fakeSession, tool, viewOf } from '../support/fakeWorld.ts';
import { verifies } from '../support/verifies.ts';

const UI = {
  csp: { connectDomains: ['https://api.e'] },
  permissions: { camera: {} },
  domain: 'x.e',
  prefersBorder: true,
  visibility: ['app'],
};
const HTML = {
  uri: 'ui://widget.html',
  mimeType: 'text/html;profile=mcp-app',
  text: '<a href="ui://widget.html">call b</a>',
  _meta: { ui: UI },
};

/** Two servers with the same UI resource, which only the first lists. */
function withApps() {
  const sessions: Record<string, FakeSession> = {};
  const make = (name: string, items: Json) => {
    const session = fakeSession({
      answer: ({ method, params }) => {
        if (method === 'resources/read') return { contents: [{ ...HTML, uri: params?.uri, text: `${name}: ${HTML.text}` }] };
        return {
          content: [],
          _meta: { ui: { resourceUri: 'ui://made-now', ...UI }, 'ui/resourceUri': 'ui://made-now', 'v/x': { uri: 'ui://made-now' } },
        };
      },
    });
    sessions[name] = session;
    return viewOf(name, { session, items });
  };
  const pointing = { _meta: { ui: { resourceUri: 'ui://widget.html', ...UI }, 'ui/resourceUri': 'ui://widget.html', 'v/x': 1 } };
  const gateway = fakeGateway([
    make('a', { tools: [tool('show', pointing)], resources: [{ uri: 'ui://widget.html', name: 'w', _meta: { ui: UI } }] }),
    make('b', { tools: [tool('draw', pointing)] }),
  ]);
  return { client: fakeClient(gateway), sessions };
}

const listed = async (client: ReturnType<typeof fakeClient>, method: string, key: string) =>
  (await client.ask(method)).result[key] as { name: string; uri: string; _meta: Json & { ui: Json } }[];

describe('a UI resource', () => {
  it(verifies('C49', 'keeps its scheme, and its tool points to it in the new and the old form, with all else it says'), async () => {
    const { client } = withApps();
    const [resource] = await listed(client, 'resources/list', 'resources');
    expect(resource).toMatchObject({ uri: 'ui://a/widget.html', _meta: { ui: UI } });
    const tools = await listed(client, 'tools/list', 'tools');
    for (const [index, space] of ['a', 'b'].entries()) {
      const resourceUri = `ui://${space}/widget.html`;
      expect(tools[index]?._meta).toMatchObject({ ui: { resourceUri, ...UI }, 'ui/resourceUri': resourceUri, 'v/x': 1 });
    }
  });

  it(verifies(['C49', 'C50'], 'is read from its own server, listed or not, and its parts too; not a byte of it changes'), async () => {
    const { client, sessions } = withApps();
    for (const [space, path] of [
      ['a', 'widget.html'],
      ['b', 'widget.html'],
      ['b', 'widget.html/part/../x?y=%2F#z'],
    ] as const) {
      const uri = `ui://${space}/${path}`;
      const { result } = await client.ask('resources/read', { uri });
      expect(result).toEqual({ contents: [{ ...HTML, uri, text: `${space}: ${HTML.text}` }] });
      expect(sessions[space]?.received.at(-1)?.params?.uri).toBe(`ui://${path}`);
    }
  });

  it(verifies('C49', 'that a result points to leads back to the server of the tool'), async () => {
    const { client, sessions } = withApps();
    const { result } = await client.ask('tools/call', { name: 'b__draw' });
    const resourceUri = 'ui://b/made-now';
    expect(result._meta).toEqual({ ui: { resourceUri, ...UI }, 'ui/resourceUri': resourceUri, 'v/x': { uri: 'ui://made-now' } });
    await client.ask('resources/read', { uri: resourceUri });
    expect(sessions.b?.received.at(-1)?.params?.uri).toBe('ui://made-now');
  });

  it('is known to its own view by its own URI, as long as no other server has it', async () => {
    const { client, sessions } = withApps();
    await client.ask('tools/call', { name: 'b__draw' });
    await client.ask('resources/read', { uri: 'ui://made-now' });
    expect(sessions.b?.received.at(-1)?.params?.uri).toBe('ui://made-now');
    // Listed by one, pointed to by another: what lists it comes first.
    await client.ask('resources/read', { uri: 'ui://widget.html' });
    expect(sessions.a?.received.at(-1)?.params?.uri).toBe('ui://widget.html');
  });

  it(verifies('C47', 'has a view that calls tools by their bare names'), async () => {
    const { client, sessions } = withApps();
    await client.ask('tools/call', { name: 'draw', arguments: { x: 1 } });
    expect(sessions.b?.received.at(-1)?.params).toEqual({ name: 'draw', arguments: { x: 1 } });
  });
});

it(verifies(['D65', 'L157'], 'what we do not know of a request reaches the backend as it is, in parameters and _meta'), async () => {
  const session = fakeSession({ answer: () => ({ content: [], contents: [], messages: [] }) });
  const items = { tools: [tool('t')], prompts: [{ name: 't' }], resources: [{ uri: 'db://t' }] };
  const client = fakeClient(fakeGateway([viewOf('a', { session, items })]));
  const unknown = {
    inputResponses: { a: 1 },
    'x-vendor': [null, { name: 'a__t' }],
    _meta: { 'v/trace': { deep: [1] }, traceparent: '00-0-0-01', baggage: 'k=v', 'io.modelcontextprotocol/other': 1 },
  };
  for (const [method, own] of [
    ['tools/call', { name: 'a__t', arguments: { uri: 'db://a/t', _meta: 1, name: 'a__t' } }],
    ['prompts/get', { name: 'a__t', arguments: { x: 'db://a/t' } }],
    ['resources/read', { uri: 'db://a/t' }],
  ] as const) {
    const perHop = { progressToken: 1, 'io.modelcontextprotocol/protocolVersion': '2026-07-28' };
    await client.ask(method, { ...own, ...unknown, _meta: { ...unknown._meta, ...perHop } });
    const original = 'uri' in own ? { uri: 'db://t' } : { name: 't', arguments: own.arguments };
    expect(session.received.at(-1)?.params).toEqual({ ...original, ...unknown });
  }
});

it(verifies(['D58', 'L157'], 'what we do not know of a result reaches the client as it is, whatever its method'), async () => {
  const unknown = { 'x-vendor': [null, 1], resultType: 'odd', _meta: { 'v/x': { deep: [null] }, 'dev.other/y': 'ui://w' } };
  const content = [
    { type: 'hologram', uri: 'db://t', data: { n: 1e300 } },
    { type: 'text', text: 'db://t', 'x-y': 1, _meta: { 'v/z': 0 } },
  ];
  const result = {
    ...unknown,
    content,
    structuredContent: ['db://t'],
    contents: [],
    messages: [{ role: 'x', content: content[0], 'v/y': 1 }],
  };
  const session = fakeSession({ answer: () => structuredClone(result) });
  const items = { tools: [tool('t')], prompts: [{ name: 't' }], resources: [{ uri: 'db://t' }] };
  const client = fakeClient(fakeGateway([viewOf('a', { session, items })]));
  for (const [method, params] of [
    ['tools/call', { name: 'a__t' }],
    ['prompts/get', { name: 'a__t' }],
    ['resources/read', { uri: 'db://a/t' }],
  ] as const) {
    expect((await client.ask(method, params)).result).toEqual(result);
  }
});
