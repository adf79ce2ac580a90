/**
 * Benchmark backend as Streamable HTTP: JSON answers, session ids, no streams. Prints its url as the first line.
 * With BENCH_CHILD it ends with its stdin, so it cannot outlive whoever started it.
 */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { answer } from './answer.mjs';

const sessions = new Set();

const server = createServer((request, response) => {
  const session = request.headers['mcp-session-id'];
  if (request.method === 'DELETE') {
    response.writeHead(sessions.delete(session) ? 200 : 404).end();
    return;
  }
  if (request.method !== 'POST') {
    response.writeHead(405).end();
    return;
  }
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const message = JSON.parse(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks));
    const headers = { 'content-type': 'application/json' };
    if (message.method === 'initialize') {
      const id = randomUUID();
      sessions.add(id);
      headers['mcp-session-id'] = id;
    } else if (!sessions.has(session)) {
      response.writeHead(404).end();
      return;
    }
    const said = answer(message);
    if (said === '') {
      response.writeHead(202).end();
      return;
    }
    headers['content-length'] = Buffer.byteLength(said);
    response.writeHead(200, headers).end(said);
  });
});

// A gateway keeps its connections; a timeout of ours in the middle of a run would measure reconnects.
server.keepAliveTimeout = 0;
server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}/mcp`);
});
process.on('SIGTERM', () => process.exit(0));
if (process.env.BENCH_CHILD) process.stdin.on('end', () => process.exit(0)).resume();
