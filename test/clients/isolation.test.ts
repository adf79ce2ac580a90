/** Who shares a connection to a server, what the server is told about its client, and when a connection ends. */
import { beforeAll, describe, expect, it } from 'vitest';
import { isAlive, until } from '../e2e/gateway.ts';
import { verifies } from '../support/verifies.ts';
import {
  type Connect,
  connect as connectTo,
  deferToEnd,
  EVERYTHING,
  endpointOf,
  open,
  type Peer,
  pairOf,
  quiet,
  STDIO_ASKER,
  startGateway,
  WAYS,
} from './kit.ts';

const elicited = (who: string) => ({ result: { action: 'accept', content: { who } } });

describe.each([WAYS.session, WAYS.sessionSse])('$title', (way) => {
  let connect: Connect;
  const defer = deferToEnd();
  beforeAll(async () => {
    ({ connect } = await open(way, { defer }));
  });

  it(verifies('F85', 'two clients have two processes, which know what each client can do'), async () => {
    const [a, b] = await Promise.all([connect('a'), connect('b', { elicitation: {} })]);
    const [ofA, ofB] = await Promise.all([a.whoami(), b.whoami()]);
    expect(ofA.pid).not.toBe(ofB.pid);
    expect((await a.whoami()).pid).toBe(ofA.pid);
    expect(ofA.capabilities).toEqual(EVERYTHING);
    // `{}` and `{ form: {} }` mean the same; which of them the SDK says is its own affair.
    expect(Object.keys(ofB.capabilities)).toEqual(['elicitation']);
    expect([{}, { form: {} }]).toContainEqual(ofB.capabilities.elicitation);
  });

  it('a process ends with the session of its client; the others go on', async () => {
    const [a, b] = await pairOf(connect);
    const [ofA, ofB] = await Promise.all([a.whoami(), b.whoami()]);
    const busy = b.call('slow', { note: 'b' });
    await a.leave();
    await until('the process of a has ended', () => !isAlive(ofA.pid));
    expect(isAlive(ofB.pid)).toBe(true);
    await b.call('release', { note: 'b' });
    expect(await busy).toBe('released b');
    expect((await b.whoami()).pid).toBe(ofB.pid);
    await quiet(b);
    expect([a.got, b.got]).toEqual([[], []]);
  });

  it('a process that ends in a call fails that call, and the next call has another one; nobody else notices', async () => {
    const [a, b] = await pairOf(connect);
    const [ofA, ofB] = await Promise.all([a.whoami(), b.whoami()]);
    const busy = b.call('slow', { note: 'b' });
    await expect(a.call('crash')).rejects.toThrow('asker');
    expect(await a.call('ask_form', { question: 'again?' })).toEqual(elicited('a'));
    expect((await a.whoami()).pid).not.toBe(ofA.pid);
    await b.call('release', { note: 'b' });
    expect(await busy).toBe('released b');
    expect((await b.whoami()).pid).toBe(ofB.pid);
    await quiet(a, b);
    expect([a.got, b.got]).toEqual([['elicitation/create again?'], []]);
  });

  it('all processes end with the gateway', async () => {
    const { connect, running } = await open(way);
    const [a, b] = await pairOf(connect);
    const pids = (await Promise.all([a.whoami(), b.whoami()])).map(({ pid }) => pid);
    await running?.gateway.close();
    expect(pids.map(isAlive)).toEqual([false, false]);
  });
});

describe.each([WAYS.http, WAYS.httpSse])('$title', (way) => {
  let connect: Connect;
  const defer = deferToEnd();
  beforeAll(async () => {
    ({ connect } = await open(way, { defer }));
  });

  it('clients that can do the same share a connection; it says what they can do', async () => {
    const [a, b, plain] = await Promise.all([connect('a'), connect('b'), connect('plain', {})]);
    const [ofA, ofB, ofPlain] = await Promise.all([a.whoami(), b.whoami(), plain.whoami()]);
    expect(ofA.connection).toBe(ofB.connection);
    expect(ofPlain.connection).not.toBe(ofA.connection);
    expect(ofA.capabilities).toMatchObject({ elicitation: { form: {}, url: {} }, sampling: { tools: {} }, roots: {} });
    // A change of the roots would be one client's, and the connection is not.
    expect(ofA.capabilities.roots).toEqual({});
    expect(ofPlain.capabilities).toEqual({});
  });
});

it('a shared and an isolated server beside each other keep their rules', async () => {
  const running = await startGateway({ shared: STDIO_ASKER, own: { ...STDIO_ASKER, isolation: 'session' } });
  const [a, b] = (await Promise.all(
    (['http', 'sse'] as const).map((carrier, n) =>
      connectTo(endpointOf(running, carrier), carrier, { name: 'ab'[n] as string, server: 'own' }),
    ),
  )) as [Peer, Peer];
  const asked = await Promise.all(
    [a, b].flatMap((peer) => ['shared', 'own'].map((server) => peer.call('ask_form', { question: `${server}?` }, { server }))),
  );
  const refused = { error: { code: -32601, message: expect.any(String) } };
  expect(asked).toEqual([refused, elicited('a'), refused, elicited('b')]);
  await quiet(a, b);
  expect([a.got, b.got]).toEqual([['elicitation/create own?'], ['elicitation/create own?']]);
});
