// A client that lists and calls, as plain HTTP: exit code 0 when the gateway at the given URL serves. Needs nothing but Node.js.
const url = `${process.argv[2] ?? 'http://127.0.0.1:3050'}/mcp`;
const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };

async function post(message, session) {
  const own = session ? { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' } : {};
  const answer = await fetch(url, {
    method: 'POST',
    headers: { ...headers, ...own },
    body: JSON.stringify({ jsonrpc: '2.0', ...message }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${message.method}: HTTP ${answer.status} ${text}`);
  // JSON, or the last message of an event stream.
  const json = answer.headers.get('content-type')?.startsWith('text/event-stream')
    ? text
        .match(/^data: (.+)$/gm)
        ?.at(-1)
        ?.slice(6)
    : text;
  return { body: json ? JSON.parse(json) : undefined, session: answer.headers.get('mcp-session-id') };
}

const clientInfo = { name: 'smoke', version: '1' };
const { session } = await post({ id: 0, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo } });
await post({ method: 'notifications/initialized' }, session);
const { body: list } = await post({ id: 1, method: 'tools/list' }, session);
const params = { name: 'everything__echo', arguments: { message: 'hi' } };
const { body: call } = await post({ id: 2, method: 'tools/call', params }, session);
const said = call.result?.content?.[0]?.text;
process.stdout.write(`${list.result.tools.length} tools; echo says ${JSON.stringify(said)}\n`);
process.exitCode = said === 'Echo: hi' ? 0 : 1;
