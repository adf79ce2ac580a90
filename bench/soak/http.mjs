/** Soak backend over Streamable HTTP: echo and slow, and whatever fault is on. Prints its URL; ends with its stdin. */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { answer, createFault, echoed } from './fault.mjs';

const fault = createFault();
const sessions = new Set();

const server = createServer((request, response) => {
  if (request.method !== 'POST') return response.writeHead(request.method === 'DELETE' ? 204 : 405).end();
  const session = request.headers['mcp-session-id'];
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const message = JSON.parse(Buffer.concat(chunks));
    const reply = (body, headers = {}) =>
      response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
    switch (fault()) {
      case 'freeze':
        return;
      case 'crash':
        return request.socket.destroy();
      case 'flood':
        return response.writeHead(503, { 'retry-after': '1' }).end();
      case 'garbage':
        if (message.method === 'tools/call') return response.writeHead(200, { 'content-type': 'text/html' }).end('<html>not JSON');
    }
    if (message.method === 'initialize') {
      const id = randomUUID();
      sessions.add(id);
      return reply(answer(message), { 'mcp-session-id': id });
    }
    if (!sessions.has(session)) return response.writeHead(404).end();
    if (message.method !== 'tools/call') {
      const said = answer(message);
      return said ? reply(said) : response.writeHead(202).end();
    }
    const wait = fault() === 'slow' ? 1_500 : message.params?.name === 'slow' ? Number(message.params.arguments?.ms ?? 500) : 0;
    setTimeout(() => reply({ jsonrpc: '2.0', id: message.id, result: echoed(message.params) }), wait);
  });
});
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}/mcp`));
process.stdin.resume().on('end', () => process.exit(0));
