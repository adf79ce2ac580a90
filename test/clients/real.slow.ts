/**
 * Clients and servers that others wrote: each client with each server through the built gateway, on every way in, compared with the same
 * client directly at the server.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2, SSEClientTransport as SseV2 } from '@modelcontextprotocol/client';
import { StdioClientTransport as StdioV2 } from '@modelcontextprotocol/client/stdio';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport as SseV1 } from '@modelcontextprotocol/sdk/client/sse.js';
import { StdioClientTransport as StdioV1 } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { CreateMessageRequestSchema, ElicitRequestSchema, ListRootsRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Json } from '../../src/world.ts';
import { MAIN, startGateway, untilState } from '../e2e/gateway.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const VERSION = '2025-11-25';

// Servers

const official = (name: string, ...args: string[]): string[] => [
  process.execPath,
  join(ROOT, 'node_modules/@modelcontextprotocol', `server-${name}`, 'dist/index.js'),
  ...args,
];

/** Entries of `mcp.json`; what they write is in a folder of the test. */
const serversIn = (folder: string) => ({
  filesystem: { command: official('filesystem', folder) },
  memory: { command: official('memory'), env: { MEMORY_FILE_PATH: join(folder, 'memory.jsonl') } },
  everything: { command: official('everything') },
  thinking: { command: official('sequential-thinking') },
  v2: { command: [process.execPath, join(ROOT, 'test/fixtures/asker/v2.mjs')], isolation: 'session' },
});
type Server = keyof ReturnType<typeof serversIn>;
const SERVERS: readonly Server[] = ['filesystem', 'memory', 'everything', 'thinking', 'v2'];

function temporary(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'onemcp-real-')));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

// Clients

type Target =
  | { readonly carrier: 'http' | 'sse'; readonly url: string }
  | { readonly carrier: 'stdio'; readonly command: readonly string[]; readonly cwd: string; readonly env?: Record<string, string> };

const METHODS = {
  tools: 'tools/list',
  prompts: 'prompts/list',
  resources: 'resources/list',
  resourceTemplates: 'resources/templates/list',
} as const;
type Kind = keyof typeof METHODS;

interface Driver {
  list(kind: Kind): Promise<readonly Json[]>;
  call(name: string, args?: Json): Promise<Json>;
  read(uri: string): Promise<Json>;
  prompt(name: string, args?: Record<string, string>): Promise<Json>;
}
type Open = (target: Target, capabilities?: Json) => Promise<Driver>;

const ANSWERS = {
  elicitation: { action: 'accept', content: { who: 'me', name: 'me' } },
  sampling: { role: 'assistant', model: 'none', content: { type: 'text', text: 'sampled by me' } },
  roots: { roots: [{ uri: 'file:///me', name: 'me' }] },
};

const sdkV1: Open = async (target, capabilities = {}) => {
  const client = new ClientV1({ name: 'v1', version: '1' }, { capabilities });
  if (capabilities.elicitation) client.setRequestHandler(ElicitRequestSchema, () => ANSWERS.elicitation as never);
  if (capabilities.sampling) client.setRequestHandler(CreateMessageRequestSchema, () => ANSWERS.sampling as never);
  if (capabilities.roots) client.setRequestHandler(ListRootsRequestSchema, () => ANSWERS.roots);
  const transport =
    target.carrier === 'stdio' ? new StdioV1(stdio(target)) : new (target.carrier === 'sse' ? SseV1 : HttpV1)(new URL(target.url));
  onTestFinished(() => client.close());
  await client.connect(transport);
  return driverOf(client);
};

const sdkV2: Open = async (target, capabilities = {}) => {
  const client = new ClientV2({ name: 'v2', version: '1' }, { capabilities, versionNegotiation: { mode: 'legacy' } });
  if (capabilities.elicitation) client.setRequestHandler('elicitation/create', () => ANSWERS.elicitation as never);
  if (capabilities.sampling) client.setRequestHandler('sampling/createMessage', () => ANSWERS.sampling as never);
  if (capabilities.roots) client.setRequestHandler('roots/list', () => ANSWERS.roots);
  const transport =
    target.carrier === 'stdio' ? new StdioV2(stdio(target)) : new (target.carrier === 'sse' ? SseV2 : HttpV2)(new URL(target.url));
  onTestFinished(() => client.close());
  await client.connect(transport);
  expect(client.getNegotiatedProtocolVersion()).toBe(VERSION);
  return driverOf(client);
};

function stdio({ command: [command = '', ...args], cwd, env = {} }: Extract<Target, { carrier: 'stdio' }>) {
  return { command, args, cwd, env: { PATH: process.env.PATH as string, ...env }, stderr: 'ignore' as const };
}

/** What both versions of the SDK have in common. */
interface SdkClient {
  listTools(): Promise<unknown>;
  listPrompts(): Promise<unknown>;
  listResources(): Promise<unknown>;
  listResourceTemplates(): Promise<unknown>;
  callTool(params: { name: string; arguments: Json }): Promise<unknown>;
  readResource(params: { uri: string }): Promise<unknown>;
  getPrompt(params: { name: string; arguments: Record<string, string> }): Promise<unknown>;
}

function driverOf(client: SdkClient): Driver {
  const lists: Record<Kind, () => Promise<unknown>> = {
    tools: () => client.listTools(),
    prompts: () => client.listPrompts(),
    resources: () => client.listResources(),
    resourceTemplates: () => client.listResourceTemplates(),
  };
  return {
    list: async (kind) => ((await lists[kind]()) as Record<Kind, readonly Json[]>)[kind],
    call: async (name, args = {}) => (await client.callTool({ name, arguments: args })) as Json,
    read: async (uri) => (await client.readResource({ uri })) as Json,
    prompt: async (name, args = {}) => (await client.getPrompt({ name, arguments: args })) as Json,
  };
}

/** The command line of the MCP inspector: a process and a session for each request. */
const inspector: Open = async (target) => {
  const folder = join(ROOT, 'node_modules/@modelcontextprotocol/inspector');
  const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { bin: { 'mcp-inspector': string } };
  const home = temporary();
  const where =
    target.carrier === 'stdio'
      ? ['--cwd', target.cwd]
      : ['--server-url', target.url, '--transport', target.carrier === 'sse' ? 'sse' : 'http'];
  const env = target.carrier === 'stdio' ? Object.entries(target.env ?? {}).flatMap(([key, value]) => ['-e', `${key}=${value}`]) : [];
  const server = target.carrier === 'stdio' ? target.command : [];
  const run = async (method: string, ...more: string[]): Promise<Json> => {
    const args = [...server, '--method', method, ...more, ...where, ...env, '--format', 'json', '--quiet'];
    // What belongs to the server comes first, and could look like an option of the inspector.
    const { stdout } = await promisify(execFile)(process.execPath, [join(folder, bin['mcp-inspector']), '--cli', ...args], {
      env: { PATH: process.env.PATH, HOME: home },
      timeout: 60_000,
    });
    return (JSON.parse(stdout) as { result: Json }).result;
  };
  return {
    list: async (kind) => (await run(METHODS[kind]))[kind] as readonly Json[],
    call: (name, args = {}) => run('tools/call', '--tool-name', name, '--tool-args-json', JSON.stringify(args)),
    read: (uri) => run('resources/read', '--uri', uri),
    prompt: (name, args = {}) =>
      run('prompts/get', '--prompt-name', name, ...Object.entries(args).flatMap(([key, value]) => ['--prompt-args', `${key}=${value}`])),
  };
};

const CLIENTS = { 'SDK v1': sdkV1, 'SDK v2': sdkV2, inspector };

// The gateway

/** The gateway in front of all servers, ready for the first request. */
async function gateway(carrier: Target['carrier'], folder: string): Promise<Target> {
  const servers = serversIn(folder);
  if (carrier === 'stdio') {
    writeFileSync(join(folder, 'mcp.json'), JSON.stringify({ mcpServers: servers }));
    return { carrier, command: [process.execPath, MAIN, 'run', '--stdio'], cwd: folder };
  }
  const running = await startGateway(servers);
  for (const name of SERVERS) await untilState(running, name, 'connected');
  return { carrier, url: `${running.url}/${carrier === 'sse' ? 'sse' : 'mcp'}` };
}

const directly = (server: Server, folder: string): Target => {
  const { command, env } = serversIn(folder)[server] as { command: string[]; env?: Record<string, string> };
  return { carrier: 'stdio', command, cwd: folder, ...(env && { env }) };
};

const asExposed = (server: Server, tool: Json): Json => ({
  ...tool,
  name: `${server}__${tool.name}`,
  _meta: { ...(tool._meta as Json | undefined), 'dev.onemcp/server': server, 'dev.onemcp/originalName': tool.name },
});
const byName = (items: readonly Json[]): Json[] => [...items].sort((a, b) => String(a.name).localeCompare(String(b.name)));
const textOf = (result: Json): string => (result.content as { text: string }[])[0]?.text as string;

describe.each(Object.keys(CLIENTS) as (keyof typeof CLIENTS)[])('%s', (name) => {
  const open = CLIENTS[name];

  it.each(['http', 'sse', 'stdio'] as const)('over %s: every server is listed, called and read as if it were alone', async (carrier) => {
    const folder = temporary();
    const client = await open(await gateway(carrier, folder));
    const alone = Object.fromEntries(
      await Promise.all(SERVERS.map(async (server) => [server, await open(directly(server, folder))])),
    ) as Record<Server, Driver>;

    const tools = await client.list('tools');
    for (const server of SERVERS) {
      const own = tools.filter((tool) => String(tool.name).startsWith(`${server}__`));
      const expected = (await alone[server].list('tools')).map((tool) => asExposed(server, tool));
      expect(own.length, server).toBeGreaterThan(0);
      // The inspector can do more than the connection that the lists come from says, and for such clients "everything" has more tools.
      if (name === 'inspector') expect(expected, server).toEqual(expect.arrayContaining(own));
      else expect(byName(own), server).toEqual(byName(expected));
    }

    const file = join(folder, 'note.txt');
    await client.call('filesystem__write_file', { path: file, content: 'Grüße\n' });
    expect(readFileSync(file, 'utf8')).toBe('Grüße\n');
    expect(textOf(await client.call('filesystem__read_text_file', { path: file }))).toBe('Grüße\n');
    await client.call('memory__create_entities', { entities: [{ name: 'onemcp', entityType: 'gateway', observations: ['works'] }] });
    expect(textOf(await client.call('memory__read_graph'))).toContain('onemcp');
    expect(await client.call('everything__echo', { message: 'x y' })).toEqual(await alone.everything.call('echo', { message: 'x y' }));
    const thought = { thought: 'hm', nextThoughtNeeded: false, thoughtNumber: 1, totalThoughts: 1 };
    expect(await client.call('thinking__sequentialthinking', thought)).toEqual(await alone.thinking.call('sequentialthinking', thought));
    expect(await client.call('v2__add', { a: 1, b: 2 })).toMatchObject({ content: [{ text: '3' }], structuredContent: { sum: 3 } });

    const resources = await client.list('resources');
    const greeting = resources.find(({ name: title }) => title === 'greeting') as { uri: string };
    expect(await client.read(greeting.uri)).toMatchObject({ contents: [{ uri: greeting.uri, text: 'hello' }] });
    const documents = await alone.everything.list('resources');
    expect(documents.length).toBeGreaterThan(0);
    const ofEverything = resources.filter(({ name: title }) => documents.some((document) => document.name === title));
    expect(ofEverything.map(({ name: title }) => title).sort()).toEqual(documents.map(({ name: title }) => title).sort());
    const [document] = documents as [Json];
    const exposed = ofEverything.find(({ name: title }) => title === document.name) as { uri: string };
    const [original, through] = (await Promise.all([alone.everything.read(document.uri as string), client.read(exposed.uri)])) as {
      contents: { uri: string; text: string }[];
    }[];
    expect(through?.contents).toEqual(original?.contents.map((content) => ({ ...content, uri: exposed.uri })));
    const template = (await client.list('resourceTemplates')).find(({ uriTemplate }) => String(uriTemplate).includes('dynamic/text'));
    const expanded = String(template?.uriTemplate).replace(/\{[^}]*\}/, '1');
    expect(await client.read(expanded)).toMatchObject({ contents: [{ uri: expanded, text: expect.stringContaining('1') }] });

    const prompts = (await client.list('prompts')).map((prompt) => prompt.name);
    for (const { name: prompt } of await alone.everything.list('prompts')) expect(prompts).toContain(`everything__${prompt}`);
    expect(await client.prompt('everything__args-prompt', { city: 'Bern' })).toEqual(
      await alone.everything.prompt('args-prompt', { city: 'Bern' }),
    );
    expect(await client.prompt('v2__greet', { name: 'Ada' })).toMatchObject({ messages: [{ content: { text: 'Greet Ada' } }] });
  });
});

describe.each(['SDK v1', 'SDK v2'] as const)('%s', (name) => {
  const capabilities = { elicitation: {}, sampling: {}, roots: {} };

  it.each(['http', 'sse', 'stdio'] as const)('over %s: a server on the second version of the SDK asks it', async (carrier) => {
    const client = await CLIENTS[name](await gateway(carrier, temporary()), capabilities);
    expect(JSON.parse(textOf(await client.call('v2__ask')))).toMatchObject({ action: 'accept', content: { who: 'me' } });
  });

  it('over stdio: the reference server has all its tools, and asks for everything', async () => {
    const folder = temporary();
    const [client, alone] = await Promise.all([
      gateway('stdio', folder).then((target) => CLIENTS[name](target, capabilities)),
      CLIENTS[name](directly('everything', folder), capabilities),
    ]);
    const expected = (await alone.list('tools')).map((tool) => `everything__${tool.name}`);
    const listed = (await client.list('tools')).map((tool) => String(tool.name)).filter((tool) => tool.startsWith('everything__'));
    expect(listed.sort()).toEqual(expected.sort());
    for (const tool of ['get-roots-list', 'trigger-elicitation-request', 'trigger-sampling-request']) {
      const args = tool === 'trigger-sampling-request' ? { prompt: 'hello' } : {};
      const [through, direct] = await Promise.all([client.call(`everything__${tool}`, args), alone.call(tool, args)]);
      expect(through, tool).toEqual(direct);
      expect(JSON.stringify(through), tool).toContain('me');
      expect(through.isError, tool).toBeFalsy();
    }
  });
});
