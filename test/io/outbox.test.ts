import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createOutbox } from '../../src/io/outbox.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'performance'] }));
afterEach(() => void vi.useRealTimers());
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

const line = (id: number | string, method: string | undefined = 'm') =>
  `${JSON.stringify({ jsonrpc: '2.0', id, ...(method && { method }) })}\n`;

function create() {
  /** `open`: the reader takes everything at once. */
  const pipe = { open: true, queued: 0, writes: [] as string[], deaf: 0 };
  const outbox = createOutbox({
    maxChars: 1_000,
    drainMs: 30_000,
    write(text) {
      pipe.writes.push(text);
      if (!pipe.open) pipe.queued += text.length;
    },
    queued: () => pipe.queued,
    onDeaf: () => void pipe.deaf++,
  });
  const drain = () => {
    pipe.queued = 0;
    outbox.written();
  };
  return { pipe, outbox, drain };
}

describe('lines to a program', () => {
  it('of one turn are one write, and need no timer', async () => {
    const { pipe, outbox } = create();
    outbox.add(line(1));
    outbox.add(line(2));
    expect(pipe.writes).toEqual([]);
    await pass(0);
    expect([pipe.writes, outbox.take(), vi.getTimerCount()]).toEqual([[line(1) + line(2)], [], 0]);
  });

  it('wait here while it does not read, so that it is known what was not sent', async () => {
    const { pipe, outbox, drain } = create();
    pipe.open = false;
    outbox.add(line(1));
    await pass(0);
    outbox.add(line(2));
    outbox.add(line('answer', ''));
    outbox.add('{"jsonrpc":"2.0","method":"notifications/cancelled"}\n');
    outbox.add(line('3'));
    await pass(100);
    expect(pipe.writes).toEqual([line(1)]);
    drain();
    expect(pipe.writes).toHaveLength(2);
    outbox.add(line(4));
    outbox.add(line(5));
    expect(outbox.take()).toEqual([4, 5]);
    expect(outbox.take()).toEqual([]);
  });

  it('have no room beyond the limit, and again once it reads', async () => {
    const { pipe, outbox, drain } = create();
    pipe.open = false;
    outbox.add('x'.repeat(600));
    await pass(0);
    expect([outbox.add('y'.repeat(400)), outbox.add('z')]).toEqual([true, false]);
    drain();
    await pass(0);
    drain();
    expect(outbox.add('z')).toBe(true);
  });

  it('that nothing reads for 30 s are for the deaf', async () => {
    const { pipe, outbox, drain } = create();
    pipe.open = false;
    outbox.add(line(1));
    await pass(29_999);
    expect(pipe.deaf).toBe(0);
    drain();
    outbox.add(line(2));
    await pass(29_999);
    expect(pipe.deaf).toBe(0);
    await pass(1);
    expect(pipe.deaf).toBe(1);
  });

  it('that have no room are for the deaf after 3 s', async () => {
    const { pipe, outbox } = create();
    pipe.open = false;
    outbox.add('x'.repeat(1_000));
    await pass(1_000);
    expect(outbox.add('y')).toBe(false);
    await pass(1_999);
    expect([outbox.add('y'), pipe.deaf]).toEqual([false, 0]);
    await pass(1);
    expect(pipe.deaf).toBe(1);
  });

  it('are all handed over at the end', async () => {
    const { pipe, outbox } = create();
    pipe.open = false;
    outbox.add(line(1));
    await pass(0);
    outbox.add(line(2));
    outbox.flush();
    expect(pipe.writes).toEqual([line(1), line(2)]);
    outbox.take();
    expect(vi.getTimerCount()).toBe(0);
  });
});
