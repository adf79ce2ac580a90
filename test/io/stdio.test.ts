import { afterEach, describe, expect, it } from 'vitest';
import { OnemcpError } from '../../src/errors.ts';
import type { JsonRpcMessage } from '../../src/world.ts';
import { verifies } from '../support/verifies.ts';
import { closeAll, connect, createDeps, createMark, eventually, marked, open, specOf, textOf } from './stdioKit.ts';

afterEach(closeAll);

describe('messages', () => {
  it('go to the backend and come back as they are', async () => {
    const backend = await connect('good');
    const args = { text: 'line\nbreak \u2028 ü 😀 "quoted" \\', nested: { a: [1, null] } };
    const answer = await backend.call('echo', args);
    expect(JSON.parse(textOf(answer))).toEqual(args);
    expect(backend.transport.pid).toBeGreaterThan(1);
    expect(backend.failures).toEqual([]);
  });

  it('of one tick go in one write, in their order', async () => {
    const backend = await connect('good');
    const answers = await Promise.all(Array.from({ length: 200 }, (_, n) => backend.call('echo', { n })));
    expect(answers.map((answer) => JSON.parse(textOf(answer)).n)).toEqual(Array.from({ length: 200 }, (_, n) => n));
  });

  it('are put together from pieces, with CRLF', async () => {
    const backend = await connect('half-lines', { env: { PAUSE_MS: '5' } });
    expect(JSON.parse(textOf(await backend.call('echo', { text: 'é€😀' })))).toEqual({ text: 'é€😀' });
  });

  it('may hold bytes that are not UTF-8', async () => {
    const backend = await connect('invalid-utf8');
    expect(textOf(await backend.call('boom'))).toBe('a\ufffd\ufffd(z');
  });

  it('may come in a batch', async () => {
    const backend = await connect('batch-response');
    expect(textOf(await backend.call('boom'))).toBe('in a batch');
    expect(backend.messages.some(({ method }) => method === 'notifications/message')).toBe(true);
  });

  it.each([
    ['dup-response', 'first'],
    ['unknown-id', 'yours'],
  ])('answers nobody waits for are the business of the session: %s', async (name, text) => {
    const backend = await connect(name);
    expect(textOf(await backend.call('boom'))).toBe(text);
    expect(JSON.parse(textOf(await backend.call('echo', { still: 'usable' })))).toEqual({ still: 'usable' });
  });

  it('of the backend itself are delivered, and can be answered', async () => {
    const backend = await connect('elicits');
    const answer = backend.call('ask');
    await eventually(() => backend.messages.filter(({ method }) => method).length === 3, 'its three requests');
    for (const { id, method } of backend.messages as JsonRpcMessage[]) {
      if (method) backend.transport.send({ jsonrpc: '2.0', id: id as string, result: { answerTo: method } });
    }
    expect(JSON.parse(textOf(await answer)).ping.result).toEqual({ answerTo: 'ping' });
  });

  it('a listener that throws does not stop the reading', async () => {
    const { transport, call, ...backend } = await connect('good');
    const listener = transport.onmessage;
    transport.onmessage = () => {
      throw new Error('a bug');
    };
    call('echo');
    await eventually(
      () => (backend.deps as ReturnType<typeof createDeps>).logged.of('backend.message_failed').length === 1,
      'the log line',
    );
    transport.onmessage = listener;
    expect(textOf(await call('echo'))).toBe('{}');
  });
});

describe('what is no message', () => {
  it(verifies('J130', 'is skipped, with one warning that shows its start: a banner'), async () => {
    const deps = createDeps();
    const backend = await connect('banner-on-stdout', { deps });
    expect(textOf(await backend.call('echo'))).toBe('{}');
    expect(deps.logged.of('backend.stdout_noise')).toEqual([
      {
        level: 'warn',
        event: 'backend.stdout_noise',
        fields: { backend: 'banner-on-stdout', skipped: 1, line: '  \\u001b[1mFixture MCP Server\\u001b[0m v1.0.0' },
      },
    ]);
  });

  it('is skipped between messages, however it looks', async () => {
    const deps = createDeps();
    const backend = await connect('garbage-json', { deps });
    for (let n = 0; n < 20; n++) expect(JSON.parse(textOf(await backend.call('echo', { n })))).toEqual({ n });
    expect(backend.messages).toHaveLength(21);
    expect(backend.failures).toEqual([]);
    expect(deps.logged.of('backend.stdout_noise')).toHaveLength(1);
  });

  it('is redacted before it is cut', async () => {
    const deps = createDeps({}, { redact: (text) => text.replaceAll('hunter2', '***') });
    const program = `process.stdout.write("x".repeat(197) + "hunter2\\n"); process.stdin.resume()`;
    await open(specOf([process.execPath, '-e', program]), deps).transport.start();
    await eventually(() => deps.logged.of('backend.stdout_noise').length === 1, 'the warning');
    expect(deps.logged.of('backend.stdout_noise')[0]?.fields.line).toBe(`${'x'.repeat(197)}***`);
  });
});

describe('an answer that is too much fails its call alone', () => {
  it.each(['id-first', 'id-last'])(verifies('D67', 'over the size limit, %s'), async (ORDER) => {
    const backend = await connect('huge-message', { env: { ORDER, MB: '17' } });
    const [boom, echo] = [backend.call('boom'), backend.call('echo', { a: 1 })];
    await expect(boom).rejects.toMatchObject({
      code: 'message_too_large',
      message: 'an answer of "huge-message" is larger than 16 MiB (message.maxBytes)',
      data: { server: 'huge-message', reason: 'too-large' },
    });
    expect(textOf(await echo)).toBe('{"a":1}');
    expect(textOf(await backend.call('echo', { b: 1 }))).toBe('{"b":1}');
    expect(backend.failures).toHaveLength(1);
    expect(backend.closes).toEqual([]);
  });

  it(verifies(['D67', 'J133'], 'just under the size limit it is delivered'), async () => {
    const backend = await connect('huge-message', { env: { MB: '15' } });
    expect(textOf(await backend.call('boom'))).toHaveLength(15 * 1024 * 1024);
  });

  it('over the depth limit', async () => {
    const backend = await connect('deep-json');
    await expect(backend.call('boom')).rejects.toMatchObject({ code: 'invalid_response', data: { reason: 'too-deep' } });
    expect(textOf(await backend.call('echo'))).toBe('{}');
    expect(backend.failures).toHaveLength(1);
  });

  it('without memory for it', async () => {
    const backend = await connect('huge-message', { env: { MB: '60' } });
    let peak = 0;
    const start = process.memoryUsage.rss();
    const timer = setInterval(() => {
      peak = Math.max(peak, process.memoryUsage.rss() - start);
    }, 5);
    await expect(backend.call('boom')).rejects.toMatchObject({ code: 'message_too_large' });
    clearInterval(timer);
    expect(peak).toBeLessThan(100 * 1024 * 1024);
  });
});

describe('a line without an end', () => {
  it('ends the backend at the fatal limit', async () => {
    const mark = createMark();
    const limits = { 'message.maxBytes': 1024 * 1024, 'message.fatalBytes': 4 * 1024 * 1024 };
    const backend = await connect('endless-line', { env: { MARK: mark }, limits });
    const [boom, echo] = [backend.call('boom'), backend.call('slow', { ms: 60_000 })];
    await expect(boom).rejects.toMatchObject({
      code: 'message_too_large',
      message: '"endless-line" wrote 4 MiB without a line end (message.fatalBytes)',
    });
    await expect(echo).rejects.toMatchObject({ code: 'message_too_large' });
    expect(backend.closes).toHaveLength(1);
    await eventually(() => marked(mark).length === 0, 'the end of the process');
    expect(backend.closes).toHaveLength(1);
  });
});

describe('a backend that does not read', () => {
  it('is not sent more than the queue holds', async () => {
    const backend = await connect('deaf', { limits: { 'message.queueBytes': 2 * 1024 * 1024 } });
    backend.call('boom');
    const pad = 'x'.repeat(100_000);
    for (let n = 0; n < 40; n++) backend.call('echo', { pad });
    await eventually(() => backend.failures.length > 0, 'a refusal');
    const { id, error } = backend.failures[0] as (typeof backend.failures)[number];
    expect(id).toBeGreaterThan(20);
    expect(error).toBeInstanceOf(OnemcpError);
    expect(error.code).toBe('busy');
    expect(error.message).toBe('"deaf" does not read: 2 MiB are waiting for it (message.queueBytes)');
    expect(backend.closes).toEqual([]);
    backend.notify('notifications/cancelled', { pad });
    expect(backend.failures.every(({ id }) => id !== undefined)).toBe(true);
  });
});

describe('sending', () => {
  it('before the start, and after the loss, fails the request', async () => {
    const backend = open(specOf('crash-on-call'), createDeps());
    await expect(backend.request('ping')).rejects.toMatchObject({ code: 'backend_unavailable' });
    backend.notify('notifications/initialized');
    await backend.initialize();
    await expect(backend.call('boom')).rejects.toMatchObject({ code: 'backend_exited' });
    await expect(backend.request('ping')).rejects.toMatchObject({ code: 'backend_exited' });
  });

  it('never throws, whatever the message', async () => {
    const backend = await connect('good');
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    await expect(backend.call('echo', circular)).rejects.toMatchObject({ code: 'internal' });
    await expect(backend.call('echo', { big: 1n })).rejects.toMatchObject({ code: 'internal' });
  });

  it('in the tick of the closing still arrives', async () => {
    const deps = createDeps();
    const program = 'process.stdin.on("data", (d) => console.error(String(d)))';
    const { transport } = open(specOf([process.execPath, '-e', program]), deps);
    await transport.start();
    transport.send({ jsonrpc: '2.0', method: 'last' });
    await transport.close();
    expect(transport.stderrTail).toContain('"method":"last"');
  });
});

describe('closing', () => {
  it('is silent, idempotent, and ends the process', async () => {
    const mark = createMark();
    const backend = await connect('good', { env: { MARK: mark } });
    await Promise.all([backend.transport.close(), backend.transport.close()]);
    await backend.transport.close();
    expect(marked(mark)).toEqual([]);
    expect(backend.closes).toEqual([]);
  });

  it.each(['ignores-sigterm', 'forks-children', 'exit-holding-stdout'])('leaves nothing of %s', async (name) => {
    const mark = createMark();
    const backend = await connect(name, { env: { MARK: mark }, limits: { 'stop.stdin': 200, 'stop.term': 200 } });
    expect(marked(mark).length).toBeGreaterThan(0);
    await backend.transport.close();
    expect(marked(mark)).toEqual([]);
  });

  it('during the start makes the start fail, and leaves nothing', async () => {
    const mark = createMark();
    const { transport } = open(specOf('hang-on-init', { env: { MARK: mark } }), createDeps());
    const started = transport.start();
    await Promise.all([expect(started).rejects.toMatchObject({ code: 'cancelled' }), transport.close()]);
    expect(marked(mark)).toEqual([]);
  });

  it('before the start means that nothing starts', async () => {
    const { transport } = open(specOf('good'), createDeps());
    await transport.close();
    await expect(transport.start()).rejects.toMatchObject({ code: 'cancelled' });
    expect(transport.pid).toBeUndefined();
  });

  it('while an initialize hangs leaves nothing', async () => {
    const mark = createMark();
    const backend = open(specOf('hang-on-init', { env: { MARK: mark } }), createDeps());
    backend.initialize().catch(() => {});
    await eventually(() => marked(mark).length === 1, 'the process');
    await backend.transport.close();
    expect(marked(mark)).toEqual([]);
  });
});

describe('secrets', () => {
  it('do not reach log, tail or error', async () => {
    const deps = createDeps({}, { redact: (text) => text.replaceAll('hunter2-hunter2', '***') });
    const backend = await connect('leaks-secret', { env: { CHAOS_SECRET: 'hunter2-hunter2' }, deps });
    await backend.call('boom');
    await eventually(() => deps.logged.of('backend.stderr').length === 2, 'both lines');
    expect(JSON.stringify(deps.logged.entries)).not.toContain('hunter2');
    expect(backend.transport.stderrTail).toBe('using token ***\nagain: *** and more');
  });

  it('of ours are not in the environment of a backend', async () => {
    const deps = createDeps({}, { env: { ...process.env, GATEWAY_TOKEN: 'x' } });
    const backend = await connect('env-dump', { env: { OWN: '1' }, deps });
    const names = JSON.parse(textOf(await backend.call('env')));
    expect(names).toContain('OWN');
    expect(names).toContain('ONEMCP_RUN');
    expect(names).not.toContain('GATEWAY_TOKEN');
    expect(names).not.toContain('VITEST');
  });
});
