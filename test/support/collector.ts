/** A receiver of traces (OTLP/HTTP with JSON), as a collector is. https://opentelemetry.io/docs/specs/otlp */
import type { IncomingHttpHeaders } from 'node:http';
import { httpReceiver } from './httpReceiver.ts';

type Value = { readonly stringValue?: string; readonly intValue?: number | string; readonly boolValue?: boolean };
interface Pair {
  readonly key: string;
  readonly value: Value;
}

/** A span with its attributes as an object. */
export interface Received {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly traceState: string | undefined;
  readonly name: string;
  /** 1 internal, 2 server, 3 client. */
  readonly kind: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  /** 0 unset, 1 ok, 2 error. */
  readonly status: { readonly code?: number; readonly message?: string };
  /** Milliseconds. */
  readonly took: number;
  readonly resource: Readonly<Record<string, unknown>>;
}

export interface Collector {
  /** Of traces. */
  readonly url: string;
  readonly spans: Received[];
  readonly bodies: string[];
  readonly headers: IncomingHttpHeaders[];
  /** Statuses of the next answers; the last one stays. */
  answers(...statuses: number[]): void;
}

interface Export {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Pair[] };
    readonly scopeSpans: readonly { readonly spans: readonly Wire[] }[];
  }[];
}
type Wire = Omit<Received, 'attributes' | 'took' | 'resource'> & {
  readonly attributes: readonly Pair[];
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
};

const plain = (pairs: readonly Pair[]) => Object.fromEntries(pairs.map(({ key, value }) => [key, Object.values(value)[0]]));

/** Listens until the end of the test. */
export async function collector(): Promise<Collector> {
  const spans: Received[] = [];
  const bodies: string[] = [];
  const headers: IncomingHttpHeaders[] = [];
  let statuses = [200];
  const host = await httpReceiver(({ request, body, response }) => {
    const status = statuses.length > 1 ? (statuses.shift() as number) : (statuses[0] as number);
    bodies.push(body);
    headers.push(request.headers);
    if (status === 200) spans.push(...spansOf(JSON.parse(body) as Export));
    response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
  });
  return {
    url: `http://${host}/v1/traces`,
    spans,
    bodies,
    headers,
    answers: (...next) => {
      statuses = next;
    },
  };
}

function spansOf({ resourceSpans }: Export): Received[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap((scope) =>
      scope.spans.map((span) => ({
        ...span,
        parentSpanId: span.parentSpanId || undefined,
        attributes: plain(span.attributes),
        took: Number(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano)) / 1e6,
        resource: plain(resource.attributes),
      })),
    ),
  );
}
