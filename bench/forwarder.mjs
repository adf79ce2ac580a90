/**
 * The honest lower bound: the least a process between an MCP client and one backend can do in Node.
 * HTTP in; out over stdio or HTTP; the id is rewritten (parse and stringify, both ways) and nothing else happens:
 * no validation, no limits, no names, no lifecycle. `initialize` is answered here, as a gateway must.
 *
 *   node bench/forwarder.mjs stdio COMMAND ARG…     node bench/forwarder.mjs http URL
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';

const HELLO = {
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'forwarder', version: '1.0.0' } },
};

/** Each outlet is `(message, done)`: send the request, call `done` with the answer under the caller's own id. */
function stdioOutlet(command, args) {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  child.on('exit', () => process.exit(1));
  const waiting = new Map();
  let next = 1;
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    // Appending is cheap, searching is not: a long answer comes in many chunks.
    rest += text;
    if (!text.includes('\n')) return;
    const lines = rest.split('\n');
    rest = lines.pop();
    for (const line of lines) {
      const message = JSON.parse(line);
      const { id, done } = waiting.get(message.id);
      waiting.delete(message.id);
      message.id = id;
      done(JSON.stringify(message));
    }
  });
  return (message, done) => {
    waiting.set(next, { id: message.id, done });
    message.id = next++;
    child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  };
}

/** undici, because on the same machine it does a call for 75-80 µs where a node:http agent takes 95-105. */
async function httpOutlet(url) {
  const { Pool } = await import('undici');
  const { origin, pathname } = new URL(url);
  const pool = new Pool(origin, { connections: 64, pipelining: 1 });
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  let next = 1;
  class Exchange {
    chunks = [];
    constructor(id, done) {
      this.id = id;
      this.done = done;
    }
    onRequestStart() {}
    onResponseStart(_controller, _status, answered) {
      headers['mcp-session-id'] ??= answered['mcp-session-id'];
    }
    onResponseData(_controller, chunk) {
      this.chunks.push(chunk);
    }
    onResponseEnd() {
      const message = JSON.parse(this.chunks.length === 1 ? this.chunks[0] : Buffer.concat(this.chunks));
      message.id = this.id;
      this.done(JSON.stringify(message));
    }
    onResponseError(_controller, error) {
      throw error;
    }
  }
  return (message, done) => {
    const exchange = new Exchange(message.id, done);
    message.id = next++;
    pool.dispatch({ path: pathname, method: 'POST', headers, body: JSON.stringify({ jsonrpc: '2.0', ...message }) }, exchange);
  };
}

const [mode, target, ...rest] = process.argv.slice(2);
const forward = mode === 'stdio' ? stdioOutlet(target, rest) : await httpOutlet(target);
const greeting = await new Promise((resolve) => forward({ id: 0, ...HELLO }, (text) => resolve(JSON.parse(text).result)));

const server = createServer((request, response) => {
  if (request.method !== 'POST') {
    response.writeHead(request.method === 'DELETE' ? 200 : 405).end();
    return;
  }
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const message = JSON.parse(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks));
    const headers = { 'content-type': 'application/json' };
    const done = (text) => {
      headers['content-length'] = Buffer.byteLength(text);
      response.writeHead(200, headers).end(text);
    };
    if (message.method === 'initialize') {
      headers['mcp-session-id'] = randomUUID();
      done(JSON.stringify({ jsonrpc: '2.0', id: message.id, result: greeting }));
    } else if (message.id === undefined) {
      response.writeHead(202).end();
    } else {
      forward(message, done);
    }
  });
});

server.keepAliveTimeout = 0;
server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}/mcp`);
});
process.on('SIGTERM', () => process.exit(0));
if (process.env.BENCH_CHILD) process.stdin.on('end', () => process.exit(0)).resume();
