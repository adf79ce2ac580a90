import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createStreams } from '../../src/http/streams.ts';
import { fakeOutlet } from './outletKit.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('a message is one event', () => {
  const { outlet, written } = fakeOutlet();
  createStreams({ keepAlive: 1000, queueBytes: 1000 }).open(outlet).send('{"a":1}');
  expect(written).toEqual(['event: message\ndata: {"a":1}\n\n']);
});

it('a client that does not read is dropped at the limit, told nothing more, and forgotten', () => {
  const { outlet, sink, written } = fakeOutlet();
  const streams = createStreams({ keepAlive: 1000, queueBytes: 100 });
  const onEnd = vi.fn();
  const stream = streams.open(outlet, { onEnd });
  for (let n = 0; n < 10; n++) stream.send('x'.repeat(30));
  expect(written).toHaveLength(2);
  expect([sink.dropped, sink.ended, streams.size]).toEqual([1, 0, 0]);
  expect(onEnd).toHaveBeenCalledTimes(1);
});

it('a single event may be larger than the limit; a client that does not read it is dropped with the next', () => {
  const { outlet, sink, written } = fakeOutlet();
  const stream = createStreams({ keepAlive: 1000, queueBytes: 100 }).open(outlet);
  stream.send('x'.repeat(1_000));
  expect([written.length, sink.dropped]).toEqual([1, 0]);
  stream.send('y');
  expect([written.length, sink.dropped]).toEqual([1, 1]);
});

it('a client that reads may get any amount', () => {
  const { outlet, sink, written } = fakeOutlet();
  const stream = createStreams({ keepAlive: 1000, queueBytes: 100 }).open(outlet);
  for (let n = 0; n < 100; n++) {
    stream.send('x'.repeat(50));
    sink.queued = 0;
  }
  expect([written.length, sink.dropped]).toEqual([100, 0]);
});

it('quiet streams get comments, from one timer that ends with the last of them', () => {
  const [first, second] = [fakeOutlet(), fakeOutlet()];
  const streams = createStreams({ keepAlive: 15_000, queueBytes: 1000 });
  const stream = streams.open(first.outlet);
  streams.open(second.outlet);
  expect(vi.getTimerCount()).toBe(1);
  for (let n = 0; n < 4; n++) {
    vi.advanceTimersByTime(15_000);
    first.sink.queued = second.sink.queued = 0;
  }
  expect([first.written, second.written].map((list) => list.filter((text) => text === ': keep-alive\n\n').length)).toEqual([4, 4]);
  stream.end();
  expect(first.sink.ended).toBe(1);
  second.sink.onClose?.(false);
  expect([streams.size, vi.getTimerCount()]).toEqual([0, 0]);
});

it('a client that has something to read gets no comment on top', () => {
  const { outlet, sink, written } = fakeOutlet();
  createStreams({ keepAlive: 1000, queueBytes: 1000 }).open(outlet).send('a');
  vi.advanceTimersByTime(5_000);
  expect(written).toHaveLength(1);
  sink.queued = 0;
  vi.advanceTimersByTime(1_000);
  expect(written.at(-1)).toBe(': keep-alive\n\n');
});

it('all end together', () => {
  const outlets = [fakeOutlet(), fakeOutlet(), fakeOutlet()];
  const streams = createStreams({ keepAlive: 1000, queueBytes: 1000 });
  for (const { outlet } of outlets) streams.open(outlet);
  streams.endAll();
  expect(outlets.map(({ sink }) => sink.ended)).toEqual([1, 1, 1]);
  expect(streams.size).toBe(0);
});

it.each([undefined, 'log_7'])('a large message is the same event, in bytes that are held once (id %s)', (id) => {
  const { outlet, sink, written } = fakeOutlet();
  const write = vi.spyOn(sink, 'write');
  const bytes = Buffer.from('語'.repeat(100_000));
  const stream = createStreams({ keepAlive: 1000, queueBytes: 1_000_000 }).open(outlet);
  stream.send(bytes, id);
  const event = written.join('');
  expect(event).toBe(`${id ? `id: ${id}\n` : ''}event: message\ndata: ${'語'.repeat(100_000)}\n\n`);
  expect(write.mock.calls.some(([payload]) => payload === bytes)).toBe(true);
  written.length = 0;
  stream.send('語'.repeat(100_000), id);
  expect(written.join('')).toBe(event);
});
