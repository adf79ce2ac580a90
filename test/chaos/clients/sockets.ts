/** Clients that are slow, silent, deaf or too many. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { STDIO_ASKER } from '../../clients/kit.ts';
import { fixture } from '../../e2e/gateway.ts';
import { type Attack, call, INITIALIZE, request, sessionHeaders, tally } from './attack.ts';
import { JSON_POST, openRaw, type RawSocket, sendRaw, wire, wirePost } from './raw.ts';

const open = (count: number, port: number, text: string): readonly RawSocket[] => Array.from({ length: count }, () => openRaw(port, text));
const drop = (sockets: readonly RawSocket[]): void => {
  for (const { socket } of sockets) socket.destroy();
};
/** Sends a byte now and then until the socket is closed. */
const drip = (sockets: readonly RawSocket[], text: string): NodeJS.Timeout =>
  setInterval(() => {
    for (const { socket } of sockets) if (socket.writable) socket.write(text);
  }, 100);

/** Answers larger than what the kernel takes for a client that does not read; as an event stream, each is one event. */
const largeAnswers = (kind: string, accept: string): Attack => ({
  name: `unread-answers: large ${kind}`,
  backend: fixture('huge-message', { MB: '5' }),
  async run(stage) {
    const boom = wirePost(call(1, 'boom'), { ...sessionHeaders(stage.client.session), accept });
    const deaf: RawSocket[] = [];
    for (let n = 0; n < 100; n++) {
      const raw = openRaw(stage.port);
      raw.socket.pause();
      raw.socket.write(boom);
      deaf.push(raw);
      await new Promise((resolve) => setTimeout(resolve, 80));
    }
    await stage.expectSoon('answer', 'the log says that connections were closed', () =>
      stage.running.logs.some(({ event }) => event === 'http.unread_closed'),
    );
    const hears = openRaw(stage.port, boom);
    await stage.expectSoon('answer', 'a client that reads gets all of it', () => hears.answer().text.length > 5 * 1024 * 1024);
    drop([...deaf, hears]);
  },
});

export const SOCKETS: readonly Attack[] = [
  {
    name: 'idle-sockets',
    async run(stage) {
      const idle = open(900, stage.port, '');
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      stage.check(
        'answer',
        (await stage.post(request(1, 'ping'), stage.client.session)).status === 200,
        'a new connection is not served beside 900',
      );
      drop(idle);
    },
  },
  {
    name: 'more connections than allowed',
    gateway: { http: { maxConnections: 100 } },
    async run(stage) {
      const many = open(400, stage.port, '');
      await stage.expectSoon('answer', 'the excess is closed', () => many.filter((one) => one.answer().closed).length >= 300);
      drop(many);
      await stage.expectSoon(
        'answer',
        'new connections are served again',
        async () => (await stage.post(request(1, 'ping'), stage.client.session).catch(() => undefined))?.status === 200,
      );
    },
  },
  {
    name: 'slow headers',
    gateway: { http: { headersTimeout: '1s', requestTimeout: '3s' } },
    async run(stage) {
      const slow = [...open(100, stage.port, 'POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-Slow: '), ...open(100, stage.port, '')];
      const dripping = drip(slow.slice(0, 100), 'x');
      const answers = await Promise.all(slow.map((one) => one.closed(4_000)));
      clearInterval(dripping);
      stage.check(
        'answer',
        answers.every(({ closed }) => closed),
        `${answers.filter(({ closed }) => !closed).length} of 200 are open 4 s after a limit of 1 s`,
      );
      stage.check(
        'answer',
        answers.every(({ statuses }) => /^(408)?$/.test(statuses.join())),
        tally(answers.flatMap(({ statuses }) => statuses)),
      );
      drop(slow);
    },
  },
  {
    name: 'slow-bodies',
    gateway: { http: { headersTimeout: '1s', requestTimeout: '1s' } },
    async run(stage) {
      const head = wire('POST', { ...JSON_POST, ...sessionHeaders(stage.client.session), 'Content-Length': 100_000 });
      const slow = open(200, stage.port, `${head}{`);
      const dripping = drip(slow, ' ');
      const answers = await Promise.all(slow.map((one) => one.closed(4_000)));
      clearInterval(dripping);
      stage.check(
        'answer',
        answers.every(({ closed }) => closed),
        `${answers.filter(({ closed }) => !closed).length} of 200 are open 4 s after a limit of 1 s`,
      );
      stage.check(
        'answer',
        answers.every(({ statuses }) => /^(400|408)?$/.test(statuses.join())),
        tally(answers.flatMap(({ statuses }) => statuses)),
      );
      drop(slow);
    },
  },
  {
    name: 'an endless body',
    gateway: { http: { headersTimeout: '1s', requestTimeout: '2s' } },
    async run(stage) {
      const head = wire('POST', { ...JSON_POST, ...sessionHeaders(stage.client.session), 'Transfer-Encoding': 'chunked' });
      const env = { ...process.env, PORT: String(stage.port), COUNT: '5', HEAD: head, MS: '6000' };
      const { stdout } = await promisify(execFile)(process.execPath, [join(import.meta.dirname, 'pour.mjs')], { env });
      stage.check('answer', stdout === '5', `it is read for ever: ${stdout} of 5 were closed`);
    },
  },
  {
    name: 'unread-answers: an event stream',
    backend: { ...STDIO_ASKER, isolation: 'session' },
    async run(stage) {
      await stage.client.request('logging/setLevel', { level: 'debug' });
      const raw = openRaw(stage.port);
      raw.socket.pause();
      // 25 MiB of log messages before the answer; the kernel takes a few of them.
      const chatty = call('chatty', 'log', { levels: Array.from({ length: 400 }, () => 'error'), data: 'u'.repeat(64 * 1024) });
      raw.socket.write(wirePost(chatty, sessionHeaders(stage.client.session)));
      await new Promise((resolve) => setTimeout(resolve, 4_000));
      raw.socket.resume();
      const { text, closed } = await raw.closed(3_000);
      stage.check('answer', closed, 'the stream of a client that does not read stays open');
      stage.check(
        'answer',
        text.length < 16 * 1024 * 1024,
        `${(text.length / 1024 / 1024).toFixed(1)} MiB waited for a client that did not read`,
      );
    },
  },
  {
    name: 'unread-answers: JSON',
    async run(stage) {
      const text = 'u'.repeat(1024 * 1024);
      const deaf: RawSocket[] = [];
      for (let n = 0; n < 200; n++) {
        const raw = openRaw(stage.port);
        raw.socket.pause();
        raw.socket.write(wirePost(call(n, 'echo', { text }), { ...sessionHeaders(stage.client.session), accept: 'application/json' }));
        deaf.push(raw);
        await new Promise((resolve) => setTimeout(resolve, 40));
      }
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      drop(deaf);
    },
  },
  largeAnswers('JSON', 'application/json'),
  largeAnswers('event streams', 'text/event-stream'),
  {
    name: 'unread-answers: pipelined',
    async run(stage) {
      // One connection, thousands of lists that nobody reads.
      const raw = openRaw(stage.port);
      raw.socket.pause();
      const list = wirePost(request(1, 'tools/list'), sessionHeaders(stage.client.session));
      for (let n = 0; n < 50 && raw.socket.writable; n++) raw.socket.write(list.repeat(100));
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      raw.socket.destroy();
    },
  },
  {
    name: 'pipelining',
    async run(stage) {
      const texts = Array.from({ length: 50 }, (_, n) =>
        wirePost(call(n, 'echo', { text: `pipe-${n}.` }), { ...sessionHeaders(stage.client.session), accept: 'application/json' }),
      );
      const raw = openRaw(stage.port, texts.join(''));
      const { statuses, text } = await raw.answered(50, 5_000);
      stage.check('answer', tally(statuses) === '200×50', tally(statuses));
      const order = [...text.matchAll(/pipe-(\d+)\./g)].map(([, n]) => Number(n));
      stage.check('answer', order.join() === order.map((_, n) => n).join(), `not in order: ${order}`);
      raw.socket.destroy();
    },
  },
  {
    name: 'connections that are reset',
    async run(stage) {
      for (let turn = 0; turn < 20; turn++) {
        const sockets = open(
          50,
          stage.port,
          turn % 2 ? wirePost(INITIALIZE).slice(0, 40) : wirePost(request(1, 'ping'), sessionHeaders(stage.client.session)),
        );
        await Promise.all(
          sockets.map(({ socket }) => new Promise((resolve) => (socket.connecting ? socket.once('connect', resolve) : resolve(undefined)))),
        );
        for (const { socket } of sockets) socket.resetAndDestroy();
      }
    },
  },
  {
    name: 'streams that are opened again and again',
    async run(stage) {
      const listen = `GET /mcp HTTP/1.1\r\nHost: localhost\r\naccept: text/event-stream\r\nmcp-session-id: ${stage.client.session}\r\n\r\n`;
      const sse = 'GET /sse HTTP/1.1\r\nHost: localhost\r\naccept: text/event-stream\r\n\r\n';
      for (let turn = 0; turn < 5; turn++) {
        const sockets = [...open(60, stage.port, listen), ...open(60, stage.port, sse)];
        const answers = await Promise.all(sockets.map((one) => one.answered(1, 3_000)));
        stage.check(
          'answer',
          answers.every(({ statuses }) => statuses.join() === '200' || statuses.join() === '429'),
          tally(answers.flatMap(({ statuses }) => statuses)),
        );
        drop(sockets);
      }
      const after = await sendRaw(stage.port, wirePost(request(1, 'ping'), sessionHeaders(stage.client.session)));
      stage.check('answer', after.statuses.join() === '200', `afterwards: ${after.statuses}`);
    },
  },
];
