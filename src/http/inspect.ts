import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { type Context, Hono } from 'hono';
import { OnemcpError } from '../errors.ts';
import type { Inspection } from '../observe/inspect.ts';
import { errorAnswer, methodNotAllowed } from './answer.ts';
import { answered, type Env } from './env.ts';
import { headersOf } from './guard/host.ts';
import { isForwarded } from './guard/proxies.ts';
import { inspectPage, messagePage, STATELY_ORIGIN, statelyPage } from './inspect/page.ts';
import type { Outlet, Sink } from './outlet.ts';
import type { EventStream } from './sse.ts';
import type { Streams } from './streams.ts';

export interface InspectOptions {
  readonly inspection: Inspection;
  readonly streams: Streams;
}

const HEADERS = {
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cross-origin-resource-policy': 'same-origin',
};

/**
 * `/inspect`: the page, `/inspect/events`: what it shows, `/inspect/stately`: the bridge to the hosted inspector, only in
 * that mode. Everything asks for the token, even on loopback: the page shows what other users of this machine may not see.
 */
export function inspectRoutes({ inspection, streams }: InspectOptions): Hono<Env> {
  const isToken = tokenCheck(inspection.token);
  const stately = inspection.mode === 'stately';
  const routes = new Hono<Env>()
    .get('/', (c) => {
      if (!isToken(c.req.query('token'))) return refusal(c);
      return page(c, (nonce) => inspectPage({ nonce, stately }));
    })
    .get('/events', (c) => {
      if (!isToken(bearer(c) ?? c.req.query('token'))) {
        const refused = errorAnswer(new OnemcpError('unauthorized', WRONG_TOKEN));
        refused.headers.set('www-authenticate', 'Bearer');
        return secured(refused);
      }
      // Hono also routes HEAD here, which must not open a stream.
      if (c.req.method !== 'GET') return secured(methodNotAllowed('GET'));
      return answered(c, (outlet) => feed(outlet, inspection, streams));
    });
  if (stately) {
    routes.get('/stately', (c) => {
      if (!isLoopback(c)) return page(c, (nonce) => messagePage({ nonce, title: 'Not here', text: LOOPBACK_ONLY }), 403);
      if (!isToken(c.req.query('token'))) return refusal(c);
      return page(c, statelyPage, 200, ` frame-src ${STATELY_ORIGIN};`);
    });
  }
  for (const path of ['/', '/events', ...(stately ? ['/stately'] : [])]) routes.all(path, () => secured(methodNotAllowed('GET')));
  return routes;
}

function secured(answer: Response): Response {
  for (const [name, value] of Object.entries(HEADERS)) answer.headers.set(name, value);
  return answer;
}

const WRONG_TOKEN = 'the token of this run is missing or wrong; it is in the link that onemcp printed when it started';
const ASK_FOR_LINK = 'The link with its token is printed when onemcp starts with --inspect. Look for “inspect the machines at” in its log.';
const LOOPBACK_ONLY = 'The bridge to the hosted inspector works only in a browser on the machine that onemcp runs on.';

function refusal(c: Context): Response {
  c.header('www-authenticate', 'Bearer');
  return page(c, (nonce) => messagePage({ nonce, title: 'This page needs its token', text: ASK_FOR_LINK }), 401);
}

function page(c: Context, html: (nonce: string) => string, status: 200 | 401 | 403 = 200, more = ''): Response {
  const nonce = randomBytes(18).toString('base64');
  const policy = `default-src 'none'; script-src 'nonce-${nonce}'; style-src 'nonce-${nonce}'; connect-src 'self'; img-src data:;`;
  c.header('content-security-policy', `${policy}${more} base-uri 'none'; form-action 'none'; frame-ancestors 'none'`);
  return secured(c.html(html(nonce), status) as Response);
}

/** Compares in constant time, whatever the lengths. */
function tokenCheck(token: string): (given: string | undefined) => boolean {
  const sha256 = (text: string) => createHash('sha256').update(text).digest();
  const expected = sha256(token);
  return (given) => timingSafeEqual(sha256(given ?? ''), expected) && given !== undefined;
}

const bearer = (c: Context): string | undefined => /^bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1];

/** Whether both ends of the connection are this machine, no proxy stands between, and the browser knows it under a name of its own. */
function isLoopback(c: Context<Env>): boolean {
  const socket = c.env?.incoming?.socket;
  const { hostname } = new URL(`http://${c.req.header('host') ?? new URL(c.req.url).host}`);
  const named = hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.');
  return named && !isForwarded(headersOf(c)) && (!socket || /^(::1$|127\.|::ffff:127\.)/.test(socket.remoteAddress ?? ''));
}

/** Bytes that the other side may owe before more of the history is written, and milliseconds until the next look. */
const LOW_WATER = 32 * 1024;
const NEXT_LOOK = 10;
/** Messages that may wait for a reader besides the history; one that is slower comes back and begins anew. */
const MOST_WAITING = 2_000;

/** The history, as fast as the reader takes it, then what happens. */
function feed(outlet: Outlet, inspection: Inspection, streams: Streams): void {
  let sink: Sink | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stream: EventStream | undefined;
  const observed: Outlet = {
    whole: outlet.whole,
    isGone: outlet.isGone,
    stream: (more) => {
      sink = outlet.stream({ ...more, ...HEADERS });
      return sink;
    },
  };
  const pump = () => {
    timer = undefined;
    let sent = 0;
    while (sent < waiting.length && (sink as Sink).queued < LOW_WATER) stream?.send(waiting[sent++] as string);
    waiting.splice(0, sent);
    if (waiting.length > 0) timer = setTimeout(pump, NEXT_LOOK);
  };
  const { history, unsubscribe } = inspection.subscribe((message) => {
    waiting.push(message);
    if (waiting.length > limit) stream?.end();
    else if (!timer) pump();
  });
  const waiting = [...history];
  const limit = history.length + MOST_WAITING;
  stream = streams.open(observed, {
    onEnd() {
      clearTimeout(timer);
      unsubscribe();
      waiting.length = 0;
    },
  });
  pump();
}
