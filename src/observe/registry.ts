/** `prom-client`, which nothing else imports: it is loaded with the first scrape. */
import { collectDefaultMetrics, Registry } from 'prom-client';
import { FAMILIES, type MetricName } from './families.ts';
import type { Samples } from './metrics.ts';

export interface MetricsText {
  readonly contentType: string;
  readonly text: string;
}

/** Writes samples, and what there is to say of the process, as Prometheus reads it. */
export function createRegistry(samples: () => Samples): () => Promise<MetricsText> {
  const registry = new Registry();
  let current: Samples | undefined;
  for (const name of Object.keys(FAMILIES) as MetricName[]) {
    const { type, help } = FAMILIES[name];
    // What the registry needs of a metric, and no more: our numbers are kept elsewhere.
    const get = async () => ({
      name,
      help,
      type,
      values: (current?.[name] ?? []).map((sample) => valueFrom(name, sample)),
      aggregator: 'sum',
    });
    registry.registerMetric({ name, get } as never);
  }
  collectDefaultMetrics({ register: registry });
  return async () => {
    current = samples();
    return { contentType: registry.contentType, text: await registry.metrics() };
  };
}

const valueFrom = (name: MetricName, { value, labels, suffix }: Samples[MetricName][number]) => ({
  value,
  labels,
  ...(suffix && { metricName: `${name}${suffix}` }),
});
