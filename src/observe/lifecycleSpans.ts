/** Spans of what the gateway does by itself: each start of a backend until it is connected or has failed, and reloads. */
import { ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, type Tracer } from '@opentelemetry/api';
import type { Observable, Subscription } from 'rxjs';
import type { BackendState, World } from '../world.ts';
import { SERVER } from './spanFacts.ts';
import type { ReloadResult } from './tally.ts';

export interface LifecycleOptions {
  readonly tracer: Tracer;
  /** Takes secrets out of messages. */
  readonly redact: (text: string) => string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export interface LifecycleSpans {
  /** Follows the World from now on. */
  follow(world$: Observable<World>): Subscription;
  /** The configuration is being read. */
  reading(): void;
  /** What became of the last reading. */
  reloaded(result: ReloadResult): void;
}

/** One generation of a backend, or of an instance, as the World shows it. */
interface Start {
  readonly backend: string;
  readonly id: string;
  readonly generation: number;
  readonly state: BackendState;
  readonly since: number;
  readonly lastError: { readonly code: string; readonly message: string } | undefined;
}

const FAILED: ReadonlySet<BackendState> = new Set(['error', 'retrying', 'failed']);
const LONGEST_MESSAGE = 300;

export function createLifecycleSpans({ tracer, redact, now }: LifecycleOptions): LifecycleSpans {
  const starting = new Map<string, Span>();
  let readingSince: number | undefined;

  const look = (key: string, start: Start) => {
    const span = starting.get(key);
    if (start.state === 'starting' && !span) starting.set(key, begin(start));
    if (start.state === 'starting' || !span) return;
    starting.delete(key);
    end(span, start);
  };
  const begin = ({ backend, id, generation, since }: Start): Span => {
    const attributes = { [SERVER]: backend, 'onemcp.generation': generation, ...(id !== backend && { 'onemcp.instance': id }) };
    return tracer.startSpan(`backend start ${backend}`, { kind: SpanKind.INTERNAL, startTime: since, attributes }, ROOT_CONTEXT);
  };
  const end = (span: Span, { state, since, lastError }: Start) => {
    span.setAttribute('onemcp.state', state);
    if (FAILED.has(state) && lastError) {
      span.setAttribute('error.type', lastError.code);
      span.setStatus({ code: SpanStatusCode.ERROR, message: plain(redact(lastError.message)) });
    }
    span.end(since);
  };

  return {
    follow: (world$) =>
      world$.subscribe({
        next(world) {
          const seen = new Set<string>();
          for (const start of startsOf(world)) {
            const key = `${start.id} ${start.generation}`;
            seen.add(key);
            look(key, start);
          }
          for (const [key, span] of starting) {
            if (seen.has(key)) continue;
            // It is gone before it came to anything.
            starting.delete(key);
            span.setAttribute('onemcp.state', 'stopped');
            span.end();
          }
        },
      }),
    reading() {
      readingSince = now();
    },
    reloaded(result) {
      const attributes = { 'onemcp.reload.result': result };
      const startTime = readingSince ?? now();
      const span = tracer.startSpan('config reload', { kind: SpanKind.INTERNAL, startTime, attributes }, ROOT_CONTEXT);
      if (result === 'rejected') {
        span.setAttribute('error.type', 'invalid_config');
        span.setStatus({ code: SpanStatusCode.ERROR });
      }
      span.end(now());
    },
  };
}

function* startsOf({ backends, instances }: World): Generator<Start> {
  for (const views of [backends, instances]) {
    for (const [id, { name: backend, generation, state, since, lastError, next }] of views) {
      yield { backend, id, generation, state, since, lastError };
      if (next) yield { backend, id, generation: next.generation, state: next.state, since: next.since, lastError: next.lastError };
    }
  }
}

/** Addresses without their query, which may hold a credential that nobody has named as one. */
const plain = (message: string): string => message.replace(/(\w+:\/\/[^\s"?#]*)[?#][^\s"]*/g, '$1').slice(0, LONGEST_MESSAGE);
