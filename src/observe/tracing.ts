/** Traces as a whole. Only who traces loads it: `@opentelemetry/…` comes along. */
import type { TracerProvider } from '@opentelemetry/api';
import type { TracesSpec } from '../config/config.ts';
import type { Tracing } from '../mcp/tracing.ts';
import { type ExporterOptions, type Exporting, startExporting } from './exporter.ts';
import { createLifecycleSpans, type LifecycleSpans } from './lifecycleSpans.ts';
import { createRequestTracing } from './requestSpans.ts';

export interface Traces {
  readonly requests: Tracing;
  readonly lifecycle: LifecycleSpans;
  /** Sends what is left. Never rejects. */
  close(): Promise<void>;
}

export interface TracesOptions extends Omit<ExporterOptions, 'spec'> {
  /** Of the program that we are part of; undefined: there is none, and spans are exported as `spec` says. */
  readonly provider: TracerProvider | undefined;
  readonly spec: TracesSpec | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Undefined: there is nowhere to send spans to. */
export function createTraces({ provider, spec, ...options }: TracesOptions): Traces | undefined {
  const { run, redact, version, now } = options;
  const exporting: Exporting | undefined = provider
    ? { tracer: provider.getTracer('onemcp', version), close: async () => {} }
    : spec && startExporting({ ...options, spec });
  if (!exporting) return undefined;
  const { tracer, close } = exporting;
  return { requests: createRequestTracing(tracer, run), lifecycle: createLifecycleSpans({ tracer, redact, now }), close };
}
