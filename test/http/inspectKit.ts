/** The root over fake backends with an inspection of it, and a reader of its event stream. */
import { Hono } from 'hono';
import { createActor, fromPromise } from 'xstate';
import type { BackendSpec } from '../../src/config/config.ts';
import type { Env } from '../../src/http/env.ts';
import { createHostGuard, hostGuard } from '../../src/http/guard/host.ts';
import { inspectRoutes } from '../../src/http/inspect.ts';
import { createStreams, type Streams } from '../../src/http/streams.ts';
import { type Limits, limitsWith } from '../../src/limits.ts';
import { backendMachine } from '../../src/machines/backend.ts';
import { rootMachine } from '../../src/machines/root.ts';
import { createInspection, type Inspection, type InspectionOptions } from '../../src/observe/inspect.ts';
import { fakeIo } from '../support/machines.ts';
import { CONFIG_VIEW } from '../support/specs.ts';

export const TOKEN = 'the-token-of-this-run';

export interface Message {
  readonly type: string;
  readonly sessionId: string;
  readonly name: string;
  readonly actor?: string;
  readonly definition?: string;
  readonly endedAt?: number;
  readonly event?: { readonly type: string };
  readonly snapshot: { readonly status: string; readonly value?: unknown; readonly context: Record<string, unknown> };
}

export const inspectionWith = (options: Partial<InspectionOptions> = {}): Inspection =>
  createInspection({ mode: 'page', history: 1000, token: TOKEN, redact: (text) => text, ...options });

/** The routes behind the guard, as the gateway mounts them. */
export function appOf(inspection: Inspection, streams: Streams = createStreams({ keepAlive: 15_000, queueBytes: 1024 * 1024 })) {
  const app = new Hono<Env>();
  app.use(hostGuard(createHostGuard({ trustedHosts: ['gateway.test'], allowedOrigins: [] })));
  app.route('/inspect', inspectRoutes({ inspection, streams }));
  return app;
}

/** Runs the root over fake backends under an inspection. */
export function inspected(specs: readonly BackendSpec[], inspection: Inspection, limits: Partial<Limits> = {}) {
  const io = fakeIo();
  const root = createActor(
    rootMachine.provide({
      actors: {
        backend: backendMachine.provide({ actors: io.actors as never }) as never,
        settle: fromPromise<void, undefined>(() => Promise.resolve()),
      },
    }),
    {
      inspect: inspection.observer,
      input: {
        backends: specs,
        config: { ...CONFIG_VIEW, serverCount: specs.length },
        limits: limitsWith({ 'restart.initial': 1, 'restart.max': 2, 'restart.failures': 1_000_000, ...limits }),
        ports: { now: Date.now, monotonic: () => performance.now(), random: () => 0.5 },
      },
    },
  );
  root.start();
  root.send({ type: 'RUN' });
  return { io, root };
}

/** Lets the inspector, which works in timers, say everything. */
export const settled = (ms = 40) => new Promise((resolve) => setTimeout(resolve, ms));

/** What a page that opens now is told before it is live, as text and as messages. */
export async function historyOf(app: ReturnType<typeof appOf>): Promise<{ text: string; messages: Message[] }> {
  const answer = await app.request('/inspect/events', { headers: { authorization: `Bearer ${TOKEN}` } });
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  let text = '';
  while (!text.includes('@onemcp.live')) {
    const { done, value } = await reader.read();
    if (done) break;
    text += decoder.decode(value, { stream: true });
  }
  await reader.cancel();
  return { text, messages: messagesIn(text) };
}

const messagesIn = (text: string): Message[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('data: '))
    .map((line) => JSON.parse(line.slice(6)) as Message);
