// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the templates of the configuration look like those of JavaScript
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Overrides } from '../../src/config/config.ts';
import { disclosed, explainConfig, inWords } from '../../src/config/explain.ts';
import { LAYERS, layersOf, logSettings, valueAt } from '../../src/config/layers.ts';
import { formatIssue, loadConfig } from '../../src/config/load.ts';
import { type GatewayShape, jsonSchema } from '../../src/config/schema.ts';
import { findSetting, SETTINGS, type Setting, variableOf, variablesOf } from '../../src/config/settings.ts';
import { complaintsOf } from '../../src/config/shape.ts';
import { LIMITS } from '../../src/limits.ts';
import { verifies } from '../support/verifies.ts';

const byName = (name: string): Setting => {
  const setting = findSetting(name);
  if (!setting) throw new Error(`no setting ${name}`);
  return setting;
};

interface Node {
  readonly properties?: Readonly<Record<string, Node>>;
}

/** Every key of `gateway` in the JSON schema, objects by their keys. */
function keysOf({ properties }: Node, path: readonly string[] = []): string[] {
  return Object.entries(properties ?? {}).flatMap(([key, node]) =>
    node.properties ? keysOf(node, [...path, key]) : [[...path, key].join('.')],
  );
}

describe('the table of settings', () => {
  const { gateway } = (jsonSchema() as Node).properties ?? {};
  const inFile = SETTINGS.filter(({ path }) => path !== undefined);

  it('has every key of the gateway in config.schema.json, and every limit', () => {
    expect(inFile.map(({ name }) => name).sort()).toEqual(keysOf(gateway as Node).sort());
    expect(inFile.map(({ name }) => name)).toEqual(expect.arrayContaining(Object.keys(LIMITS)));
  });

  it('gives every one a help, a variable of its own and something to read it by', () => {
    const variables = SETTINGS.flatMap(variablesOf);
    expect(new Set(variables).size).toBe(variables.length);
    expect(variables.filter((variable) => ['ONEMCP_SECRETS', 'ONEMCP_CONFIG', 'ONEMCP_RUN'].includes(variable))).toEqual([]);
    for (const { name, help, kinds, variable } of SETTINGS) {
      expect(help, name).not.toBe('');
      expect(kinds.length, name).toBeGreaterThan(0);
      expect(variable, name).toMatch(/^ONEMCP_[A-Z0-9_]+$/);
    }
    expect(SETTINGS.filter(({ variable }) => variable === 'ONEMCP_STATE_DIR').map(({ name }) => name)).toEqual(['stateDir']);
  });

  it.each([
    ['port', 'ONEMCP_PORT'],
    ['restart.initial', 'ONEMCP_RESTART_INITIAL'],
    ['features.legacySse', 'ONEMCP_FEATURES_LEGACY_SSE'],
    ['insecureNoAuth', 'ONEMCP_INSECURE_NO_AUTH'],
    ['http.bodyBytes', 'ONEMCP_HTTP_BODY_BYTES'],
  ])('%s is %s in the environment', (name, variable) => {
    expect(variableOf(name)).toBe(variable);
  });

  it('has defaults that are legal, and those of an empty file', async () => {
    for (const { name, schema, default: value } of SETTINGS) {
      if (value !== undefined) expect(complaintsOf(schema, value), name).toEqual([]);
    }
    const loaded = await loadConfig({ file: 'mcp.json', base: '/', text: '{ "mcpServers": {} }', env: {}, secrets: { read: () => '' } });
    if (!loaded.ok) throw new Error(loaded.issues.map(formatIssue).join());
    const { config } = loaded;
    const features = Object.fromEntries(Object.entries(config.features).map(([name, value]) => [`features.${name}`, value]));
    const kept: Record<string, unknown> = { ...config, namingPrefix: config.prefix, ...config.limits, ...features };
    // `health.details` is kept as `healthDetails`.
    const place = (name: string) => (name in kept ? name : name.replace(/\.(.)/g, (_, letter: string) => letter.toUpperCase()));
    const checked = SETTINGS.filter(({ name, default: value }) => value !== undefined && place(name) in kept);
    for (const { name, default: value } of checked) expect(kept[place(name)], name).toEqual(value);
    expect(checked.length).toBeGreaterThanOrEqual(Object.keys(LIMITS).length + 11);
  });

  it('finds one by its name, place, variable, alias or flag', () => {
    for (const key of ['port', 'gateway.port', 'ONEMCP_PORT', 'ONE_MCP_PORT', '--port']) expect(findSetting(key)?.name).toBe('port');
    expect(findSetting('prot')).toBeUndefined();
  });
});

/** A legal value of a setting as JSON and as the text of a variable. */
function legal({ choices, unit, kinds, name }: Setting, seed: number): { readonly json: unknown; readonly text: string } {
  if (choices) return same(choices[seed % choices.length]);
  if (unit === 'ms') return seed % 2 ? same(1000 + seed) : same(`${1 + (seed % 50)}s`);
  if (unit === 'bytes') return seed % 2 ? same(4096 + seed) : same(`${1 + (seed % 50)}MiB`);
  if (unit === 'count') return same(64 + (seed % 1000));
  if (name === 'port') return same(seed % 65_536);
  if (name === 'secrets.providers') return { json: ['env', 'file'], text: 'env,file' };
  if (name === 'publicUrl') return same(`https://h${seed}.example`);
  if (name === 'trustedProxies') return { json: ['private', `10.0.0.${seed % 256}/8`], text: `private,10.0.0.${seed % 256}/8` };
  if (kinds.includes('list')) {
    const items = name === 'allowedOrigins' ? [`https://h${seed}.example`, 'https://b.example'] : [`h${seed}.example`, 'b.example'];
    return { json: items, text: items.join(seed % 2 ? ',' : ' , ') };
  }
  if (name === 'traces.sample') return same((seed % 5) / 4);
  if (name === 'alerts.webhooks') {
    const json = [{ url: `https://h${seed}.example/hook` }];
    return { json, text: JSON.stringify(json) };
  }
  // A switch that may say more: as a text it is one only in words.
  if (kinds.includes('json') && kinds.includes('boolean')) return same(seed % 2 === 1);
  if (kinds.includes('json')) return { json: { [`x${seed}`]: 'y' }, text: JSON.stringify({ [`x${seed}`]: 'y' }) };
  if (kinds[0] === 'boolean') {
    const value = seed % 2 === 1;
    return { json: value, text: seed % 3 === 0 ? String(value).toUpperCase() : value ? '1' : '0' };
  }
  return same(`127.0.0.${seed % 255}`);
}
const same = (json: unknown) => ({ json, text: String(json) });

const nested = ([key = '', ...rest]: readonly string[], value: unknown): object => ({
  [key]: rest.length === 0 ? value : nested(rest, value),
});

describe('layers', () => {
  it(verifies('layers', 'the highest layer that says something wins, whatever the setting, and the rest is hidden in order'), () => {
    const property = fc.property(
      fc.constantFrom(...SETTINGS),
      fc.nat(10_000),
      fc.nat(10_000),
      fc.nat(10_000),
      fc.subarray([...LAYERS]),
      (setting, a, b, c, present) => {
        const [environment, line, file] = [a, b, c].map((seed) => legal(setting, seed)) as [Legal, Legal, Legal];
        const has = (layer: (typeof LAYERS)[number]) => present.includes(layer);
        const inEnv = has('environment');
        const onLine = has('command line') && setting.flag !== undefined;
        const inFile = has('file') && setting.path !== undefined;
        const shape = inFile ? (nested(setting.path ?? [], file.json) as GatewayShape) : {};
        const layered = layersOf({
          env: inEnv ? { [setting.variable]: environment.text } : {},
          overrides: (onLine ? { [setting.name]: line.json } : {}) as Overrides,
          shape,
        });
        expect(layered.issues).toEqual([]);
        const wanted = [
          ...(inEnv ? [{ layer: 'environment', source: setting.variable, value: environment.json }] : []),
          ...(onLine ? [{ layer: 'command line', source: setting.flag, value: line.json }] : []),
          ...(inFile ? [{ layer: 'file', source: `gateway.${setting.name}`, value: file.json }] : []),
          { layer: 'default', source: '', value: setting.default },
        ];
        const found = layered.settings.find((explained) => explained.setting === setting);
        expect([found?.won, ...(found?.hidden ?? [])]).toEqual(wanted);
        if (setting.path && wanted.length > 1) expect(valueAt(layered.gateway, setting.path)).toEqual(wanted[0]?.value);
        expect(layered.sourceOf(setting.name)).toBe(inEnv ? setting.variable : onLine ? setting.flag : undefined);
        // Nothing else is touched.
        expect(layered.settings.filter((explained) => explained.won.layer !== 'default').length).toBe(wanted.length > 1 ? 1 : 0);
      },
    );
    fc.assert(property, { numRuns: 500 });
  });

  it('never throw, whatever the environment holds', () => {
    const variable = fc.oneof(
      fc.constantFrom(...SETTINGS.flatMap(variablesOf)),
      fc.string().map((text) => `ONEMCP_${text}`),
    );
    const property = fc.property(fc.dictionary(variable, fc.string({ unit: 'binary' })), (env) => {
      const { issues, settings } = layersOf({ env, overrides: {}, shape: {} });
      for (const { file } of issues) expect(Object.keys(env)).toContain(file);
      expect(settings).toHaveLength(SETTINGS.length);
    });
    fc.assert(property, { numRuns: 300 });
  });

  it('leave the shape of the file as it is, but for what is above it', () => {
    const shape = { port: 1, restart: { initial: '1s', max: '2s' } } as GatewayShape;
    const { gateway } = layersOf({ env: { ONEMCP_RESTART_MAX: '3s' }, overrides: {}, shape });
    expect(gateway).toEqual({ port: 1, restart: { initial: '1s', max: '3s' } });
    expect(shape).toEqual({ port: 1, restart: { initial: '1s', max: '2s' } });
  });

  it('take our own variable before that of 1MCP, and count empty ones as not set', () => {
    const won = (env: Record<string, string>) =>
      layersOf({ env, overrides: {}, shape: {} }).settings.find(({ setting }) => setting.name === 'port')?.won.value;
    expect(won({ ONE_MCP_PORT: '1', ONEMCP_PORT: '2' })).toBe(2);
    expect(won({ ONE_MCP_PORT: '1', ONEMCP_PORT: ' ' })).toBe(1);
    expect(won({ ONE_MCP_PORT: '' })).toBe(3050);
  });

  it('say how the process talks', () => {
    expect(logSettings({}, {})).toEqual({ logLevel: 'info', logFormat: 'pretty' });
    expect(logSettings({ ONE_MCP_LOG_LEVEL: 'debug' }, { logLevel: 'error', logFormat: 'json' })).toEqual({
      logLevel: 'debug',
      logFormat: 'json',
    });
  });
});

type Legal = ReturnType<typeof legal>;

describe('explanations', () => {
  it('name the place in the file, and `.env` where a variable is from there', async () => {
    const { settings, issues } = await explainConfig({
      file: 'mcp.json',
      text: '{\n  "gateway": {\n    "port": 4000 }, "mcpServers": {} }',
      env: { ONEMCP_PORT: '5000' },
      beside: new Set(['ONEMCP_PORT']),
      overrides: { port: 4500 },
    });
    expect(issues).toEqual([]);
    const { won, hidden } = settings.find(({ setting }) => setting.name === 'port') ?? {};
    expect([won, ...(hidden ?? [])].map((word) => [word?.source, word?.value])).toEqual([
      ['ONEMCP_PORT in .env', 5000],
      ['--port', 4500],
      ['mcp.json:3:5', 4000],
      ['', 3050],
    ]);
  });

  it('leave out what is wrong with servers, but not with settings', async () => {
    const text = '{ "mcpServers": { "a": 1 }, "gateway": { "prot": 1, "port": "x" } }';
    const { issues } = await explainConfig({ file: 'mcp.json', text, env: { ONEMCP_PORT: 'y' } });
    expect(issues.map(formatIssue)).toEqual([
      'ONEMCP_PORT: expected a port number from 0 to 65535, found "y"',
      'mcp.json:1:42 gateway.prot: unknown key, did you mean "port"?',
      'mcp.json:1:61 gateway.port: expected a port number from 0 to 65535, found "x"',
    ]);
    expect((await explainConfig({ file: 'mcp.json', text: '{', env: {} })).issues).not.toEqual([]);
  });

  it.each([
    ['restart.initial', 1500, '1500ms'],
    ['restart.initial', '90s', '90s'],
    ['restart.max', 120_000, '2m'],
    ['idleTimeout', 0, '0'],
    ['message.maxBytes', 16 * 1024 ** 2, '16MiB'],
    ['message.maxBytes', '10MB', '10000000B'],
    ['ping.misses', 2, '2'],
    ['trustedHosts', ['a', 'b'], 'a, b'],
    ['trustedHosts', [], '(empty)'],
    ['features.legacySse', true, 'true'],
    ['stateDir', undefined, '-'],
    ['passthroughExtensions', { 'io.x/ui': 'web' }, '{"io.x/ui":"web"}'],
  ])('%s of %j is shown as %s', (name, value, words) => {
    expect(inWords(byName(name), value)).toBe(words);
  });

  it.each<[string, unknown, unknown]>([
    ['alerts.token', 'abcdef', '***'],
    ['alerts.token', '${SECRET:alerts}', '${SECRET:alerts}'],
    ['alerts.token', '${TOKEN:-abcdef}', '***'],
    ['alerts', { headers: { Authorization: 'Bearer x' }, name: 'x' }, { headers: { Authorization: '***' }, name: 'x' }],
    ['alerts', [{ url: 'https://hooks.example/services/T0/B0/xyz' }], [{ url: 'https://hooks.example/***' }]],
    ['allowedOrigins', ['https://app.example'], ['https://app.example']],
    ['publicUrl', 'https://mcp.example/tools', 'https://mcp.example/tools'],
    ['insecureNoAuth', true, true],
  ])('%s of %j is disclosed as %j', (name, value, shown) => {
    expect(disclosed(name, value)).toEqual(shown);
  });
});
