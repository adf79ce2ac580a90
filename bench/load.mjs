/**
 * The load generator, a process of its own so that its work is never counted as a target's.
 *
 *   node bench/load.mjs '{"url":"http://127.0.0.1:3000/mcp","concurrency":16,"calls":10000}'
 *
 * One connection and one MCP session per unit of concurrency, one request in flight on each. After the warm-up it
 * prints {"ready":true} and waits for a line on stdin (`hold: true`), so that whoever started it can read the CPU
 * clock of the target at the right moment. Then it runs, and prints the figures as one line of JSON.
 */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { openWire } from './wire.mjs';

const plan = {
  concurrency: 1,
  calls: 1000,
  warmup: 0,
  method: 'tools/call',
  tool: 'echo',
  tools: 1,
  hold: false,
  ...JSON.parse(process.argv[2]),
};
const { origin, pathname } = new URL(plan.url);
const FILL = 'The quick brown fox jumps over the lazy dog and comes back; a payload of one hundred bytes. '.slice(0, 88);

/** The JSON-RPC text of an answer; on an event stream, the last `data:` line is the response. */
function payload({ headers, body }) {
  const text = body.toString();
  if (!headers['content-type']?.startsWith('text/event-stream')) return text;
  const start = text.lastIndexOf('\ndata:') + 1;
  return text.slice(text.indexOf(':', start) + 1, text.indexOf('\n', start));
}

class Connection {
  #wire = openWire(origin);
  #headers = 'content-type: application/json\r\naccept: application/json, text/event-stream\r\n';
  // Seven digits each: two answers to the same question then differ in the id alone, never in length.
  #next = 1_000_000;
  #reference;
  #label;

  constructor(label) {
    this.#label = label;
  }

  #exchange(method, body) {
    return this.#wire.exchange(method, pathname, this.#headers, body);
  }

  async open() {
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'load', version: '1.0.0' } };
    const answer = await this.#exchange('POST', JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params }));
    const { result } = JSON.parse(payload(answer));
    if (answer.status !== 200 || !result) throw new Error(`initialize: HTTP ${answer.status} ${answer.body.toString('utf8', 0, 200)}`);
    const session = answer.headers['mcp-session-id'];
    if (session) this.#headers += `mcp-session-id: ${session}\r\n`;
    this.#headers += `mcp-protocol-version: ${result.protocolVersion}\r\n`;
    await this.#exchange('POST', JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' }));
  }

  async close() {
    await this.#exchange('DELETE').catch(() => {});
    this.#wire.close();
  }

  /** One request; throws unless the answer is exactly the expected one. */
  async request() {
    const id = this.#next++;
    if (plan.method === 'tools/list') return this.#list(id);
    // The ids of all connections collide on purpose, the texts do not: an answer to the wrong session is noticed.
    const text = `${this.#label} ${id} ${FILL}`;
    const body = JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name: plan.tool, arguments: { text } } });
    const answer = await this.#exchange('POST', body);
    const message = JSON.parse(payload(answer));
    if (message.id !== id || message.result?.content?.[0]?.text !== text)
      throw new Error(`wrong answer: ${answer.body.toString('utf8', 0, 200)}`);
  }

  async #list(id) {
    const answer = await this.#exchange('POST', `{"jsonrpc":"2.0","id":${id},"method":"tools/list"}`);
    // Reading 200 KB as text costs more than a good target spends on it: once checked, only the id may differ.
    if (this.#reference?.(answer.body, id)) return;
    const text = payload(answer);
    const message = JSON.parse(text);
    // In any order: a gateway may sort its lists.
    const names = new Set(message.result?.tools?.map((tool) => tool.name));
    const complete = Array.from({ length: plan.tools }, (_, index) => (index ? `tool_${index}` : 'echo')).every((name) => names.has(name));
    if (message.id !== id || message.result?.tools?.length !== plan.tools || !complete) {
      throw new Error(`wrong list: ${names.size} tools, ${text.slice(0, 200)}`);
    }
    this.#reference = sameButId(answer.body, id);
  }
}

/** Tells whether another body equals this one in every byte but the digits of the id. */
function sameButId(reference, id) {
  const from = reference.indexOf(`"id":${id}`) + 5;
  const to = from + String(id).length;
  if (from < 5) return undefined;
  return (body, other) =>
    body.length === reference.length &&
    body.latin1Slice(from, to) === String(other) &&
    body.compare(reference, 0, from, 0, from) === 0 &&
    body.compare(reference, to, reference.length, to) === 0;
}

async function run(connections, total, times) {
  let started = 0;
  const errors = [];
  await Promise.all(
    connections.map(async (connection) => {
      while (started < total) {
        const index = started++;
        const from = performance.now();
        try {
          await connection.request();
        } catch (error) {
          errors.push(String(error.message ?? error));
          // A target that refuses at once must not turn the rest of the run into a busy loop.
          if (errors.length > 100) started = total;
          await sleep(10);
        }
        if (times) times[index] = performance.now() - from;
      }
    }),
  );
  return errors;
}

const connections = Array.from({ length: plan.concurrency }, (_, index) => new Connection(index));
await Promise.all(connections.map((connection) => connection.open()));
const early = await run(connections, plan.warmup);
if (plan.hold) {
  process.stdin.on('end', () => process.exit(1));
  console.log('{"ready":true}');
  await once(process.stdin, 'data');
}
const times = new Float64Array(plan.calls);
const cpu = process.cpuUsage();
const from = performance.now();
const late = await run(connections, plan.calls, times);
const seconds = (performance.now() - from) / 1000;
const { user, system } = process.cpuUsage(cpu);
times.sort();
const errors = [...early, ...late];
console.log(
  JSON.stringify({
    perSecond: plan.calls / seconds,
    p50: times[Math.floor(plan.calls * 0.5)],
    p99: times[Math.floor(plan.calls * 0.99)],
    errors: errors.length,
    firstError: errors[0],
    loadCpu: (user + system) / plan.calls,
  }),
);
await Promise.all(connections.map((connection) => connection.close()));
process.exit(0);
