import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { nodeOutlet, type Outlet, type Sink, webOutlet } from '../../src/http/outlet.ts';
import { until } from './serverKit.ts';

/** The server's side and the client's side of one answer. */
async function connected() {
  let outlet: Outlet | undefined;
  const server = createServer((_, outgoing) => {
    outlet = nodeOutlet(outgoing);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const sent = request({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, agent: false });
  sent.on('error', () => {}).end();
  onTestFinished(() => {
    sent.destroy();
    server.close();
  });
  await until(() => outlet);
  return { outlet: outlet as Outlet, sent };
}

it('a stream that was taken to its end is complete', async () => {
  const { outlet, sent } = await connected();
  sent.on('response', (answer) => answer.resume());
  const sink = outlet.stream({});
  const closes: boolean[] = [];
  sink.onClose = (complete) => closes.push(complete);
  sink.write('x'.repeat(10_000_000));
  sink.end();
  await until(() => closes.length === 1);
  expect(closes).toEqual([true]);
});

it.each([
  ['whose client goes', ({ sent }: Awaited<ReturnType<typeof connected>>) => void sent.destroy()],
  ['that is dropped', (_: unknown, sink: Sink) => sink.drop()],
])('one %s before everything was taken is not', async (_, breakOff) => {
  const both = await connected();
  const { outlet, sent } = both;
  // Without a listener Node would read it all away.
  sent.on('response', () => {});
  const sink = outlet.stream({});
  const closes: boolean[] = [];
  sink.onClose = (complete) => closes.push(complete);
  sink.write('x'.repeat(50_000_000));
  sink.end();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(closes).toEqual([]);
  breakOff(both, sink);
  await until(() => closes.length === 1);
  expect([closes, outlet.isGone()]).toEqual([[false], true]);
});

it('one that is opened for a client that has gone says so at once', async () => {
  const { outlet, sent } = await connected();
  sent.destroy();
  await until(outlet.isGone);
  const closes: boolean[] = [];
  outlet.stream({}).onClose = (complete) => closes.push(complete);
  await until(() => closes.length === 1);
  expect(closes).toEqual([false]);
});

it('a Response says what is queued, when it was taken, and whether its reader stayed', async () => {
  const closes: boolean[] = [];
  const drains: number[] = [];
  const streamed = () => {
    let response: Response | undefined;
    const sink = webOutlet((answer) => {
      response = answer;
    }).stream({});
    sink.onClose = (complete) => closes.push(complete);
    return { sink, reader: (response as Response).body?.getReader() };
  };
  const first = streamed();
  first.sink.write('abc');
  expect(first.sink.queued).toBe(3);
  first.sink.onDrain = () => drains.push(first.sink.queued);
  expect(new TextDecoder().decode((await first.reader?.read())?.value)).toBe('abc');
  await until(() => drains.length > 0);
  expect(drains).toEqual([0]);
  first.sink.end();
  first.sink.write('too late');
  expect((await first.reader?.read())?.done).toBe(true);
  await streamed().reader?.cancel();
  expect(closes).toEqual([true, false]);
});

it.each([0, 100_000])('a text of many characters that are no byte each is given whole (%i)', async (more) => {
  const body = JSON.stringify({ text: `語${'ü'.repeat(more)}` });
  const { outlet, sent } = await connected();
  const got = new Promise<{ length: string | undefined; text: string }>((resolve) => {
    sent.on('response', async (answer) => {
      const chunks: Buffer[] = [];
      for await (const chunk of answer) chunks.push(chunk as Buffer);
      resolve({ length: answer.headers['content-length'], text: Buffer.concat(chunks).toString() });
    });
  });
  outlet.whole(200, { 'content-type': 'application/json' }, body);
  expect(await got).toEqual({ length: String(Buffer.byteLength(body)), text: body });
});
