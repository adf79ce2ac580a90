// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the templates of the configuration look like those of JavaScript
import { describe, expect, it } from 'vitest';
import type { Config } from '../../src/config/config.ts';
import { planOf } from '../../src/config/diff.ts';
import { revealed } from '../../src/config/fillings.ts';
import { formatIssue, loadConfig } from '../../src/config/load.ts';

const secrets = { read: (name: string) => (name === 'key' ? 'sesame-open' : Promise.reject(new Error('there is no such secret'))) };

const load = (traces: unknown, env: Record<string, string> = {}) =>
  loadConfig({
    file: 'mcp.json',
    base: '/',
    text: JSON.stringify({ mcpServers: {}, ...(traces !== undefined && { gateway: { traces } }) }),
    env,
    secrets,
  });

async function good(traces: unknown, env?: Record<string, string>): Promise<Config> {
  const loaded = await load(traces, env);
  if (!loaded.ok) throw new Error(loaded.issues.map(formatIssue).join());
  return loaded.config;
}
async function issues(traces: unknown, env?: Record<string, string>): Promise<string[]> {
  const loaded = await load(traces, env);
  return loaded.ok
    ? loaded.warnings.map(({ message }) => message)
    : loaded.issues.map(({ file, path, message }) => [file, path, message].join(' '));
}

const COLLECTOR = 'http://collector:4318/v1/traces';
const shown = ({ traces }: Config) =>
  traces && {
    ...traces,
    endpoint: revealed(traces.endpoint),
    headers: Object.fromEntries(Object.entries(traces.headers).map(([name, value]) => [name, revealed(value)])),
  };

describe('gateway.traces', () => {
  it('is off unless somebody names a collector', async () => {
    expect((await good(undefined)).traces).toBeUndefined();
    expect((await good({ delay: '1s' })).traces).toBeUndefined();
    expect(await issues({ sample: 0.5 })).toContain('there are no traces without an "endpoint"');
  });

  it('keeps the secrets of its headers from being printed', async () => {
    const config = await good({ endpoint: COLLECTOR, sample: 0.25, headers: { 'x-team': '${SECRET:key}' } });
    const common = { serviceName: 'onemcp', resource: {} };
    expect(shown(config)).toEqual({ endpoint: COLLECTOR, sample: 0.25, headers: { 'x-team': 'sesame-open' }, ...common });
    expect(JSON.stringify(config)).not.toContain('sesame');
    expect([...config.secrets]).toContain('sesame-open');
  });

  it.each([
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a:4318/' }, 'http://a:4318/v1/traces'],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a:4318', OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://b/x' }, 'https://b/x'],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://b/x', ONEMCP_TRACES_ENDPOINT: 'https://c/y' }, 'https://c/y'],
  ])('follows the environment rather than the file: %j', async (env, endpoint) => {
    expect(shown(await good(undefined, env))?.endpoint).toBe(endpoint);
    expect(shown(await good({ endpoint: COLLECTOR }, env))?.endpoint).toBe(endpoint);
  });

  it('knows the other variables of OpenTelemetry', async () => {
    const env = {
      OTEL_EXPORTER_OTLP_HEADERS: 'api-key=sesame%20open, x-a=1,broken',
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'x-a=2',
      OTEL_SERVICE_NAME: 'gate',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=production,service.name=other',
    };
    const config = await good({ endpoint: COLLECTOR, headers: { 'x-b': '3' } }, env);
    expect(shown(config)).toMatchObject({
      headers: { 'api-key': 'sesame open', 'x-a': '2', 'x-b': '3' },
      serviceName: 'gate',
      resource: { 'deployment.environment.name': 'production' },
    });
    expect([...config.secrets]).toEqual(['sesame open']);
    const switches: readonly Record<string, string>[] = [{ OTEL_SDK_DISABLED: 'true' }, { OTEL_TRACES_EXPORTER: 'none' }];
    for (const off of switches) {
      expect((await good({ endpoint: COLLECTOR }, off)).traces).toBeUndefined();
    }
  });

  it('says what is wrong, and where', async () => {
    expect(await issues({ endpoint: 'collector:4318', sample: 2, heders: {} })).toEqual([
      'mcp.json gateway.traces.endpoint scheme "collector:" is not supported; write http://… or https://…',
      'mcp.json gateway.traces.sample expected a number from 0 (none) to 1 (all), found 2',
      'mcp.json gateway.traces.heders unknown key, did you mean "headers"?',
    ]);
    expect(await issues(undefined, { OTEL_EXPORTER_OTLP_ENDPOINT: 'nowhere' })).toEqual([
      'OTEL_EXPORTER_OTLP_ENDPOINT  this is not a URL; write http://… or https://…',
    ]);
  });

  it('needs a restart when it changes', async () => {
    const [before, after] = [await good(undefined), await good({ endpoint: COLLECTOR })];
    expect(planOf(before, after).needsRestart).toEqual(['gateway.traces']);
    expect(planOf(after, await good({ endpoint: COLLECTOR })).needsRestart).toEqual([]);
  });
});
