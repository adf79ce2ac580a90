import { Script } from 'node:vm';
import { describe, expect, it } from 'vitest';
import type { InspectionEvent } from 'xstate';
import { OnemcpError } from '../../src/errors.ts';
import { PAGE_SCRIPT } from '../../src/http/inspect/page.ts';
import { createStreams } from '../../src/http/streams.ts';
import { fakeSession, tool } from '../support/fakeWorld.ts';
import { exit, opened, specOf } from '../support/machines.ts';
import { appOf, historyOf, inspected, inspectionWith, settled, TOKEN } from './inspectKit.ts';

describe('who may see the inspection', () => {
  const app = appOf(inspectionWith());

  it('the page needs the token, and says where it is', async () => {
    for (const path of ['/inspect', '/inspect?token=', '/inspect?token=wrong', `/inspect?token=${TOKEN}x`]) {
      const answer = await app.request(path);
      expect(answer.status).toBe(401);
      expect(await answer.text()).toContain('printed when onemcp starts');
    }
    expect((await app.request(`/inspect?token=${TOKEN}`)).status).toBe(200);
  });

  it('the events need it too, as a bearer or in the query', async () => {
    const asked = (path: string, authorization?: string) => app.request(path, { headers: authorization ? { authorization } : {} });
    for (const answer of [
      await asked('/inspect/events'),
      await asked('/inspect/events', 'Bearer no'),
      await asked(`/inspect/events?token=${TOKEN}`, 'Bearer no'),
    ]) {
      expect([answer.status, answer.headers.get('www-authenticate'), answer.headers.get('cache-control')]).toEqual([
        401,
        'Bearer',
        'no-store',
      ]);
      expect(await answer.text()).not.toContain(TOKEN);
    }
    for (const answer of [await asked('/inspect/events', `Bearer ${TOKEN}`), await asked(`/inspect/events?token=${TOKEN}`)]) {
      expect([answer.status, answer.headers.get('content-type'), answer.headers.get('cache-control')]).toEqual([
        200,
        'text/event-stream',
        'no-store',
      ]);
      await answer.body?.cancel();
    }
  });

  it('foreign hosts and origins are refused whatever they know', async () => {
    const foreign: Record<string, string>[] = [{ host: 'evil.example' }, { origin: 'https://evil.example' }, { origin: 'null' }];
    for (const headers of foreign) {
      for (const path of ['/inspect', '/inspect/events']) {
        expect((await app.request(`${path}?token=${TOKEN}`, { headers })).status).toBe(403);
      }
    }
  });

  it('nothing but GET is possible', async () => {
    for (const path of ['/inspect', '/inspect/events']) {
      for (const method of ['POST', 'PUT', 'DELETE']) {
        const answer = await app.request(`${path}?token=${TOKEN}`, { method });
        expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET']);
      }
    }
    const streams = createStreams({ keepAlive: 15_000, queueBytes: 1024 });
    await appOf(inspectionWith(), streams).request(`/inspect/events?token=${TOKEN}`, { method: 'HEAD' });
    expect(streams.size).toBe(0);
  });
});

describe('the page', () => {
  it('allows nothing but itself', async () => {
    const app = appOf(inspectionWith());
    const pages = await Promise.all([1, 2].map(() => app.request(`/inspect?token=${TOKEN}`)));
    const nonces = await Promise.all(
      pages.map(async (page) => {
        const policy = page.headers.get('content-security-policy') ?? '';
        const nonce = /script-src 'nonce-([^']+)'/.exec(policy)?.[1] as string;
        expect(policy).toBe(
          `default-src 'none'; script-src 'nonce-${nonce}'; style-src 'nonce-${nonce}'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
        );
        const html = await page.text();
        expect(html.match(/<(script|style)\b[^>]*>/g)?.every((tag) => tag.includes(`nonce="${nonce}"`))).toBe(true);
        expect(html, 'the token is in the address only').not.toContain(TOKEN);
        return nonce;
      }),
    );
    expect(nonces[0]).not.toBe(nonces[1]);
    expect(Object.fromEntries(pages[0]?.headers ?? [])).toMatchObject({
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
    });
  });

  it('has a script that is valid, asks nobody else, and never makes markup of data', () => {
    expect(() => new Script(`(() => {${PAGE_SCRIPT}})`)).not.toThrow();
    expect(PAGE_SCRIPT).not.toMatch(/innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function/);
    expect(PAGE_SCRIPT.match(/https?:\/\/[^'"\s]+/g)).toEqual(['http://www.w3.org/2000/svg']);
  });
});

describe('the bridge to the hosted inspector', () => {
  const path = `/inspect/stately?token=${TOKEN}`;

  it('is there only when it was asked for', async () => {
    expect(inspectionWith().path).toBe(`/inspect?token=${TOKEN}`);
    expect((await appOf(inspectionWith()).request(path)).status).toBe(404);
    expect(inspectionWith({ mode: 'stately' }).path).toBe(path);
  });

  it('frames and tells that one origin, with a token and on loopback', async () => {
    const app = appOf(inspectionWith({ mode: 'stately' }));
    const page = await app.request(path);
    expect(page.headers.get('content-security-policy')).toContain('frame-src https://stately.ai; ');
    const html = await page.text();
    expect(html).toContain("postMessage(message, 'https://stately.ai')");
    expect(html).not.toContain("'*'");
    expect((await app.request('/inspect/stately')).status).toBe(401);
    expect((await app.request(path, { headers: { host: 'gateway.test' } })).status).toBe(403);
    const remote = { incoming: { socket: { remoteAddress: '192.0.2.7' } } };
    expect((await app.request(path, {}, remote)).status).toBe(403);
    const local = { incoming: { socket: { remoteAddress: '::ffff:127.0.0.1' } } };
    expect((await app.request(path, {}, local)).status).toBe(200);
  });
});

describe('what is shown', () => {
  it('is no secret: no arguments, environment, address, header, result or item', async () => {
    const secret = 'hunter2-hunter2';
    const inspection = inspectionWith({ redact: (text) => text.replaceAll(secret, '***') });
    const { io, root } = inspected(
      [
        specOf('local', { command: `/bin/${secret}`, args: [secret], env: { API_KEY: secret }, cwd: `/home/${secret}`, tags: ['a-tag'] }),
        specOf('remote', {
          kind: 'remote',
          url: `https://u:${secret}@host/?k=${secret}`,
          headers: { authorization: `Bearer ${secret}` },
        } as never),
      ],
      inspection,
      { 'restart.initial': 60_000, 'restart.max': 60_000 },
    );
    const session = fakeSession({ pid: 4711, instructions: secret });
    io.openOf('local').resolve(opened({ tools: [tool('t', { description: secret }), tool('u')] }, session));
    io.openOf('remote').reject(
      new OnemcpError('http_status', `"remote" at https://host/${'undeclared-credential'}?a=b answered ${secret}`, {
        server: 'remote',
        secret,
      }),
    );
    await settled();
    const { text, messages } = await historyOf(appOf(inspection));
    expect(text).not.toContain(secret);
    expect(text).not.toContain('undeclared-credential');
    expect(text).not.toMatch(/"(args|env|url|headers|command|input|output|spec|ports)":/);
    const contextOf = (name: string) =>
      messages.findLast((message) => message.name === `${name}#0` || message.actor === `${name}#0`)?.snapshot?.context;
    expect(messages.filter(({ type }) => type === '@xstate.actor').map(({ name }) => name)).toEqual([
      'root',
      'local#0',
      'remote#0',
      'open',
      'open',
      'live',
      'close',
    ]);
    expect(contextOf('local')).toMatchObject({
      name: 'local',
      kind: 'stdio',
      tags: ['a-tag'],
      generation: 0,
      failures: 0,
      connects: 1,
      settled: true,
      items: { tools: 2, prompts: 0, resources: 0, templates: 0 },
      pid: 4711,
    });
    expect(contextOf('remote')?.lastError).toEqual({ code: 'http_status', message: '"remote" at https://… answered ***' });
    const rootContext = messages.findLast(({ actor }) => actor === 'root')?.snapshot?.context;
    expect(rootContext).toEqual({ phase: 'running', backends: { local: 'connected', remote: 'retrying' }, waiting: [], launching: [] });
    expect(messages.every(({ event }) => event === undefined || Object.keys(event).join() === 'type')).toBe(true);
    root.stop();
  });

  it('survives whatever it is shown', async () => {
    const inspection = inspectionWith();
    const trap = new Proxy(
      {},
      {
        get: () => {
          throw new Error('trap');
        },
        has: () => {
          throw new Error('trap');
        },
      },
    );
    const actorRef = (snapshot: unknown) => ({ id: 'odd', sessionId: 'x:9', logic: {}, getSnapshot: () => snapshot });
    for (const snapshot of [undefined, null, {}, { status: 'active', context: undefined }, { status: 'active', context: trap }, trap]) {
      const odd = { rootId: 'x:9', actorRef: actorRef(snapshot), event: { type: 'odd' }, snapshot, sourceRef: undefined };
      for (const type of ['@xstate.actor', '@xstate.snapshot', '@xstate.event', '@xstate.microstep', '@xstate.unknown']) {
        expect(() => inspection.observer.next?.({ ...odd, type } as unknown as InspectionEvent)).not.toThrow();
      }
    }
    expect(() => inspection.observer.next?.(trap as InspectionEvent)).not.toThrow();
    await settled();
    expect((await historyOf(appOf(inspection))).messages[0]?.type).toBe('@onemcp.hello');
  });
});

describe('the history', () => {
  it('is bounded, but always has every actor, its definition and its latest state', async () => {
    const inspection = inspectionWith({ history: 5 });
    const { io, root } = inspected([specOf('steady'), specOf('busy')], inspection);
    io.openOf('steady').resolve(opened());
    for (let n = 0; n < 20; n++) {
      io.openOf('busy').resolve(opened());
      await settled(5);
      io.say('busy', { type: 'CLOSED', error: exit('busy') });
      await settled(10);
    }
    await settled();
    const { messages } = await historyOf(appOf(inspection));
    expect(messages.filter(({ type }) => type === '@xstate.event' || type === '@xstate.snapshot')).toHaveLength(5);
    const registered = (name: string) => messages.find(({ type, name: own }) => type === '@xstate.actor' && own === name);
    expect(registered('steady#0')?.snapshot.value).toBe('connected');
    expect(registered('root')?.snapshot.value).toBe('running');
    const states = Object.keys(JSON.parse(registered('steady#0')?.definition as string).states);
    expect(states, 'in the order they are written in').toEqual([
      'idle',
      'starting',
      'connected',
      'error',
      'retrying',
      'failed',
      'stopping',
      'stopped',
    ]);
    root.stop();
  });

  it('shows the ended as ended, and forgets them after a while', async () => {
    let time = 1_000_000;
    const inspection = inspectionWith({ now: () => time });
    const { io, root } = inspected([specOf('a')], inspection);
    io.openOf('a').resolve(opened());
    await settled();
    const app = appOf(inspection);
    const names = async () =>
      (await historyOf(app)).messages
        .filter(({ type }) => type === '@xstate.actor')
        .map(({ name, endedAt }) => [name, endedAt !== undefined]);
    expect(await names()).toEqual([
      ['root', false],
      ['a#0', false],
      ['open', true],
      ['live', false],
    ]);
    time += 31_000;
    expect(await names()).toEqual([
      ['root', false],
      ['a#0', false],
      ['live', false],
    ]);
    root.stop();
    await settled();
    expect(await names()).toEqual([
      ['root', true],
      ['a#0', true],
      ['live', true],
    ]);
  });

  it('keeps few of the ended, however many there are', async () => {
    const inspection = inspectionWith();
    const { io, root } = inspected([specOf('flapping')], inspection, { 'restart.initial': 0, 'restart.max': 0 });
    for (let n = 0; n < 150; n++) {
      io.openOf('flapping').reject(exit('flapping'));
      await settled(4);
    }
    await settled();
    const { messages } = await historyOf(appOf(inspection));
    expect(io.opening.length).toBeGreaterThan(110);
    expect(messages.filter(({ endedAt }) => endedAt !== undefined).length).toBeLessThanOrEqual(202);
    root.stop();
  });
});

describe('a reader', () => {
  it('hears live what happens after the history', async () => {
    const inspection = inspectionWith();
    const { io, root } = inspected([specOf('a')], inspection);
    await settled();
    const answer = await appOf(inspection).request(`/inspect/events?token=${TOKEN}`);
    const reader = (answer.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    io.openOf('a').resolve(opened());
    while (!/@onemcp\.live.*"value":"connected"/s.test(text)) text += (await reader.read()).value;
    await reader.cancel();
    root.stop();
  });

  it('that does not read is dropped, without anything kept for it', async () => {
    const streams = createStreams({ keepAlive: 15_000, queueBytes: 1024 * 1024 });
    const inspection = inspectionWith();
    const { io, root } = inspected([specOf('a')], inspection);
    io.openOf('a').resolve(opened());
    await settled();
    const answer = await appOf(inspection, streams).request(`/inspect/events?token=${TOKEN}`);
    expect(streams.size).toBe(1);
    for (let n = 0; n < 1500; n++) root.send({ type: 'SLOT_EXPIRED', id: 'a#0' });
    await settled(300);
    expect(streams.size).toBe(0);
    await answer.body?.cancel();
    root.stop();
  });

  it('that goes away is forgotten', async () => {
    const streams = createStreams({ keepAlive: 15_000, queueBytes: 1024 * 1024 });
    const answer = await appOf(inspectionWith(), streams).request(`/inspect/events?token=${TOKEN}`);
    expect(streams.size).toBe(1);
    await answer.body?.cancel();
    expect(streams.size).toBe(0);
  });
});
