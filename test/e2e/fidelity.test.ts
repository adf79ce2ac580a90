import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { expect, it } from 'vitest';
import type { Json } from '../../src/world.ts';
import { connect, fixture, startGateway, untilState } from './gateway.ts';

const FIXTURE = fixture('exotic');

/** What the fixture answers when it is asked directly. */
async function direct(method: string, params: Json = {}): Promise<Json> {
  const [command, ...args] = FIXTURE.command as [string, ...string[]];
  const transport = new StdioClientTransport({ command, args });
  const client = new Client({ name: 'test', version: '1' });
  await client.connect(transport);
  const answers = new Promise<Json>((resolve) => {
    transport.onmessage = (message) => {
      const { id, result } = message as Json;
      if (id === 'direct') resolve(result as Json);
    };
  });
  await transport.send({ jsonrpc: '2.0', id: 'direct', method, params });
  const result = await answers;
  await client.close();
  return result;
}

it('transparent naming: what an exotic backend says comes through deep-equal', async () => {
  const gateway = await startGateway({ exotic: FIXTURE }, { naming: { prefix: 'never' } });
  await untilState(gateway, 'exotic', 'connected');
  const client = await connect(gateway.url);
  const args = { any: { nested: [1, null, 'ü'] }, 'x-odd': true };
  const cases: readonly (readonly [string, Json])[] = [
    ['tools/call', { name: 'odd', arguments: args, 'x-param': 1, _meta: { 'example.com/kept': { a: 1 } } }],
    ['prompts/get', { name: 'greet', arguments: { who: 'x' } }],
    ['resources/read', { uri: 'file:///etc/hosts%20copy' }],
    ['resources/read', { uri: 'urn:isbn:0451450523' }],
    ['resources/read', { uri: 'https://example.com/deep/path?q=%2F#x' }],
    ['completion/complete', { ref: { type: 'ref/prompt', name: 'greet' }, argument: { name: 'who', value: 'w' } }],
  ];
  for (const [method, params] of cases) {
    expect((await client.request(method, params)).message.result, `${method} ${JSON.stringify(params)}`).toEqual(
      await direct(method, params),
    );
  }
  for (const [method, key, id] of [
    ['tools/list', 'tools', 'name'],
    ['prompts/list', 'prompts', 'name'],
    ['resources/list', 'resources', 'uri'],
    ['resources/templates/list', 'resourceTemplates', 'uriTemplate'],
  ] as const) {
    const byId = (list: unknown) => [...(list as Json[])].sort((a, b) => ((a[id] as string) < (b[id] as string) ? -1 : 1));
    const { message } = await client.request(method);
    expect(message.result[key], method).toEqual(byId((await direct(method))[key]));
  }
});

it('namespaced: only names, URIs and provenance differ, and every exposed name and URI leads back', async () => {
  const gateway = await startGateway({ exotic: FIXTURE });
  await untilState(gateway, 'exotic', 'connected');
  const client = await connect(gateway.url);
  const tools = (await client.request('tools/list')).message.result.tools as Json[];
  const odd = tools.find(({ name }) => name === 'exotic__odd') as Json;
  const original = ((await direct('tools/list')).tools as Json[]).find(({ name }) => name === 'odd') as Json;
  expect(odd).toEqual({
    ...original,
    name: 'exotic__odd',
    _meta: { ...(original._meta as Json), 'dev.onemcp/server': 'exotic', 'dev.onemcp/originalName': 'odd' },
  });

  const resources = (await client.request('resources/list')).message.result.resources as { uri: string }[];
  expect(resources.map(({ uri }) => uri).sort()).toEqual([
    'https://example.com/a?b=c#d',
    'onemcp://exotic/file:///etc/hosts%20copy',
    'onemcp://exotic/odd+scheme-1.0:opaque',
    'onemcp://exotic/urn:isbn:0451450523',
    'ui://exotic/widget/main.html',
  ]);
  for (const { uri } of resources) {
    const { contents } = (await client.request('resources/read', { uri })).message.result as { contents: { uri: string }[] };
    expect(contents[0]?.uri).toBe(uri);
  }
  const links = (await client.call('exotic__odd')).message.result.content as Json[];
  expect(links[2]).toMatchObject({ type: 'resource_link', uri: 'ui://exotic/widget/main.html' });
  expect(links[3]).toMatchObject({ resource: { uri: 'onemcp://exotic/urn:isbn:0451450523' } });

  const missing = await client.request('resources/read', { uri: 'onemcp://exotic/file:///none' });
  expect(missing.message.error).toEqual({ code: -32002, message: 'Resource not found', data: { uri: 'onemcp://exotic/file:///none' } });
  const unknown = await client.call('exotic__none');
  expect(unknown.message.error).toEqual({ code: -32602, message: 'Unknown tool: exotic__none' });
});
