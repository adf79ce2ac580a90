import { vi } from 'vitest';
import { Pace } from '../../src/io/pace.ts';
import type { BackendTransport } from '../../src/io/transports/transport.ts';
import type { Json, JsonRpcMessage } from '../../src/world.ts';

export interface FakeTransport extends BackendTransport {
  readonly sent: JsonRpcMessage[];
  readonly forgotten: unknown[];
  closes: number;
}

/** A transport in memory; answers `initialize`, and nothing else unless told to. */
export function fakeTransport(
  result: Json = { protocolVersion: '2025-06-18', capabilities: { tools: {} }, serverInfo: { name: 'fake' } },
): FakeTransport {
  const fake: FakeTransport = {
    sent: [],
    forgotten: [],
    closes: 0,
    start: async () => {},
    send(message) {
      fake.sent.push(message);
      if (message.method === 'initialize') queueMicrotask(() => fake.onmessage?.({ jsonrpc: '2.0', id: message.id as number, result }));
    },
    forget: (id) => void fake.forgotten.push(id),
    close: async () => void fake.closes++,
    setProtocolVersion: vi.fn(),
    onmessage: undefined,
    onfail: undefined,
    onclose: undefined,
    onreset: undefined,
    pace: new Pace(200),
    pid: 42,
    stderrTail: '',
  };
  return fake;
}
