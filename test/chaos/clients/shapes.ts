/** One request each that is not what it should be: refused with the right status, and never with 500. */
import { gzipSync } from 'node:zlib';
import type { Json } from '../../../src/world.ts';
import { connect, textOf } from '../../e2e/gateway.ts';
import { type Attack, call, INITIALIZE, request, type Stage, sessionHeaders } from './attack.ts';
import { JSON_POST, type Response, sendRaw, wire, wirePost } from './raw.ts';

/** Complains unless the status is one of those. */
const status = ({ check }: Stage, what: string, answer: Response, ...expected: readonly number[]) =>
  check(
    'answer',
    expected.includes(answer.status),
    `${what}: ${answer.status} instead of ${expected.join(' or ')}: ${answer.text.slice(0, 120)}`,
  );

const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
const deepCall = (depth: number) =>
  `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"odd__echo","arguments":{"text":${nested(depth)}}}}`;
const errorCode = ({ text }: Response): number | undefined => (JSON.parse(text) as { error?: { code: number } }).error?.code;

export const SHAPES: readonly Attack[] = [
  {
    name: 'huge-body',
    async run(stage) {
      const said = await sendRaw(stage.port, wirePost('x'.repeat(5 * 1024 * 1024), sessionHeaders(stage.client.session)));
      stage.check('answer', said.statuses.join() === '413', `said to be 5 MiB: ${said.statuses}`);
      const over = await sendRaw(
        stage.port,
        wirePost(call(1, 'echo', { text: 'x'.repeat(4 * 1024 * 1024) }), sessionHeaders(stage.client.session)),
      );
      stage.check('answer', over.statuses.join() === '413', `just over 4 MiB: ${over.statuses}`);
      status(
        stage,
        'just below 4 MiB',
        await stage.post(call(1, 'echo', { text: 'x'.repeat(4 * 1024 * 1024 - 300) }), stage.client.session),
        200,
      );
      const head = wire('POST', { ...JSON_POST, ...sessionHeaders(stage.client.session), 'Transfer-Encoding': 'chunked' });
      const chunk = `10000\r\n${'y'.repeat(0x10000)}\r\n`;
      const answers = await Promise.all(Array.from({ length: 8 }, () => sendRaw(stage.port, head + chunk.repeat(80))));
      for (const { statuses } of answers) stage.check('answer', statuses.join() === '413', `5 MiB in chunks: ${statuses}`);
    },
  },
  {
    name: 'deep-arguments',
    async run(stage) {
      for (const depth of [300, 1_000, 100_000, 1_000_000])
        status(stage, `depth ${depth}`, await stage.post(deepCall(depth), stage.client.session), 400);
      status(stage, 'depth 200', await stage.post(deepCall(200), stage.client.session), 200);
      const objects = `{"jsonrpc":"2.0","id":1,"method":"ping","params":${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}}`;
      status(stage, '50,000 objects', await stage.post(objects, stage.client.session), 400);
      status(stage, 'open brackets only', await stage.post('['.repeat(100_000), stage.client.session), 400);
    },
  },
  {
    name: 'foreign-host',
    async run(stage) {
      const hosts = [
        'evil.example',
        '127.0.0.1.nip.io',
        'localhost.evil.example',
        'localhost@evil.example',
        '127.0.0.1:80:80',
        '0x7f.1',
        '[::1',
        '127.1',
      ];
      for (const host of hosts) {
        for (const [method, path] of [
          ['POST', '/mcp'],
          ['GET', '/mcp'],
          ['DELETE', '/mcp'],
          ['GET', '/sse'],
          ['POST', '/messages'],
          ['GET', '/inspect'],
        ]) {
          const answer = await stage.send({
            method: method as string,
            path: path as string,
            headers: { ...JSON_POST, host },
            ...(method === 'POST' && { body: JSON.stringify(INITIALIZE) }),
          });
          // A malformed one may be refused earlier.
          status(stage, `Host "${host}" ${method} ${path}`, answer, 403, ...(/[@[:]/.test(host) ? [400] : []));
          stage.check('answer', answer.headers['mcp-session-id'] === undefined, `Host "${host}" was given a session`);
        }
      }
      for (const host of ['localhost', 'LOCALHOST:3050', '[::1]:1', '127.0.0.1']) {
        status(stage, `Host "${host}"`, await stage.send({ headers: { ...JSON_POST, host }, body: JSON.stringify(INITIALIZE) }), 200);
      }
      const odd = await stage.send({ headers: { ...JSON_POST, host: 'LOCALHOST.:3050' }, body: JSON.stringify(INITIALIZE) });
      status(stage, 'Host "LOCALHOST.:3050"', odd, 200, 403);
      const two = await sendRaw(
        stage.port,
        `POST /mcp HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}`,
      );
      stage.check('answer', two.statuses.join() === '400', `two Host headers: ${two.statuses}`);
      for (const path of ['/health/../mcp', '//mcp', '/mcp?x=/health']) {
        const around = await sendRaw(stage.port, `GET ${path} HTTP/1.1\r\nHost: evil.example\r\naccept: text/event-stream\r\n\r\n`);
        stage.check('answer', /^(403|404)$/.test(around.statuses.join()), `around the guard by ${path}: ${around.statuses}`);
      }
      const empty = await sendRaw(
        stage.port,
        `POST /mcp HTTP/1.1\r\nHost:\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}`,
      );
      stage.check('answer', /^(400|403)$/.test(empty.statuses.join()), `an empty Host header: ${empty.statuses}`);
      const none = await sendRaw(stage.port, `POST /mcp HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}`);
      stage.check('answer', none.statuses.join() === '400', `no Host header: ${none.statuses}`);
      const absolute = await sendRaw(stage.port, wire('POST', { ...JSON_POST, 'Content-Length': 2 }, '{}', 'http://evil.example/mcp'));
      stage.check('answer', [400, 403, 404].includes(absolute.statuses[0] ?? 0), `an absolute foreign URL: ${absolute.statuses}`);
    },
  },
  {
    name: 'foreign-origin',
    async run(stage) {
      const origins = [
        'http://evil.example',
        'https://localhost.evil.example',
        'http://127.0.0.1.nip.io',
        'http://localhost:99999999',
        'file://',
        'null',
        'NULL',
        'http://[::1].evil',
        'http://localhost@evil',
        '',
      ];
      for (const origin of origins) {
        for (const [method, path] of [
          ['POST', '/mcp'],
          ['GET', '/mcp'],
          ['DELETE', '/mcp'],
          ['OPTIONS', '/mcp'],
          ['GET', '/sse'],
          ['POST', '/messages'],
        ]) {
          const headers = { ...JSON_POST, origin, ...sessionHeaders(stage.client.session) };
          status(
            stage,
            `Origin "${origin}" ${method} ${path}`,
            await stage.send({
              method: method as string,
              path: path as string,
              headers,
              ...(method === 'POST' && { body: JSON.stringify(request(1, 'ping')) }),
            }),
            403,
          );
        }
      }
      status(stage, 'the session is still there', await stage.post(request(1, 'ping'), stage.client.session), 200);
      for (const origin of ['http://localhost:1234', 'https://127.0.0.1', 'http://[::1]:80']) {
        const answer = await stage.post(request(1, 'ping'), stage.client.session, { origin });
        status(stage, `Origin "${origin}"`, answer, 200);
        stage.check('answer', answer.headers['access-control-allow-origin'] === undefined, 'a page may read the answer');
      }
    },
  },
  {
    name: 'request-smuggling',
    async run(stage) {
      const ping = JSON.stringify(request('smuggled', 'ping'));
      const inner = wirePost(ping, sessionHeaders(stage.client.session));
      const with_ = (lines: string, body: string) =>
        `POST /mcp HTTP/1.1\r\nHost: localhost\r\ncontent-type: application/json\r\n${lines}\r\n${body}`;
      const tricks: Record<string, string> = {
        'two Content-Length': with_(`Content-Length: 2\r\nContent-Length: ${2 + inner.length}\r\n`, `{}${inner}`),
        'Content-Length list': with_(`Content-Length: 2, 50\r\n`, `{}${inner}`),
        'Content-Length and chunked': with_(`Content-Length: ${5 + inner.length}\r\nTransfer-Encoding: chunked\r\n`, `0\r\n\r\n${inner}`),
        'chunked and Content-Length': with_(`Transfer-Encoding: chunked\r\nContent-Length: 2\r\n`, `0\r\n\r\n${inner}`),
        'chunked that is not last': with_(`Transfer-Encoding: chunked, identity\r\n`, `0\r\n\r\n${inner}`),
        'an unknown coding': with_(`Transfer-Encoding: xchunked\r\n`, `0\r\n\r\n${inner}`),
        'a blank before the colon': with_(`Content-Length : 2\r\n`, `{}${inner}`),
        'a signed length': with_(`Content-Length: +2\r\n`, `{}${inner}`),
        'a hexadecimal length': with_(`Content-Length: 0x2\r\n`, `{}${inner}`),
        'a folded header': with_(`X-Folded: a\r\n Content-Length: 2\r\n`, `{}${inner}`),
        'a chunk size with blanks': with_(`Transfer-Encoding: chunked\r\n`, ` 2\r\n{}\r\n0\r\n\r\n${inner}`),
        'bare line feeds': `POST /mcp HTTP/1.1\nHost: localhost\nContent-Length: 2\n\n{}${inner}`,
        'a NUL in a header': with_(`X-Nul: a\0b\r\nContent-Length: 2\r\n`, `{}${inner}`),
        'a CR in a header': with_(`X-Cr: a\rb\r\nContent-Length: 2\r\n`, `{}${inner}`),
      };
      for (const [what, text] of Object.entries(tricks)) {
        const { statuses, text: got, closed } = await sendRaw(stage.port, text);
        stage.check('answer', statuses.join() === '400', `${what}: ${statuses.join() || 'no answer'}`);
        stage.check('answer', !got.includes('smuggled'), `${what}: the second request was answered`);
        stage.check('answer', closed, `${what}: the connection stays open`);
      }
    },
  },
  {
    name: 'odd-methods',
    async run(stage) {
      for (const method of ['PUT', 'PATCH', 'OPTIONS', 'HEAD', 'TRACE', 'PROPFIND', 'LINK', 'M-SEARCH', 'PURGE']) {
        const answer = await stage.send({ method, headers: sessionHeaders(stage.client.session) });
        status(stage, method, answer, 405);
        stage.check('answer', answer.headers.allow === 'GET, POST, DELETE', `${method}: Allow is ${answer.headers.allow}`);
      }
      const connecting = await sendRaw(stage.port, 'CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n');
      stage.check('answer', connecting.closed && !connecting.statuses.includes(200), `CONNECT: ${connecting.statuses}`);
      for (const line of [
        'FOO /mcp HTTP/1.1',
        'GET /mcp HTTP/9.9',
        'get /mcp HTTP/1.1',
        '\u0016\u0003\u0001\u0002\u0000',
        'PRI * HTTP/2.0',
      ]) {
        const { statuses, closed } = await sendRaw(stage.port, `${line}\r\nHost: localhost\r\n\r\n`);
        stage.check('answer', closed && /^(400|505)?$/.test(statuses.join()), `"${line}": ${statuses}`);
      }
      const upgrade = await sendRaw(
        stage.port,
        wire('GET', { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Key': 'x', 'Sec-WebSocket-Version': 13 }),
      );
      stage.check('answer', !upgrade.statuses.includes(101) && !upgrade.statuses.includes(500), `an upgrade: ${upgrade.statuses}`);
      for (const path of ['/', '/..%2f..%2fetc/passwd', '/mcp/', '//mcp', '/mcp%00', '/admin', `/${'a'.repeat(8_000)}`]) {
        const { status: got } = await stage.send({ method: 'GET', path });
        stage.check('answer', got >= 400 && got < 500, `GET ${path.slice(0, 40)}: ${got}`);
      }
    },
  },
  {
    name: 'content types, gzip, accept',
    async run(stage) {
      const { session } = stage.client;
      const ping = JSON.stringify(request(1, 'ping'));
      for (const type of [
        'text/plain',
        'application/x-www-form-urlencoded',
        'multipart/form-data; boundary=x',
        'application/jsonx',
        'application/json-patch+json',
        'text/json',
        '',
        'text/plain; application/json',
      ]) {
        status(stage, `type "${type}"`, await stage.post(ping, session, { 'content-type': type }), 415);
      }
      status(stage, 'no type', await stage.send({ session, headers: { accept: JSON_POST.accept }, body: ping }), 415);
      for (const type of ['application/json; charset=utf-8', 'Application/JSON', 'application/json;charset="utf-8"'])
        status(stage, `type ${type}`, await stage.post(ping, session, { 'content-type': type }), 200);
      for (const coding of ['gzip', 'br', 'identity, gzip']) {
        status(stage, `coding ${coding}`, await stage.post(gzipSync(ping), session, { 'content-encoding': coding }), 415);
      }
      const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
      status(stage, 'a gzip bomb', await stage.post(bomb, session, { 'content-encoding': 'gzip' }), 415);
      status(stage, 'accept text/html', await stage.post(ping, session, { accept: 'text/html' }), 406);
    },
  },
  {
    name: 'wrong JSON and wrong messages',
    async run(stage) {
      const { session } = stage.client;
      const bad: Record<string, string | Buffer> = {
        nothing: '',
        blank: ' ',
        'not JSON': '{',
        'two values': '{}{}',
        'a number': '1',
        'a text': '"ping"',
        'nothing at all': 'null',
        'an empty object': '{}',
        'an empty array': '[]',
        NaN: '{"jsonrpc":"2.0","id":NaN,"method":"ping"}',
        'jsonrpc 1.0': '{"jsonrpc":"1.0","id":1,"method":"ping"}',
        'no jsonrpc': '{"id":1,"method":"ping"}',
        'an id of an object': '{"jsonrpc":"2.0","id":{},"method":"ping"}',
        'an id of null': '{"jsonrpc":"2.0","id":null,"method":"ping"}',
        'an id of 1.5': '{"jsonrpc":"2.0","id":1.5,"method":"ping"}',
        'a method of 7': '{"jsonrpc":"2.0","id":1,"method":7}',
        'params of a list': '{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}',
        'params of null': '{"jsonrpc":"2.0","id":1,"method":"ping","params":null}',
        'a raw NUL': '{"jsonrpc":"2.0","id":1,"method":"pi\0ng"}',
        'a raw line feed': '{"jsonrpc":"2.0","id":"a\nb","method":"ping"}',
        'a byte order mark and nothing': Buffer.from([0xef, 0xbb, 0xbf]),
        'UTF-16': Buffer.from('{"jsonrpc":"2.0","id":1,"method":"ping"}', 'utf16le'),
        'only 0xff': Buffer.alloc(1_000, 0xff),
      };
      for (const [what, body] of Object.entries(bad)) status(stage, what, await stage.post(body, session), 400);
      status(stage, 'an unknown method', await stage.post(request(1, 'no/such'), session), 200);
      for (const params of [
        undefined,
        {},
        { name: 7 },
        { name: null },
        { name: 'odd__echo', arguments: 7 },
        { name: 'odd__echo', arguments: [] },
      ] as (Json | undefined)[]) {
        const answer = await stage.post(request(1, 'tools/call', params), session);
        status(stage, `tools/call ${JSON.stringify(params)}`, answer, 200);
      }
      for (const cursor of ['', 'x', 'x'.repeat(100_000), '../../x', 7, null, {}]) {
        status(
          stage,
          `cursor ${String(cursor).slice(0, 20)}`,
          await stage.post(request(1, 'tools/list', { cursor } as Json), session),
          200,
          400,
        );
      }
      const broken = Buffer.concat([
        Buffer.from('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"odd__echo","arguments":{"text":"'),
        Buffer.from([0xc3, 0x28, 0xff, 0xed, 0xa0, 0x80]),
        Buffer.from('"}}}'),
      ]);
      status(stage, 'UTF-8 that is none', await stage.post(broken, session), 200, 400);
      const lone = await stage.post(
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"odd__echo","arguments":{"text":"\\ud800\\u0000"}}}',
        session,
      );
      status(stage, 'half a character and an escaped NUL', lone, 200);
      for (const message of [
        { jsonrpc: '2.0', id: 'none', result: {} },
        { jsonrpc: '2.0', id: 5, error: 7 },
        { jsonrpc: '2.0', id: 'x', result: {}, error: {} },
      ]) {
        status(stage, `an answer nobody asked for: ${JSON.stringify(message)}`, await stage.post(message, session), 202, 400);
      }
    },
  },
  {
    name: 'batch abuse',
    async run(stage) {
      const old = await connect(stage.running.url, '2025-03-26');
      const headers = { 'mcp-protocol-version': '2025-03-26' };
      const ping = request(1, 'ping');
      status(stage, 'a batch in a new session', await stage.post([ping], stage.client.session), 400);
      status(
        stage,
        '10,000 pings',
        await stage.post(
          Array.from({ length: 10_000 }, () => ping),
          old.session,
          headers,
        ),
        400,
      );
      status(stage, 'an empty batch', await stage.post([], old.session, headers), 400);
      status(stage, 'a batch of batches', await stage.post([[[ping]]], old.session, headers), 200, 400);
      status(stage, 'initialize in a batch', await stage.post([INITIALIZE, ping], old.session, headers), 200, 400);
      status(stage, 'rubbish in a batch', await stage.post([1, null, {}, 'x', []], old.session, headers), 200, 400);
      status(stage, 'a batch without a session', await stage.post([INITIALIZE]), 400);
      const mixed = await stage.post([call('a', 'echo', { text: 'first' }), call('a', 'echo', { text: 'second' })], old.session, headers);
      status(stage, 'one id twice', mixed, 200, 400);
    },
  },
  {
    name: 'proto-pollution',
    async run(stage) {
      const { session } = stage.client;
      for (const name of [
        '__proto__',
        'constructor',
        'toString',
        'hasOwnProperty',
        'prototype',
        'odd____proto__',
        'odd__constructor',
        '__proto____echo',
        'odd__',
        '__',
        '',
        '../echo',
        'odd__echo\u0000',
      ]) {
        const answer = await stage.post(request(1, 'tools/call', { name, arguments: {} }), session);
        stage.check(
          'answer',
          answer.status === 200 && errorCode(answer) === -32602,
          `tool "${name}": ${answer.status} ${answer.text.slice(0, 100)}`,
        );
        const prompt = await stage.post(request(1, 'prompts/get', { name }), session);
        stage.check('answer', prompt.status === 200 && errorCode(prompt) === -32602, `prompt "${name}": ${prompt.text.slice(0, 100)}`);
      }
      for (const method of ['__proto__', 'constructor', 'toString']) {
        const answer = await stage.post(request(1, method), session);
        stage.check('answer', errorCode(answer) === -32601, `method "${method}": ${answer.text.slice(0, 100)}`);
      }
      const poison = '{"__proto__":{"polluted":"yes"},"constructor":{"prototype":{"polluted":"yes"}},"text":"own"}';
      const echoed = await stage.post(
        `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"odd__echo","arguments":${poison},"_meta":${poison}}}`,
        session,
      );
      stage.check('answer', echoed.text.includes('__proto__'), `the arguments did not reach the server as they were: ${echoed.text}`);
      status(
        stage,
        'poison everywhere',
        await stage.post(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":${poison},"__proto__":{"polluted":"yes"}}`),
        200,
      );
      // A polluted prototype would show in every object that is written as JSON.
      const clean = await Promise.all([stage.post(request(1, 'tools/list'), session), stage.send({ method: 'GET', path: '/health' })]);
      for (const { text } of clean) stage.check('answer', !text.includes('polluted'), 'the prototype of all objects was changed');
    },
  },
  {
    name: 'unknown-session, forged-session',
    async run(stage) {
      const { session } = stage.client;
      const flipped = `${session.slice(0, -2)}${session.endsWith('AA') ? 'BB' : 'AA'}`;
      for (const forged of [
        flipped,
        session.toLowerCase(),
        `${session} x`,
        session.slice(1),
        'x',
        '../..',
        '0',
        'null',
        '__proto__',
        'constructor',
        'x'.repeat(8_000),
        '%00',
        `${session},${session}`,
      ]) {
        for (const [method, body] of [
          ['POST', JSON.stringify(call(1, 'echo'))],
          ['GET', undefined],
          ['DELETE', undefined],
        ] as const) {
          const answer = await stage.send({ method, headers: { ...JSON_POST, 'mcp-session-id': forged }, ...(body && { body }) });
          status(stage, `session "${forged.slice(0, 20)}" ${method}`, answer, 404);
        }
      }
      status(stage, 'no session', await stage.post(call(1, 'echo')), 400);
      status(stage, 'an unknown version', await stage.post(request(1, 'ping'), session, { 'mcp-protocol-version': '1999-01-01' }), 400);
      for (const last of ['x', '1_2', '__proto__', '99999999999999999999_1', 'x'.repeat(8_000)]) {
        const answer = await stage.send({ method: 'GET', session, headers: { accept: 'text/event-stream', 'last-event-id': last } });
        status(stage, `Last-Event-ID ${last.slice(0, 20)}`, answer, 400);
      }
      stage.check(
        'answer',
        textOf(await stage.client.call('odd__echo', { text: 'still here' })).includes('still here'),
        'the session was lost',
      );
      const other = await connect(stage.running.url);
      status(stage, 'ending a session', await stage.send({ method: 'DELETE', session: other.session }), 204);
      status(stage, 'a session that is over', await stage.post(call(1, 'echo'), other.session), 404);
      status(
        stage,
        'messages of nobody',
        await stage.send({ path: '/messages?sessionId=x', headers: JSON_POST, body: JSON.stringify(request(1, 'ping')) }),
        404,
        400,
      );
    },
  },
  {
    name: 'header bombs',
    async run(stage) {
      const { session } = stage.client;
      const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`x-${n}`, 'y']));
      const small = await sendRaw(stage.port, wirePost(request(1, 'ping'), { ...sessionHeaders(session), ...many }));
      stage.check('answer', [200, 431].includes(small.statuses[0] ?? 0), `1,000 headers: ${small.statuses}`);
      const large = await sendRaw(stage.port, wire('GET', { 'X-Large': 'x'.repeat(20_000) }));
      stage.check('answer', large.statuses.join() === '431' && large.closed, `a header of 20 kB: ${large.statuses}`);
      const path = await sendRaw(stage.port, wire('GET', {}, '', `/${'x'.repeat(100_000)}`));
      stage.check('answer', /^(414|431)$/.test(path.statuses.join()) && path.closed, `a path of 100 kB: ${path.statuses}`);
      const injected = await stage.send({
        method: 'GET',
        session,
        headers: { accept: 'text/event-stream', 'last-event-id': 'a%0d%0aset-cookie: x' },
      });
      stage.check('answer', injected.headers['set-cookie'] === undefined, 'a header was forged');
      const twice = await sendRaw(
        stage.port,
        `POST /mcp HTTP/1.1\r\nHost: localhost\r\nmcp-session-id: ${session}\r\nmcp-session-id: x\r\ncontent-type: application/json\r\ncontent-length: 40\r\n\r\n${JSON.stringify(request(1, 'ping'))}`,
      );
      stage.check('answer', twice.statuses.join() === '404' || twice.statuses.join() === '400', `two session ids: ${twice.statuses}`);
      const expecting = await sendRaw(stage.port, wirePost(request(1, 'ping'), { ...sessionHeaders(session), Expect: '200-maybe' }));
      stage.check('answer', [200, 417].includes(expecting.statuses[0] ?? 0), `Expect: ${expecting.statuses}`);
    },
  },
  {
    name: 'duplicate keys',
    async run(stage) {
      const twice = [
        '{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"odd__echo"}}',
        '{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}',
        '{"jsonrpc":"2.0","id":1,"method":"ping","\\u006dethod":"tools/list"}',
      ];
      for (const text of twice) status(stage, text, await stage.post(text, stage.client.session), 400);
    },
  },
];
