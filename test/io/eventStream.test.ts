import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEventStream } from '../../src/io/eventStream.ts';

interface Seen {
  data: string;
  id: string | undefined;
  event: string;
}

function parse(chunks: readonly (Buffer | string)[], maxBytes = 1 << 20) {
  const events: Seen[] = [];
  const retries: number[] = [];
  let overflows = 0;
  const stream = createEventStream(maxBytes, {
    onevent: (data, id, event) => void events.push({ data, id, event }),
    onretry: (ms) => void retries.push(ms),
    onoverflow: () => void overflows++,
  });
  for (const chunk of chunks) stream.push(chunk);
  return { events, retries, overflows };
}
const message = (data: string, id?: string): Seen => ({ data, id, event: 'message' });

describe('event stream', () => {
  it('reads data, id, event and retry, and ignores comments and unknown fields', () => {
    const { events, retries } = parse([': hi\nretry: 250\nfoo: bar\nid: 7\nevent: endpoint\ndata: /x\n\n:\n\ndata:y\n\n']);
    expect(events).toEqual([{ data: '/x', id: '7', event: 'endpoint' }, message('y')]);
    expect(retries).toEqual([250]);
  });

  it('joins several data lines and takes off one blank only', () => {
    expect(parse(['data: a\ndata:  b\ndata\ndata:c\n\n']).events).toEqual([message('a\n b\n\nc')]);
  });

  it('reports an event that only sets the id with empty data', () => {
    expect(parse(['id: 1\ndata:\n\nid: 2\n\n']).events).toEqual([message('', '1'), message('', '2')]);
  });

  it('ignores an id with NUL and a retry that is not a number', () => {
    const { events, retries } = parse(['id: a\0b\nretry: 1s\ndata: x\n\n']);
    expect(events).toEqual([message('x')]);
    expect(retries).toEqual([]);
  });

  it('takes LF, CR and CRLF for the end of a line, even over chunks', () => {
    for (const end of ['\n', '\r', '\r\n']) {
      expect(parse([`data: a${end}data: b${end}${end}data: c${end}${end}`]).events).toEqual([message('a\nb'), message('c')]);
    }
    expect(parse(['data: a\r', '\ndata: b\r', '\n\r', '\n']).events).toEqual([message('a\nb')]);
  });

  it('skips a byte order mark', () => {
    expect(parse([Buffer.from('\ufeffdata: a\n\n')]).events).toEqual([message('a')]);
  });

  it('drops an event that the end of the stream cuts off', () => {
    expect(parse(['data: a\n\ndata: b\n']).events).toEqual([message('a')]);
  });

  it('gives the same events however the bytes are cut, multi-byte characters included', () => {
    const text = '\ufeffid: 1\r\ndata: gr\u00fc\u00dfe \u{1F600}\r\rdata: x\ndata: \u4f60\n\n: c\n\nevent: e\r\ndata: z\r\n\r\n';
    const whole = parse([Buffer.from(text)]).events;
    expect(whole).toHaveLength(3);
    fc.assert(
      fc.property(fc.array(fc.nat(Buffer.byteLength(text)), { maxLength: 12 }), (cuts) => {
        const bytes = Buffer.from(text);
        const sorted = [0, ...cuts.sort((a, b) => a - b), bytes.length];
        const chunks = sorted.slice(1).map((to, at) => bytes.subarray(sorted[at], to));
        expect(parse(chunks).events).toEqual(whole);
      }),
    );
  });

  it('stops at an event larger than the limit, in one line or in many', () => {
    const line = parse([`data: ${'x'.repeat(90)}`, 'x'.repeat(20), '\n\ndata: y\n\n'], 100);
    expect(line).toMatchObject({ events: [], overflows: 1 });
    expect(parse(Array(20).fill('data: 123456789\n'), 100)).toMatchObject({ events: [], overflows: 1 });
    expect(parse(Array(20).fill('data: 123456789\n\n'), 100)).toMatchObject({ overflows: 0 });
    expect(parse(Array(50).fill(': a comment\n'), 100)).toMatchObject({ overflows: 0 });
  });

  it('is linear: 8 MiB in chunks of 100 bytes', () => {
    const chunk = Buffer.alloc(100, 'x');
    const started = performance.now();
    const { events } = parse([Buffer.from('data: '), ...Array(80_000).fill(chunk), Buffer.from('\n\n')], 1 << 24);
    expect(events[0]?.data).toHaveLength(8_000_000);
    expect(performance.now() - started).toBeLessThan(5_000);
  });
});
