import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { createUnread, type Unread, type UnreadOptions, watchedResponse } from '../../src/http/unread.ts';
import { until } from './serverKit.ts';

const MIB = 1024 * 1024;
/** More than the kernel takes for a client that does not read. */
const LARGE = 'x'.repeat(12 * MIB);

type Options = Partial<Omit<UnreadOptions, 'onClosed'>>;

/** A server that answers by `listener`, with clients whose reading is played by the test. */
async function serve(listener: RequestListener, { maxBytes = 100 * MIB, timeout = 60_000, garbage }: Options = {}) {
  const closed: number[] = [];
  const unread = createUnread({ maxBytes, timeout, onClosed: (connections) => closed.push(connections), ...(garbage && { garbage }) });
  const noted: string[] = [];
  const watched: Unread = {
    ...unread,
    note(outgoing, chunk) {
      noted.push(outgoing.req.url as string);
      unread.note(outgoing, chunk);
    },
  };
  const server = createServer({ ServerResponse: watchedResponse(watched) }, listener);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  onTestFinished(() => {
    unread.close();
    server.closeAllConnections();
    server.close();
  });
  const client = (...paths: string[]) => {
    let bytes = 0;
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket
      .on('error', () => {})
      .on('data', (chunk) => {
        bytes += chunk.length;
      });
    socket.pause();
    socket.write(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: t\r\n\r\n`).join(''));
    onTestFinished(() => void socket.destroy());
    return {
      socket,
      get bytes() {
        return bytes;
      },
    };
  };
  return { unread, closed, noted, client };
}

const whole: RequestListener = (_, outgoing) => void outgoing.writeHead(200, { 'content-length': LARGE.length }).end(LARGE);

it('an answer that is taken at once is not noted, nor is a small event', async () => {
  const { unread, noted, client } = await serve(({ url }, outgoing) => {
    if (url === '/whole') return void outgoing.end('x'.repeat(10_000));
    outgoing.write('event');
  });
  const clients = [client('/whole'), client('/event')];
  for (const { socket } of clients) socket.resume();
  await until(() => (clients[0]?.bytes ?? 0) > 10_000 && (clients[1]?.bytes ?? 0) > 5);
  expect([noted, unread.bytes]).toEqual([[], 0]);
});

it('who has owed longest is closed when all owe too much; who reads then still gets everything', async () => {
  const { unread, closed, client } = await serve(whole, { maxBytes: 30 * MIB });
  const clients: ReturnType<typeof client>[] = [];
  for (let n = 1; n <= 4; n++) {
    clients.push(client('/'));
    await until(() => unread.bytes >= Math.min(n, 2) * LARGE.length);
  }
  await until(() => closed.length > 0);
  expect(unread.bytes).toBeLessThanOrEqual(30 * MIB);
  const last = clients.at(-1);
  last?.socket.resume();
  await until(() => (last?.bytes ?? 0) > LARGE.length);
  clients[0]?.socket.resume();
  await until(() => clients[0]?.socket.destroyed);
  expect(clients[0]?.bytes).toBeLessThan(LARGE.length);
  // The first was said at once, the others wait for their minute.
  expect(closed).toEqual([1]);
  unread.close();
  await until(() => closed.length === 2);
  expect(closed).toEqual([1, 1]);
});

it('whoever reads slowly is spared rather than those that take nothing', async () => {
  const { unread, closed, client } = await serve(whole, { maxBytes: 30 * MIB });
  const slow = client('/');
  slow.socket.on('data', () => {
    slow.socket.pause();
    setTimeout(() => slow.socket.resume(), 15);
  });
  slow.socket.resume();
  await until(() => unread.bytes >= LARGE.length);
  const deaf = [client('/')];
  await until(() => unread.bytes >= 2 * LARGE.length);
  for (let n = 0; n < 3; n++) {
    const before = slow.bytes;
    // More than waits in the kernel, so that it was seen to take something.
    await until(() => slow.bytes > before + 3 * MIB || slow.bytes > LARGE.length, 20_000);
    deaf.push(client('/'));
    await until(() => unread.bytes >= 2 * LARGE.length);
  }
  await until(() => slow.bytes > LARGE.length, 20_000);
  expect(closed.length).toBeGreaterThan(0);
});

it('what is given up is told as garbage', async () => {
  const given: number[] = [];
  const { unread, client } = await serve(whole, { maxBytes: 20 * MIB, garbage: { add: (bytes) => void given.push(bytes) } });
  client('/');
  await until(() => unread.bytes >= LARGE.length);
  client('/');
  await until(() => given.length === 1);
  expect(given[0]).toBeGreaterThanOrEqual(LARGE.length);
});

it('a text counts as its bytes, and the newest answer is spared however large it is', async () => {
  const text = '語'.repeat(LARGE.length);
  const { unread, closed, client } = await serve((_, outgoing) => void outgoing.end(text), { maxBytes: MIB });
  client('/');
  await until(() => unread.bytes > 0);
  expect(unread.bytes).toBeGreaterThanOrEqual(3 * LARGE.length);
  expect(closed).toEqual([]);
});

it('one that takes nothing for too long is closed, and one that reads slowly is not', async () => {
  const { unread, closed, client } = await serve(whole, { timeout: 1_000 });
  const [deaf, slow] = [client('/'), client('/')];
  // In sips that last longer than the timeout.
  slow.socket.on('data', () => {
    slow.socket.pause();
    setTimeout(() => slow.socket.resume(), 15);
  });
  slow.socket.resume();
  await until(() => unread.bytes >= 2 * LARGE.length);
  await until(() => closed.length > 0, 10_000);
  await until(() => slow.bytes > LARGE.length, 20_000);
  deaf.socket.resume();
  await until(() => deaf.socket.destroyed);
  expect([closed, deaf.bytes < LARGE.length]).toEqual([[1], true]);
  await until(() => unread.bytes === 0);
});

it('an answer that waits for those before it on its connection has its time afterwards', async () => {
  let finish = () => {};
  const { unread, closed, client } = await serve(
    ({ url }, outgoing) => {
      if (url === '/late') finish = () => outgoing.end('late');
      else outgoing.end(LARGE);
    },
    { timeout: 200 },
  );
  const patient = client('/late', '/');
  patient.socket.resume();
  await until(() => unread.bytes > 0);
  // Nothing may happen here, so there is nothing to wait for.
  await new Promise((resolve) => setTimeout(resolve, 600));
  expect(closed).toEqual([]);
  finish();
  await until(() => patient.bytes > LARGE.length);
  await until(() => unread.bytes === 0);
});

it('nothing is owed on a connection that broke, not even what waited for its turn', async () => {
  const { unread, closed, client } = await serve(({ url }, outgoing) => void (url === '/never' || outgoing.end(LARGE)), { timeout: 200 });
  const [waiting, reading] = [client('/never', '/'), client('/')];
  await until(() => unread.bytes >= 2 * LARGE.length);
  waiting.socket.destroy();
  reading.socket.destroy();
  await until(() => unread.bytes === 0);
  expect(closed).toEqual([]);
});

it('an event stream owes until it has drained', async () => {
  const { unread, client } = await serve((_, outgoing) => void outgoing.write(LARGE));
  const listening = client('/');
  await until(() => unread.bytes >= LARGE.length);
  listening.socket.resume();
  await until(() => unread.bytes === 0);
  expect(listening.socket.destroyed).toBe(false);
});
