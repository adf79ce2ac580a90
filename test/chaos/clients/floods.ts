/** Too much of what is allowed: sessions, calls, cancels, subscriptions. */
import { STDIO_ASKER } from '../../clients/kit.ts';
import { connect, textOf } from '../../e2e/gateway.ts';
import { type Attack, call, eachAtOnce, INITIALIZE, request, type Stage, sessionHeaders, tally } from './attack.ts';
import { openRaw, type Response, wirePost } from './raw.ts';

const range = (count: number): readonly number[] => Array.from({ length: count }, (_, n) => n);
const statuses = (answers: readonly Response[]): string => tally(answers.map(({ status }) => status));
const sessionOf = ({ headers }: Response): string => String(headers['mcp-session-id']);
const idle = (stage: Stage, ms?: number) =>
  stage.expectSoon('answer', 'nothing is in flight', async () => (await stage.inFlight()) === 0, ms);

export const FLOODS: readonly Attack[] = [
  {
    name: 'session-flood',
    async run(stage) {
      const { check, post } = stage;
      const answers = await eachAtOnce(32, range(8_300), () => post(INITIALIZE));
      const [given, refused] = [answers.filter(({ status }) => status === 200), answers.filter(({ status }) => status === 429)];
      check('answer', given.length >= 8_150 && given.length <= 8_192, `${statuses(answers)} of 8,300`);
      check('answer', given.length + refused.length === 8_300, `other answers: ${statuses(answers)}`);
      check(
        'answer',
        refused.every(({ headers }) => Number(headers['retry-after']) > 0),
        'a refusal without Retry-After',
      );
      check('answer', new Set(given.map(sessionOf)).size === given.length, 'two sessions have one id');
      await stage.send({ method: 'DELETE', session: sessionOf(given[0] as Response) });
      check('answer', (await post(INITIALIZE)).status === 200, 'no room after a session was ended');
      check('answer', (await post(request(1, 'ping'), sessionOf(given[9] as Response))).status === 200, 'a session was put out');
    },
  },
  {
    name: 'session-leak',
    async run(stage) {
      for (let turn = 0; turn < 2; turn++) {
        const sessions = (await eachAtOnce(16, range(500), () => stage.post(INITIALIZE))).map(sessionOf);
        const streams = sessions
          .slice(0, 250)
          .map((session) =>
            openRaw(stage.port, `GET /mcp HTTP/1.1\r\nHost: localhost\r\naccept: text/event-stream\r\nmcp-session-id: ${session}\r\n\r\n`),
          );
        const opened = await Promise.all(streams.map((stream) => stream.answered(1, 5_000)));
        stage.check(
          'answer',
          opened.every(({ statuses: of }) => of.join() === '200'),
          `streams: ${tally(opened.flatMap(({ statuses: of }) => of))}`,
        );
        // Half of the streams are left by their clients, the other half by their sessions.
        for (const { socket } of streams.slice(0, 125)) socket.destroy();
        const ended = await eachAtOnce(16, sessions, (session) => stage.send({ method: 'DELETE', session }));
        stage.check(
          'answer',
          ended.every(({ status }) => status === 204),
          `ends: ${statuses(ended)}`,
        );
        const closed = await Promise.all(streams.slice(125).map((stream) => stream.answered(2, 3_000)));
        stage.check(
          'answer',
          closed.every(({ text }) => text.endsWith('0\r\n\r\n')),
          'the stream of a session that is over goes on',
        );
        for (const { socket } of streams) socket.destroy();
      }
    },
  },
  {
    name: 'initialize flood in a session',
    async run(stage) {
      const answers = await eachAtOnce(16, range(1_000), () => stage.post(INITIALIZE, stage.client.session));
      stage.check(
        'answer',
        answers.every(({ status }) => status === 400),
        statuses(answers),
      );
    },
  },
  {
    name: '64 in flight and more',
    async run(stage) {
      const answers = await eachAtOnce(100, range(100), (n) => stage.post(call(n, 'slow', { ms: 800 }), stage.client.session));
      const refused = answers.filter(({ status }) => status === 429);
      stage.check('answer', answers.filter(({ status }) => status === 200).length === 64 && refused.length === 36, statuses(answers));
      stage.check(
        'answer',
        refused.every(({ headers }) => Number(headers['retry-after']) > 0),
        'a refusal without Retry-After',
      );
      stage.check('answer', (await stage.post(request('after', 'ping'), stage.client.session)).status === 200, 'refused for ever');
    },
  },
  {
    name: 'a thousand calls, then gone',
    async run(stage) {
      const sessions = (await eachAtOnce(16, range(20), () => stage.post(INITIALIZE))).map(sessionOf);
      const sockets = sessions.flatMap((session) =>
        range(50).map((n) => openRaw(stage.port, wirePost(call(n, 'slow', { ms: 60_000 }), sessionHeaders(session)))),
      );
      await stage.expectSoon('answer', 'calls are in flight', async () => (await stage.inFlight()) >= 64);
      for (const { socket } of sockets) socket.destroy();
      const ended = await eachAtOnce(16, sessions, (session) => stage.send({ method: 'DELETE', session }));
      stage.check(
        'answer',
        ended.every(({ status }) => status === 204),
        `ends: ${statuses(ended)}`,
      );
      await idle(stage);
    },
  },
  {
    name: 'aborted in the middle',
    async run(stage) {
      for (let turn = 0; turn < 5; turn++) {
        const sockets = range(50).map((n) =>
          openRaw(stage.port, wirePost(call(n, 'slow', { ms: 200 }), sessionHeaders(stage.client.session))),
        );
        await stage.expectSoon('answer', 'calls are in flight', async () => (await stage.inFlight()) > 0);
        for (const [n, { socket }] of sockets.entries()) {
          if (n % 2 === 0) socket.destroy();
          else socket.resetAndDestroy();
        }
        await idle(stage);
      }
      // Half a body, half a header, half a chunk.
      const whole = wirePost(call(1, 'echo'), sessionHeaders(stage.client.session));
      for (const at of [10, whole.length - 90, whole.length - 5]) {
        const halves = range(30).map(() => openRaw(stage.port, whole.slice(0, at)));
        await new Promise((resolve) => setTimeout(resolve, 50));
        for (const { socket } of halves) socket.destroy();
      }
    },
  },
  {
    name: 'cancel storm',
    async run(stage) {
      const { session } = stage.client;
      const cancel = (requestId: unknown) => ({
        jsonrpc: '2.0',
        method: 'notifications/cancelled',
        params: { requestId, reason: 'storm' },
      });
      const strangers = await eachAtOnce(16, range(2_000), (n) => stage.post(cancel(n % 2 ? n : `x${n}`), session));
      stage.check(
        'answer',
        strangers.every(({ status }) => status === 202),
        statuses(strangers),
      );
      for (const params of [undefined, {}, { requestId: null }, { requestId: {} }, { requestId: [] }]) {
        const { status } = await stage.post({ jsonrpc: '2.0', method: 'notifications/cancelled', ...(params && { params }) }, session);
        stage.check('answer', status === 202, `a cancel of ${JSON.stringify(params)}: ${status}`);
      }
      for (let turn = 0; turn < 5; turn++) {
        const calls = range(40).map((n) => stage.post(call(`c${n}`, 'slow', { ms: 60_000 }), session));
        await stage.expectSoon('answer', 'calls are in flight', async () => (await stage.inFlight()) === 40);
        // The honest session cannot be reached by a cancel of another.
        const other = await connect(stage.running.url);
        await stage.post(cancel('c0'), other.session);
        stage.check('answer', (await stage.inFlight()) === 40, 'a client cancelled a call of another');
        await eachAtOnce(8, range(120), (n) => stage.post(cancel(`c${n % 40}`), session));
        await Promise.all(calls);
        await idle(stage);
        await other.close();
      }
    },
  },
  {
    name: 'the same ids from two clients',
    async run(stage) {
      const clients = [stage.client, await connect(stage.running.url), await connect(stage.running.url)];
      const wrong = await Promise.all(
        clients.map(async (client, who) => {
          const texts = await eachAtOnce(10, range(300), async (n) =>
            textOf(await client.request('tools/call', { name: 'odd__echo', arguments: { text: `${who}/${n}.` } }, { id: n % 50 })),
          );
          return texts.filter((text, n) => !text.includes(`"${who}/${n}."`)).length;
        }),
      );
      stage.check(
        'answer',
        wrong.every((count) => count === 0),
        `${wrong} answers of another client or request`,
      );
    },
  },
  {
    name: 'subscribe flood',
    backend: STDIO_ASKER,
    async run(stage) {
      const list = await stage.client.request('resources/list');
      const board = (list.message.result.resources as { name: string; uri: string }[]).find(({ name }) => name === 'board')?.uri;
      const answers = await eachAtOnce(16, range(1_500), (n) =>
        stage.post(request(n, 'resources/subscribe', { uri: `${board}/${n}` }), stage.client.session),
      );
      const refused = answers.filter(({ text }) => text.includes('"error"'));
      stage.check(
        'answer',
        answers.every(({ status }) => status === 200 || status === 429) && refused.length === 500,
        `${refused.length} refused, ${statuses(answers)}`,
      );
      const odd = await eachAtOnce(8, ['', 'x', 'x'.repeat(100_000), `${board}/${'x'.repeat(20_000)}`, 7, null], (uri) =>
        stage.post(request(1, 'resources/subscribe', { uri }), stage.client.session),
      );
      stage.check(
        'answer',
        odd.every(({ status, text }) => status < 500 && text.includes('"error"')),
        `odd URIs: ${statuses(odd)}`,
      );
    },
  },
  {
    name: 'ReDoS in URIs and names',
    async run(stage) {
      const evil = [
        `file:///${'1,'.repeat(5_000)}x`,
        `a${'%'.repeat(10_000)}`,
        `${'odd__'.repeat(2_000)}x`,
        `https://${'a.'.repeat(5_000)}!`,
        '{/id*}'.repeat(2_000),
        ' '.repeat(10_000),
      ];
      for (const text of evil) {
        for (const message of [
          request(1, 'resources/read', { uri: text }),
          request(1, 'tools/call', { name: text }),
          request(1, 'completion/complete', { ref: { type: 'ref/resource', uri: text }, argument: { name: 'x', value: text } }),
        ]) {
          const began = performance.now();
          const { status } = await stage.post(message, stage.client.session);
          const took = performance.now() - began;
          stage.check(
            'answer',
            status === 200 && took < 250,
            `${message.method} ${text.slice(0, 20)}…: ${status} after ${took.toFixed(0)} ms`,
          );
        }
      }
    },
  },
];
