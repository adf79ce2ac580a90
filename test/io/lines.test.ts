import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLineReader, type OversizeLine, printable } from '../../src/io/lines.ts';
import { verifies } from '../support/verifies.ts';

function read(chunks: Iterable<Buffer | string>, { maxBytes = 1024, fatalBytes = Infinity } = {}) {
  const lines: string[] = [];
  const oversize: OversizeLine[] = [];
  let fatal = 0;
  const reader = createLineReader({
    maxBytes,
    fatalBytes,
    onLine: (line) => void lines.push(line),
    onOversize: (line) => void oversize.push(line),
    onFatal: () => void fatal++,
  });
  for (const chunk of chunks) reader.push(Buffer.from(chunk as string));
  reader.end();
  return { lines, oversize, fatal };
}

const pieces = (bytes: Buffer, size: number) =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));

describe('line reader', () => {
  it('long lines that share a buffer, one after the other, are each themselves', () => {
    const lines = [300_000, 70_000, 500_000, 10, 200_000].map((length, n) => String(n).repeat(length));
    const chunks = pieces(Buffer.from(`${lines.join('\n')}\n`), 65_536);
    expect(read(chunks, { maxBytes: 1_000_000 }).lines).toEqual(lines);
  });

  it.each([
    ['LF', ['a\nb\n'], ['a', 'b']],
    ['CRLF', ['a\r\nb\r\n'], ['a', 'b']],
    ['CRLF split between CR and LF', ['a\r', '\nb\r\n'], ['a', 'b']],
    ['a CR inside a line stays', ['a\rb\n'], ['a\rb']],
    ['empty lines are skipped', ['\n\na\n\r\n'], ['a']],
    ['a BOM at the start is dropped', ['\ufeffa\n\ufeffb\n'], ['a', '\ufeffb']],
    ['the last line needs no end', ['a\nb'], ['a', 'b']],
    ['many chunks, one line', ['a', 'b', 'c\n'], ['abc']],
    ['one chunk, many lines and a rest', ['a\nb\nc', 'd\n'], ['a', 'b', 'cd']],
    ['nothing', [], []],
  ])('%s', (_title, chunks, expected) => {
    expect(read(chunks).lines).toEqual(expected);
  });

  it(verifies('J133', 'joins characters of several bytes wherever they are split'), () => {
    const bytes = Buffer.from('\ufeffé€😀\nzwölf 🐘\n');
    for (let size = 1; size <= bytes.length; size++) expect(read(pieces(bytes, size)).lines).toEqual(['é€😀', 'zwölf 🐘']);
  });

  it('replaces bytes that are not UTF-8', () => {
    expect(read([Buffer.from([0x61, 0xff, 0xc3, 0x28, 0x0a])]).lines).toEqual(['a\ufffd\ufffd(']);
  });

  it('gives the same lines however the bytes are cut', () => {
    const line = fc.string({ unit: 'binary', maxLength: 40 }).map((text) => text.replace(/[\r\n\ufeff]/g, '_'));
    const sizes = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 });
    fc.assert(
      fc.property(fc.array(line), sizes, (lines, cuts) => {
        const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(''));
        const chunks: Buffer[] = [];
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const size = cuts[i % cuts.length] as number;
          chunks.push(bytes.subarray(at, at + size));
          at += size;
        }
        expect(read(chunks).lines).toEqual(lines.filter((text) => text !== '').map((text) => Buffer.from(text).toString()));
      }),
    );
  });

  it('survives random bytes in random chunks and never delivers a line over the limit', () => {
    const chunk = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes.map((byte) => (byte % 16 === 0 ? 10 : byte))));
    fc.assert(
      fc.property(fc.array(chunk), (chunks) => {
        const { lines, oversize } = read(chunks, { maxBytes: 20 });
        const raw = Buffer.concat(chunks).toString('latin1').split('\n');
        expect(oversize.map(({ bytes }) => bytes)).toEqual(raw.filter((line) => line.length > 20).map((line) => line.length));
        expect(lines.length).toBeLessThanOrEqual(raw.length);
      }),
    );
  });

  describe('a line over the limit', () => {
    const long = `START${'x'.repeat(20_000)}END`;

    it.each([1, 7, 4096, 65_536])('is discarded and reported once, in chunks of %i', (size) => {
      const { lines, oversize } = read(pieces(Buffer.from(`before\n${long}\nafter\n`), size));
      expect(lines).toEqual(['before', 'after']);
      expect(oversize).toEqual([{ head: long.slice(0, 4096), tail: long.slice(-4096), bytes: long.length }]);
    });

    it('is reported when the stream ends', () => {
      expect(read([long]).oversize).toHaveLength(1);
    });

    it('starts one byte after the limit', () => {
      expect(read([`${'x'.repeat(1024)}\n`]).lines).toHaveLength(1);
      expect(read([`${'x'.repeat(1025)}\n`]).oversize).toEqual([{ head: 'x'.repeat(1025), tail: 'x'.repeat(1025), bytes: 1025 }]);
    });

    it('ends the reading when it is over the fatal limit', () => {
      const { lines, oversize, fatal } = read(['a\n', 'x'.repeat(2000), 'x'.repeat(2000), '\nb\n'], { fatalBytes: 3000 });
      expect({ lines, oversize, fatal }).toEqual({ lines: ['a'], oversize: [], fatal: 1 });
    });
  });

  it('takes linear time: 16 MiB in one line', () => {
    const chunks = pieces(Buffer.alloc(16 * 1024 * 1024, 'x'), 16 * 1024);
    const start = performance.now();
    expect(read(chunks, { maxBytes: 64 * 1024 * 1024 }).lines[0]).toHaveLength(16 * 1024 * 1024);
    expect(performance.now() - start).toBeLessThan(2_000);
  });

  it('holds little more than the line when it comes byte by byte', () => {
    const reader = createLineReader({ maxBytes: 1e9, onLine: () => {}, onOversize: () => {} });
    const byte = Buffer.from('x');
    const before = process.memoryUsage();
    for (let i = 0; i < 1_000_000; i++) reader.push(byte);
    const after = process.memoryUsage();
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(8_000_000);
    expect(after.heapUsed - before.heapUsed).toBeLessThan(30_000_000);
  });
});

describe('printable', () => {
  it('escapes what a terminal or a log would act on', () => {
    expect(printable('a\u001b[31m\r\n\u009b\u202e\u2028\u200bé😀', 100)).toBe('a\\u001b[31m\\u000d\\u000a\\u009b\\u202e\\u2028\\u200bé😀');
    expect(printable('\u{e0041}\ud800', 100)).toBe('\\u{e0041}\\ud800');
  });

  it('cuts', () => {
    expect(printable('abcdef', 3)).toBe('abc…');
  });
});
