import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkMessage, parseMessage } from '../../src/mcp/message.ts';
import { verifies } from '../support/verifies.ts';

const flaw = (text: string, depth = 256) => {
  const parsed = parseMessage(text, depth);
  return parsed.kind === 'bad' ? [parsed.error.rpcCode, parsed.id] : 'accepted';
};

describe('a message of a client', () => {
  it.each([
    ['{"jsonrpc":"2.0","id":1,"method":"ping"}'],
    ['{"jsonrpc":"2.0","id":"1","method":"ping","params":{}}'],
    ['{"jsonrpc":"2.0","method":"notifications/initialized"}'],
    ['{"jsonrpc":"2.0","id":1,"result":{}}'],
    ['{"jsonrpc":"2.0","id":0,"method":"x","unknown":[1]}'],
  ])('is accepted: %s', (text) => {
    expect(parseMessage(text, 256)).toEqual({ kind: 'one', message: JSON.parse(text) });
  });

  it.each([
    ['{', -32700, null],
    ['', -32700, null],
    ['[]', -32600, null],
    ['1', -32600, null],
    ['null', -32600, null],
    ['{}', -32600, null],
    ['{"jsonrpc":"1.0","id":7,"method":"ping"}', -32600, 7],
    ['{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600, null],
    ['{"jsonrpc":"2.0","id":1.5,"method":"ping"}', -32600, null],
    ['{"jsonrpc":"2.0","id":{},"method":"ping"}', -32600, null],
    ['{"jsonrpc":"2.0","id":"a","method":5}', -32600, 'a'],
    ['{"jsonrpc":"2.0","id":"a","method":"x","params":[1]}', -32600, 'a'],
    ['{"jsonrpc":"2.0","id":"a","method":"x","params":null}', -32600, 'a'],
    ['{"jsonrpc":"2.0"}', -32600, null],
  ])('is refused: %s', (text, code, id) => {
    expect(flaw(text)).toEqual([code, id]);
  });

  it('that nests too deeply is refused before anything walks it', () => {
    const deep = (depth: number) => `{"jsonrpc":"2.0","id":1,"method":"x","params":${'{"a":'.repeat(depth - 1)}1${'}'.repeat(depth)}`;
    expect(flaw(deep(256))).toBe('accepted');
    expect(flaw(deep(257))).toEqual([-32700, null]);
    expect(flaw('['.repeat(1_000_000))).toEqual([-32700, null]);
  });

  it(verifies('E69', 'keeps the type of its id'), () => {
    const ids = ['1', '"1"'].map((id) => parseMessage(`{"jsonrpc":"2.0","id":${id},"method":"ping"}`, 256));
    expect(ids.map((parsed) => parsed.kind === 'one' && parsed.message.id)).toEqual([1, '1']);
  });

  it('may come in a batch, whose elements are checked one by one', () => {
    const parsed = parseMessage('[{"jsonrpc":"2.0","id":1,"method":"ping"},[],7]', 256);
    const checked = parsed.kind === 'batch' ? parsed.elements.map(checkMessage) : [];
    expect(checked.map(({ kind }) => kind)).toEqual(['one', 'bad', 'bad']);
    expect(flaw(`[${'['.repeat(300)}${']'.repeat(300)}]`)).toEqual([-32700, null]);
  });

  it('never makes the parser throw', () => {
    const almost = fc.record(
      { jsonrpc: fc.constantFrom('2.0', '1.0', 2), id: fc.anything(), method: fc.anything(), params: fc.anything() },
      { requiredKeys: [] },
    );
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.json(),
      almost.map((value) => {
        try {
          return JSON.stringify(value) ?? '';
        } catch {
          return '{';
        }
      }),
      fc.json().map((json) => json.slice(0, -1)),
    );
    fc.assert(
      fc.property(text, (input) => {
        const parsed = parseMessage(input, 16);
        if (parsed.kind === 'one') expect(parsed.message.jsonrpc).toBe('2.0');
        else if (parsed.kind === 'batch') expect(parsed.elements.length).toBeGreaterThan(0);
        else expect([-32700, -32600]).toContain(parsed.error.rpcCode);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('a key that is there twice', () => {
  const textOf = (inside: string) => `{"jsonrpc":"2.0","id":1,"method":"ping",${inside}}`;
  const errorOf = (text: string) => {
    const parsed = parseMessage(text, 256);
    return parsed.kind === 'bad' ? parsed.error.message : undefined;
  };

  it.each([
    '"method":"tools/call"',
    '"id":2',
    '"params":{},"params":{}',
    '"m\\u0065thod":"tools/call"',
    '"x":1,"x":"\\u0041","method":"a"',
  ])(verifies('repeated-keys', 'is refused: %s'), (inside) => {
    expect(errorOf(textOf(inside))).toMatch(/^the message has the key "(method|id|params|x)" twice$/);
  });

  it.each([
    '"params":{"method":"x","id":2,"params":{"id":3}}',
    '"params":{"arguments":{"text":"\\"id\\":1, \\"id\\":2, \\u0041"}}',
    '"params":{"list":[{"id":1},{"id":1}]}',
  ])('in something else is not: %s', (inside) => {
    expect(errorOf(textOf(inside))).toBeUndefined();
  });
});
