/** Where spans go: an OTLP/HTTP collector, in batches, and never in the way of anything. */
import type { Tracer } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  ParentBasedSampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-base';
import type { MaybeSecret, TracesSpec } from '../config/config.ts';
import type { Limits } from '../limits.ts';
import type { Log } from './log.ts';

export interface ExporterOptions {
  readonly spec: TracesSpec;
  readonly limits: Limits;
  readonly version: string;
  /** Names this run. */
  readonly run: string;
  readonly log: Log;
  readonly redact: (text: string) => string;
}

export interface Exporting {
  readonly tracer: Tracer;
  /** Sends what is left, for `traces.flushTimeout` at most. Never rejects. */
  close(): Promise<void>;
}

/** Begins to export. Reads no file and opens no connection before there is a span. */
export function startExporting({ spec, limits, version, run, log, redact }: ExporterOptions): Exporting {
  const url = plainText(spec.endpoint);
  const headers = Object.fromEntries(Object.entries(spec.headers).map(([name, value]) => [name, plainText(value)]));
  const exporter = new OTLPTraceExporter({ url, headers, timeoutMillis: limits['traces.timeout'] });
  const processor = new BatchSpanProcessor(told(exporter, { host: new URL(url).host, log, redact }), {
    maxQueueSize: limits['traces.queue'],
    maxExportBatchSize: Math.min(limits['traces.batch'], limits['traces.queue']),
    scheduledDelayMillis: limits['traces.delay'],
    exportTimeoutMillis: limits['traces.timeout'],
  });
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({
      'service.version': version,
      'service.instance.id': run,
      ...spec.resource,
      'service.name': spec.serviceName,
    }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(spec.sample) }),
    spanProcessors: [processor],
  });
  return {
    tracer: provider.getTracer('onemcp', version),
    async close() {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, limits['traces.flushTimeout']);
      });
      // Why it failed was said already.
      await Promise.race([provider.shutdown().catch(() => {}), late]);
      clearTimeout(timer);
    },
  };
}

const plainText = (value: MaybeSecret): string => (typeof value === 'string' ? value : value.reveal());

interface Teller extends Pick<ExporterOptions, 'log' | 'redact'> {
  readonly host: string;
}

/** Says once that a collector takes nothing, and once that it takes spans again. */
function told(exporter: SpanExporter, { host, log, redact }: Teller): SpanExporter {
  let isFailing = false;
  const note = (error: Error | undefined) => {
    if ((error !== undefined) === isFailing) return;
    isFailing = error !== undefined;
    if (!error) return log('info', 'traces.sent', { message: `traces arrive at ${host} again` });
    const { code } = error as { code?: unknown };
    const reason = code === undefined ? redact(error.message).slice(0, 200) : typeof code === 'number' ? `status ${code}` : String(code);
    const message = `traces cannot be sent to ${host} (${reason}); spans are dropped until they can, calls go on`;
    log('warn', 'traces.failed', { message });
  };
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        // 0: ExportResultCode.SUCCESS of @opentelemetry/core.
        note(result.code === 0 ? undefined : (result.error ?? new Error('unknown reason')));
        done(result);
      });
    },
    forceFlush: async () => exporter.forceFlush?.(),
    shutdown: () => exporter.shutdown(),
  };
}
