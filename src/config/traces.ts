/** `gateway.traces` and the standard variables of OpenTelemetry, which win over the file. */
import type { Issue, MaybeSecret, TracesSpec } from './config.ts';
import { type Fillings, revealed } from './fillings.ts';
import type { Problem } from './issue.ts';
import type { Layered } from './layers.ts';
import { headersOf, urlComplaint } from './remote.ts';
import { createSecret } from './secret.ts';

interface Input {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly layers: Pick<Layered, 'gateway' | 'sourceOf'>;
  readonly fillings: Fillings;
  readonly problems: Problem[];
  readonly warnings: Problem[];
  readonly elsewhere: Issue[];
  /** Values to redact. */
  readonly hidden: Set<string>;
}

interface Written {
  readonly endpoint?: string;
  readonly sample?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

const PATH = ['gateway', 'traces'];
/** Of all signals; what is for traces only wins. OpenTelemetry specification, OTLP exporter. */
const ENDPOINT = 'OTEL_EXPORTER_OTLP_ENDPOINT';
const HEADERS = ['OTEL_EXPORTER_OTLP_HEADERS', 'OTEL_EXPORTER_OTLP_TRACES_HEADERS'];
/** Shorter values of headers are words such as `default`. */
const SHORTEST_SECRET = 8;

/** Where spans go; undefined: there are none, because nobody names a collector or the environment says so. */
export async function tracesOf(input: Input): Promise<TracesSpec | undefined> {
  const { env, layers } = input;
  const written = ((layers.gateway as { readonly traces?: unknown }).traces ?? {}) as Written;
  if (isTrue(env.OTEL_SDK_DISABLED) || env.OTEL_TRACES_EXPORTER?.trim() === 'none') return undefined;
  const endpoint = await endpointOf(written, input);
  const headers = await headersFrom(written, input);
  if (endpoint === undefined) {
    const [lonely] = Object.keys(written).filter((key) => key === 'sample' || key === 'headers');
    if (lonely !== undefined && written.endpoint === undefined && layers.sourceOf(`traces.${lonely}`) === undefined)
      input.warnings.push({ path: PATH, at: 'key', message: 'there are no traces without an "endpoint"' });
    return undefined;
  }
  const resource = pairs(env.OTEL_RESOURCE_ATTRIBUTES);
  const serviceName = env.OTEL_SERVICE_NAME?.trim() || resource['service.name'] || 'onemcp';
  return { endpoint, sample: written.sample ?? 1, headers, serviceName, resource };
}

/** Undefined after a problem, which is noted, and if there is none. */
async function endpointOf({ endpoint: layered }: Written, input: Input): Promise<MaybeSecret | undefined> {
  const { env, layers, fillings, problems, elsewhere } = input;
  const source = layers.sourceOf('traces.endpoint');
  const base = env[ENDPOINT]?.trim();
  if (source === undefined && !base) {
    const path = [...PATH, 'endpoint'];
    const filled = layered === undefined ? undefined : await fillings.text(layered, path);
    const complaint = filled === undefined ? undefined : urlComplaint(revealed(filled));
    if (complaint === undefined) return filled;
    problems.push({ path, at: 'value', message: complaint });
    return undefined;
  }
  const [variable, text] = source === undefined ? [ENDPOINT, base as string] : [source, String(layered)];
  const message = urlComplaint(text);
  if (message === undefined) return source === undefined ? `${text.replace(/\/+$/, '')}/v1/traces` : text;
  elsewhere.push({ file: variable, message });
  return undefined;
}

async function headersFrom({ headers = {} }: Written, input: Input): Promise<TracesSpec['headers']> {
  const { env, layers, hidden } = input;
  const own = await headersOf(headers, [...PATH, 'headers'], input);
  if (layers.sourceOf('traces.headers') !== undefined) return own;
  const given = Object.assign({}, ...HEADERS.map((name) => pairs(env[name]))) as Record<string, string>;
  for (const value of Object.values(given)) if (value.length >= SHORTEST_SECRET) hidden.add(value);
  return { ...own, ...Object.fromEntries(Object.entries(given).map(([name, value]) => [name, createSecret(value)])) };
}

const isTrue = (text: string | undefined): boolean => text?.trim().toLowerCase() === 'true';

/** `key=value,key=value`, percent-encoded. W3C Baggage, as OpenTelemetry has it. */
function pairs(text = ''): Record<string, string> {
  const found: Record<string, string> = {};
  for (const item of text.split(',')) {
    const at = item.indexOf('=');
    const key = item.slice(0, at).trim();
    if (at > 0 && key !== '') found[key] = decoded(item.slice(at + 1).trim());
  }
  return found;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
