/**
 * The client that the suite runs: `client.ts client-http|client-stdio URL`, with the scenario in `MCP_CONFORMANCE_SCENARIO`. It puts a
 * gateway in front of the suite's server and does what the scenario needs, so that the gateway is the client the suite sees.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { type ElicitRequestFormParams, ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import type { Front } from './fronts.ts';
import { MAIN, startGateway, transparent } from './processes.ts';

/** Milliseconds; less than the suite waits, which would leave this process behind. */
const PATIENCE = 50_000;

interface Scenario {
  /** Set where the suite's server asks the client on a stream that belongs to no call. */
  readonly ownSession?: boolean;
  drive(client: Client): Promise<void>;
}

/** Calls a tool that has to be listed, and expects a text in its result. */
async function callTool(client: Client, name: string, args: Record<string, unknown>, expected: string): Promise<void> {
  const { tools } = await client.listTools();
  if (!tools.some((tool) => tool.name === name)) throw new Error(`${name} is not among ${JSON.stringify(tools)}`);
  const result = JSON.stringify(await client.callTool({ name, arguments: args }));
  if (!result.includes(expected)) throw new Error(`expected "${expected}", got ${result}`);
}

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  initialize: { drive: async (client) => void (await client.listTools()) },
  tools_call: { drive: (client) => callTool(client, 'add_numbers', { a: 5, b: 3 }, 'The sum of 5 and 3 is 8') },
  'elicitation-sep1034-client-defaults': {
    ownSession: true,
    drive: (client) => callTool(client, 'test_client_elicitation_defaults', {}, 'Elicitation completed'),
  },
  'sse-retry': { drive: (client) => callTool(client, 'test_reconnection', {}, 'Reconnection test completed successfully') },
};

/** A user who accepts what the form proposes. */
function acceptDefaults({ requestedSchema }: ElicitRequestFormParams) {
  const proposed = Object.entries(requestedSchema.properties).map(([name, field]) => [
    name,
    'default' in field ? field.default : undefined,
  ]);
  return { action: 'accept' as const, content: Object.fromEntries(proposed.filter(([, value]) => value !== undefined)) };
}

/** Connects a client to a gateway with this configuration; resolves with what stops both. */
async function connect(client: Client, front: Front, config: string): Promise<() => Promise<void>> {
  if (front === 'client-http') {
    const gateway = await startGateway(config);
    await client.connect(new StreamableHTTPClientTransport(new URL(gateway.url)));
    return async () => {
      await client.close();
      await gateway.stop();
    };
  }
  const folder = mkdtempSync(join(tmpdir(), 'conformance-'));
  const file = join(folder, 'mcp.json');
  writeFileSync(file, config);
  await client.connect(new StdioClientTransport({ command: process.execPath, args: [MAIN, 'run', file, '--stdio'] }));
  return async () => {
    await client.close();
    rmSync(folder, { recursive: true, force: true });
  };
}

const [front, url] = process.argv.slice(2);
const name = process.env.MCP_CONFORMANCE_SCENARIO ?? '';
const scenario = SCENARIOS[name];
if (!scenario || !url || (front !== 'client-http' && front !== 'client-stdio'))
  throw new Error(`cannot run "${name}" by ${front} at ${url}`);

setTimeout(() => {
  console.error(`${name} took longer than ${PATIENCE} ms`);
  process.exit(1);
}, PATIENCE).unref();

const client = new Client({ name: 'conformance-client', version: '1.0.0' }, { capabilities: { elicitation: {}, sampling: {} } });
client.setRequestHandler(ElicitRequestSchema, ({ params }) => acceptDefaults(params as ElicitRequestFormParams));
// A client on stdio is the only one of its gateway, so that whatever the server asks is for it.
const isolation = scenario.ownSession && front === 'client-http' ? { isolation: 'session' } : {};
const stop = await connect(client, front, transparent({ url, ...isolation }));
try {
  await scenario.drive(client);
} finally {
  await stop();
}
