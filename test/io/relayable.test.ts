import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRelayable } from '../../src/io/relayable.ts';
import { verifies } from '../support/verifies.ts';

const SECRET = 'tok-123456';
const relayable = createRelayable({ name: 'a', redact: (text) => text.replaceAll(SECRET, '***') });

describe('an error of a backend', () => {
  it(verifies('D60', 'is relayed as the object it is'), () => {
    const error = { code: -32001, message: 'no\n\tsuch “thing”', data: { a: [1, null, 'x'] }, more: true };
    expect(relayable(error)).toBe(error);
  });

  it(verifies('relayed-errors', 'loses our secrets, wherever they stand'), () => {
    expect(relayable({ code: 1, message: `bad ${SECRET}`, data: { header: [`Bearer ${SECRET}`], n: 1 } })).toEqual({
      code: 1,
      message: 'bad ***',
      data: { header: ['Bearer ***'], n: 1 },
    });
  });

  it(verifies('relayed-errors', 'loses them also where its JSON only looks like one, in numbers, keys and fields of its own'), () => {
    const redact = (text: string) => text.replaceAll('nabcdef', '***').replaceAll('123456', '***');
    const { message, ...error } = createRelayable({ name: 'a', redact })({
      code: 1,
      message: 'no',
      data: ['\nabcdef', 123456, { nabcdef: 1234567 }],
      more: 'nabcdef',
    });
    expect(error).toEqual({ code: 1, data: ['\nabcdef', '***', { '***': 1234567 }], more: '***' });
    expect(message).toBe('no');
  });

  it(verifies('relayed-errors', 'shows what a terminal would act on'), () => {
    expect(relayable({ code: 1, message: '\u001b[31mred\u0007 \u009b \u202etxt' }).message).toBe(
      '\\u001b[31mred\\u0007 \\u009b \\u202etxt',
    );
  });

  it.each([
    [undefined, '"a" answered with an error that is none of JSON-RPC', -32603],
    ['oh no', 'oh no', -32603],
    [{}, '"a" answered with an error that is none of JSON-RPC', -32603],
    [{ code: 7 }, '"a" answered with an error that is none of JSON-RPC', 7],
    [{ code: '7', message: 'seven' }, 'seven', -32603],
    [{ code: 1.5, message: null }, '"a" answered with an error that is none of JSON-RPC', -32603],
  ] as const)(verifies('relayed-errors', 'is one of JSON-RPC that names its server: %j'), (given, message, code) => {
    expect(relayable(given)).toMatchObject({ message, code });
  });

  it('is one of JSON-RPC whatever comes', () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: false }), (error) => {
        const json = JSON.parse(JSON.stringify(error) ?? 'null');
        const relayed = relayable(json);
        expect([Number.isInteger(relayed.code), typeof relayed.message]).toEqual([true, 'string']);
      }),
    );
  });
});
