/** Faults of a soak backend: which one is on is the text of a file, so that the driver changes it from outside. */
import { readFileSync } from 'node:fs';

/** `good` unless FAULT_FILE says otherwise; looked up again after a tenth of a second. */
export function createFault() {
  const file = process.env.FAULT_FILE;
  let fault = 'good';
  if (file !== undefined) {
    const look = () => {
      try {
        fault = readFileSync(file, 'utf8').trim() || 'good';
      } catch {
        fault = 'good';
      }
    };
    look();
    setInterval(look, 100).unref();
  }
  return () => fault;
}

export const echoed = (params) => ({ content: [{ type: 'text', text: String(params?.arguments?.text) }] });

/** What every soak backend answers, but for its calls; undefined: nothing. */
export function answer({ id, method, params }) {
  if (id === undefined) return undefined;
  const result = {
    initialize: () => ({
      protocolVersion: params.protocolVersion,
      capabilities: { tools: { listChanged: true } },
      serverInfo: { name: 'soak', version: '1.0.0' },
    }),
    ping: () => ({}),
    'tools/list': () => ({ tools: ['echo', 'slow'].map((name) => ({ name, inputSchema: { type: 'object' } })) }),
  }[method]?.();
  return result ? { jsonrpc: '2.0', id, result } : { jsonrpc: '2.0', id, error: { code: -32601, message: `no ${method}` } };
}
