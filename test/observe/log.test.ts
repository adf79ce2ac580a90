import { Writable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLogger, escapeControls, type LogFormat, type LogLevel, type LogOptions } from '../../src/observe/log.ts';
import { createRedactor } from '../../src/observe/redact.ts';
import { flush } from '../support/fakeWorld.ts';
import { verifies } from '../support/verifies.ts';

/** A stream that a test can stall, and that remembers what it was given. */
class Pipe extends Writable {
  readonly chunks: string[] = [];
  stalled = false;
  #waiting: (() => void)[] = [];
  override _write(chunk: Buffer, _: string, done: () => void): void {
    this.chunks.push(chunk.toString());
    if (this.stalled) this.#waiting.push(done);
    else done();
  }
  resume(): void {
    this.stalled = false;
    for (const done of this.#waiting.splice(0)) done();
  }
  get text(): string {
    return this.chunks.join('');
  }
}

function make(patch: Partial<LogOptions> = {}) {
  const stream = new Pipe();
  return { stream, ...createLogger({ format: 'json', level: 'info', stream, colors: false, redact: (text) => text, ...patch }) };
}
const linesOf = ({ text }: Pipe) => text.split('\n').slice(0, -1);

describe('a line of the log', () => {
  it('is one JSON object with time, level, event and fields', () => {
    const { log, stream } = make();
    log('warn', 'backend.note', { message: 'm', backend: 'a', n: 1, absent: undefined });
    log('error', 'bare');
    const [first, second] = linesOf(stream).map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(first).toEqual({
      ts: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      level: 'warn',
      event: 'backend.note',
      message: 'm',
      backend: 'a',
      n: 1,
    });
    expect(second).toMatchObject({ level: 'error', event: 'bare' });
  });

  it('stays JSON whatever is a secret, and hides one that was written in JSON before', () => {
    const { redact } = createRedactor(['nabcdef', '123456', 'with "quotes"']);
    const { log, stream } = make({ redact });
    log('info', 'e', { message: '\nabcdef', n: 123456, pid: 1234567, line: JSON.stringify('with "quotes"'), list: [{ a: 'nabcdef' }] });
    expect(JSON.parse(stream.text)).toMatchObject({ message: '\nabcdef', n: '***', pid: 1234567, line: '"***"', list: [{ a: '***' }] });
    const pretty = make({ redact, format: 'pretty' });
    pretty.log('info', 'e', { message: 'm', said: JSON.stringify('with "quotes"'), list: ['with "quotes"'] });
    expect(pretty.stream.text).not.toContain('quotes');
  });

  it('for people is one line with a mark, the message and the rest of the fields', () => {
    const { log, stream } = make({ format: 'pretty' });
    log('info', 'backend.connected', { message: 'a: connected', backend: 'a', why: 'two words', n: 7, pid: undefined });
    log('warn', 'backend.stderr', { backend: 'a', line: 'what it wrote' });
    log('debug', 'not shown');
    log('error', 'bare.event');
    expect(linesOf(stream).map((line) => line.slice(9))).toEqual([
      '● a: connected why="two words" n=7',
      '⚠ a: what it wrote',
      '✖ bare.event',
    ]);
  });

  it.each<[LogLevel, LogLevel[]]>([
    ['error', ['error']],
    ['warn', ['error', 'warn']],
    ['info', ['error', 'warn', 'info']],
    ['debug', ['error', 'warn', 'info', 'debug']],
  ])('at level %s shows %j', (level, shown) => {
    const { log, stream } = make({ level });
    for (const at of ['error', 'warn', 'info', 'debug'] as const) log(at, 'x');
    expect(linesOf(stream).map((line) => (JSON.parse(line) as { level: string }).level)).toEqual(shown);
  });

  it('is not swallowed although it repeats', () => {
    const { log, stream } = make();
    for (let n = 0; n < 50; n++) log('info', 'same', { message: 'same' });
    expect(linesOf(stream)).toHaveLength(50);
  });

  it('has colours only where they are wanted', () => {
    const [plain, painted] = [make({ format: 'pretty' }), make({ format: 'pretty', colors: true })];
    for (const { log } of [plain, painted]) log('info', 'x');
    expect([plain.stream.text.includes('\u001b'), painted.stream.text.includes('\u001b')]).toEqual([false, true]);
  });

  it.each<LogFormat>(['json', 'pretty'])('in %s never moves the cursor, forges a line or turns the reading direction', (format) => {
    const evil = fc.string({
      unit: fc.constantFrom('a', '\n', '\r', '\u001b', '\u0000', '\u007f', '\u009b', '\u2028', '\u202e', '\u2066', 'ä'),
    });
    fc.assert(
      fc.property(evil, evil, (message, field) => {
        const { log, stream } = make({ format });
        log('info', 'x', { message, field });
        // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
        expect(stream.text).toMatch(/^[^\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]*\n$/);
        if (format === 'json') expect(JSON.parse(stream.text)).toMatchObject({ message, field });
      }),
    );
  });

  it('shows control characters as what they are', () => {
    expect(escapeControls('a\u001b[31m\n\u202eb')).toBe('a\\u001b[31m\\u000a\\u202eb');
  });
});

describe('a secret', () => {
  it.each<LogFormat>(['json', 'pretty'])(verifies('secrets-never-printed', 'is in no line of %s, in whatever form it comes'), (format) => {
    const secrets = [
      'hunter2-hunter2',
      'with "quotes" \\ and ä/?',
      '-----BEGIN KEY-----\nAAAA\nBBBB\n-----END KEY-----',
      'tab\tand\u0085control',
    ];
    for (const secret of secrets) {
      const { log, print, stream } = make({ format, level: 'debug', redact: createRedactor([secret]).redact });
      log('error', 'x', { message: `before ${secret} after`, field: secret, nested: { deep: [secret] } });
      log('info', secret, { url: `https://x/?token=${encodeURIComponent(secret)}` });
      print(`row ${secret}`);
      const forms = [secret, JSON.stringify(secret).slice(1, -1)].map(escapeControls);
      const pieces = [secret, ...secret.split('\n').filter((line) => line.length >= 4), encodeURIComponent(secret), ...forms];
      for (const piece of pieces) expect(stream.text).not.toContain(piece);
      expect(stream.text).toContain('***');
    }
  });

  it('leaves the line valid JSON', () => {
    const { log, stream } = make({ redact: createRedactor(['hunter2"']).redact });
    log('info', 'x', { message: 'is hunter2" here' });
    expect(JSON.parse(stream.text)).toMatchObject({ message: 'is *** here' });
  });
});

describe('a log pipe', () => {
  it(verifies('log-never-blocks', 'that is stalled costs lines, which are counted when it flows again'), async () => {
    const { log, stream } = make();
    stream.stalled = true;
    const message = 'x'.repeat(1_000);
    for (let n = 0; n < 3_000; n++) log('info', 'flood', { message });
    expect(stream.writableLength).toBeLessThan(1024 * 1024 + 2_000);
    stream.resume();
    await flush();
    log('info', 'after');
    await flush();
    const lines = linesOf(stream).map((line) => JSON.parse(line) as { event: string; lines?: number });
    const [dropped, last] = lines.slice(-2);
    expect([dropped?.event, last?.event]).toEqual(['log.dropped', 'after']);
    expect(lines.filter(({ event }) => event === 'flood').length + (dropped?.lines as number)).toBe(3_000);
  });

  it(verifies('log-never-blocks', 'that is closed ends nothing'), async () => {
    const stream = new Writable({ write: (_, __, done) => done(Object.assign(new Error('EPIPE'), { code: 'EPIPE' })) });
    const { log, print } = createLogger({ format: 'pretty', level: 'info', stream, colors: false, redact: (text) => text });
    log('info', 'x');
    await flush();
    log('info', 'y');
    print('z');
    await flush();
    expect(stream.destroyed).toBe(true);
  });
});

it('text for people is left out of JSON, and where only errors are wanted', () => {
  const [pretty, json, errors] = [make({ format: 'pretty' }), make(), make({ format: 'pretty', level: 'error' })];
  for (const { print } of [pretty, json, errors]) print('one\ntwo');
  expect([pretty.stream.text, json.stream.text, errors.stream.text]).toEqual(['one\ntwo\n', '', '']);
});
