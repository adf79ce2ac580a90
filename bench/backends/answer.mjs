/**
 * What both benchmark backends say: the smallest MCP server with one `echo` tool and TOOLS - 1 idle ones.
 * Dependency-free and precomputed: whatever a backend costs is cost that every target pays.
 */
const count = Math.max(1, Number(process.env.TOOLS ?? 1));

const tools = Array.from({ length: count }, (_, index) => ({
  name: index === 0 ? 'echo' : `tool_${index}`,
  description: `Tool number ${index} of the benchmark backend.`,
  inputSchema: { type: 'object', properties: { text: { type: 'string', description: 'Comes back unchanged.' } }, required: ['text'] },
}));

const listed = JSON.stringify({ tools });

const greeting = JSON.stringify({
  protocolVersion: '2025-11-25',
  capabilities: { tools: {} },
  serverInfo: { name: 'bench', version: '1.0.0' },
});

/** The answer to one parsed JSON-RPC message as text, or '' where none is due (notifications, answers). */
export function answer(message) {
  const { id, method } = message;
  if (id === undefined || method === undefined) return '';
  const head = `{"jsonrpc":"2.0","id":${JSON.stringify(id)},`;
  switch (method) {
    case 'tools/call':
      return `${head}"result":{"content":[{"type":"text","text":${JSON.stringify(message.params.arguments.text)}}]}}`;
    case 'tools/list':
      return `${head}"result":${listed}}`;
    case 'initialize':
      return `${head}"result":${greeting}}`;
    case 'ping':
      return `${head}"result":{}}`;
    default:
      return `${head}"error":{"code":-32601,"message":"Method not found"}}`;
  }
}
