// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the templates of the configuration look like those of JavaScript
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BackendSpec, Config, Plan } from '../../src/config/config.ts';
import { isEmptyPlan, planOf } from '../../src/config/diff.ts';
import { formatIssue, loadConfig } from '../../src/config/load.ts';
import { LIMITS } from '../../src/limits.ts';
import type { Json } from '../../src/world.ts';

async function configOf(mcpServers: Json, gateway: Json = {}, secret = 'the secret'): Promise<Config> {
  const text = JSON.stringify({ mcpServers, gateway });
  const loaded = await loadConfig({ file: 'mcp.json', base: '/', text, env: {}, secrets: { read: () => secret } });
  if (!loaded.ok) throw new Error(loaded.issues.map(formatIssue).join('\n'));
  return loaded.config;
}

/** The plan by names. */
const names = ({ start, stop, swap, retag, unchanged, order, needsRestart }: Plan) => {
  const nameOf = (spec: BackendSpec) => spec.name;
  return { start: start.map(nameOf), stop, swap: swap.map(nameOf), retag: retag.map(nameOf), unchanged, order, needsRestart };
};

const LOCAL = { command: 'x' };
const REMOTE = { url: 'http://127.0.0.1:9/mcp' };
const change = async (before: Json, after: Json) => planOf(await configOf({ a: before, b: LOCAL }), await configOf({ a: after, b: LOCAL }));

describe('a plan', () => {
  it('names what starts, stops, is replaced, changes in place and stays', async () => {
    const before = await configOf({ stays: LOCAL, goes: LOCAL, other: LOCAL, tagged: LOCAL });
    const after = await configOf({ tagged: { ...LOCAL, tags: ['t'] }, comes: LOCAL, other: { command: 'y' }, stays: LOCAL });
    expect(names(planOf(before, after))).toEqual({
      start: ['comes'],
      stop: ['goes'],
      swap: ['other'],
      retag: ['tagged'],
      unchanged: ['stays'],
      order: ['tagged', 'comes', 'other', 'stays'],
      needsRestart: [],
    });
  });

  it.each([
    ['the program', LOCAL, { command: 'y' }],
    ['an argument', LOCAL, { ...LOCAL, args: ['-v'] }],
    ['the order of arguments', { command: ['x', 'a', 'b'] }, { command: ['x', 'b', 'a'] }],
    ['a variable', LOCAL, { ...LOCAL, env: { A: '1' } }],
    ['the value of a variable', { ...LOCAL, env: { A: '1' } }, { ...LOCAL, env: { A: '2' } }],
    ['the name of a variable', { ...LOCAL, env: { A: '1' } }, { ...LOCAL, env: { B: '1' } }],
    ['the folder', LOCAL, { ...LOCAL, cwd: '/tmp' }],
    ['the kind', LOCAL, REMOTE],
    ['the address', REMOTE, { url: 'http://127.0.0.1:10/mcp' }],
    ['a header', REMOTE, { ...REMOTE, headers: { 'X-A': 'b' } }],
    ['the transport', REMOTE, { ...REMOTE, type: 'sse' }],
    ['isolation', LOCAL, { ...LOCAL, isolation: 'session' }],
    ['requestTimeout', LOCAL, { ...LOCAL, requestTimeout: '5s' }],
    ['requestTotalTimeout', LOCAL, { ...LOCAL, requestTotalTimeout: '5m' }],
    ['a hidden value', { ...LOCAL, env: { API_KEY: 'before' } }, { ...LOCAL, env: { API_KEY: 'after.' } }],
    ['the program and a tag', LOCAL, { command: 'y', tags: ['t'] }],
  ])('replaces a server when %s changed', async (_, before, after) => {
    expect(names(await change(before, after))).toMatchObject({ swap: ['a'], retag: [], unchanged: ['b'] });
  });

  it.each([
    ['namespace', 'other'],
    ['tags', ['t']],
    ['critical', true],
    ['samplingContext', true],
    ['restart', 'never'],
    ['dependsOn', ['b']],
    ['lazy', true],
    ['handoff', 'stop-first'],
    ['retry', 'never'],
    ['enabledTools', ['t']],
    ['disabledTools', ['t']],
    ['startTimeout', '5s'],
    ['install', { timeout: '6m' }],
    ['idleTimeout', '1h'],
    ['queueTimeout', '1s'],
    ['maxConcurrency', 1],
    ['maxQueue', 1],
    ['maxMemory', '1GiB'],
  ])('leaves a server running when its %s changed', async (key, value) => {
    expect(names(await change(LOCAL, { ...LOCAL, [key]: value }))).toMatchObject({ swap: [], retag: ['a'], unchanged: ['b'] });
  });

  it('does not care how a file is written', async () => {
    const before = await configOf(
      { a: { command: ['x', '1'], env: { A: '1', B: '2' }, timeout: '60s' }, b: { ...REMOTE, headers: { A: '1', B: '2' } } },
      { callWait: '10s', restart: { max: '30s', initial: '500ms' } },
    );
    const after = await configOf(
      { b: { headers: { B: '2', A: '1' }, ...REMOTE }, a: { args: ['1'], requestTimeout: 60_000, env: { B: '2', A: '1' }, command: 'x' } },
      { restart: { initial: 500 } },
    );
    expect(names(planOf(before, after))).toMatchObject({ start: [], stop: [], swap: [], retag: [], order: ['b', 'a'], needsRestart: [] });
  });

  it('compares secrets by their value', async () => {
    const servers = { a: { ...LOCAL, env: { A: '${SECRET:x}' }, args: ['--key=${SECRET:x}'] } };
    const [one, same, other] = await Promise.all([configOf(servers), configOf(servers), configOf(servers, {}, 'rotated')]);
    expect(isEmptyPlan(planOf(one!, same!))).toBe(true);
    expect(names(planOf(one!, other!)).swap).toEqual(['a']);
  });

  it('starts and stops what is enabled and disabled', async () => {
    const [on, off] = [await configOf({ a: LOCAL }), await configOf({ a: { ...LOCAL, disabled: true } })];
    expect(names(planOf(on, off)).stop).toEqual(['a']);
    expect(names(planOf(off, on)).start).toEqual(['a']);
  });

  it('names the options of the gateway that only a restart applies', async () => {
    const before = await configOf({});
    const after = await configOf(
      { a: LOCAL },
      {
        host: '::1',
        port: 1,
        trustedHosts: ['h'],
        trustedProxies: ['loopback'],
        publicUrl: 'https://h',
        allowedOrigins: ['https://o'],
        insecureNoAuth: true,
        naming: { prefix: 'never' },
        stateDir: '/state',
        instructions: 'off',
        health: { details: 'full' },
        features: { legacySse: false, metrics: false },
        passthroughExtensions: { 'com.acme/x': 'a' },
        callWait: 1,
        restart: { max: '1s' },
      },
    );
    expect(planOf(before, after).needsRestart).toEqual(
      [
        'host',
        'port',
        'trustedHosts',
        'trustedProxies',
        'publicUrl',
        'allowedOrigins',
        'insecureNoAuth',
        'naming.prefix',
        'stateDir',
        'instructions',
        'health.details',
        'passthroughExtensions',
        'features.legacySse',
        'features.metrics',
        'callWait',
        'restart.max',
      ].map((name) => `gateway.${name}`),
    );
    // Whatever a file can say of the gateway is told when it changes.
    const untold = new Set(['file', 'backends', 'disabled', 'limits', 'secrets', 'strategy']);
    expect(Object.keys(before).filter((key) => !untold.has(key))).toHaveLength(13);
  });

  it('says so until the gateway has been restarted', async () => {
    const [started, current] = [await configOf({}), await configOf({}, { port: 1 })];
    expect(planOf(current, current, started).needsRestart).toEqual(['gateway.port']);
    expect(planOf(current, started, started).needsRestart).toEqual([]);
  });

  it('applies defaults of servers through the servers', async () => {
    const gateway = { idleTimeout: '1h', maxQueue: 1, startTimeout: '5s' };
    expect(names(planOf(await configOf({ a: LOCAL }), await configOf({ a: LOCAL }, gateway)))).toMatchObject({
      retag: ['a'],
      needsRestart: [],
    });
    expect(names(planOf(await configOf({ a: LOCAL }), await configOf({ a: LOCAL }, { requestTimeout: '1s' })))).toMatchObject({
      swap: ['a'],
      needsRestart: [],
    });
  });
});

/** Small sets of small servers, so that equal ones are frequent. */
const server = fc.record(
  {
    command: fc.constantFrom('x', 'y'),
    args: fc.constantFrom([], ['1']),
    env: fc.constantFrom({}, { A: '1' }, { A: '${SECRET:s}' }),
    tags: fc.constantFrom([], ['t'], ['u', 't']),
    critical: fc.boolean(),
    maxQueue: fc.constantFrom(0, 1),
    disabled: fc.boolean(),
  },
  { requiredKeys: ['command'] },
);
const servers = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), server, { noNullPrototype: true });
const limitName = fc.constantFrom(...(Object.keys(LIMITS) as (keyof typeof LIMITS)[]).filter((name) => !name.includes('.')));
const gateway = fc.dictionary(limitName, fc.constantFrom(60_000, 70_000), { maxKeys: 2, noNullPrototype: true });

describe('any plan', () => {
  it('leads from the one configuration to the other, and from a configuration to itself it does nothing', async () => {
    const property = fc.asyncProperty(servers, servers, gateway, async (before, after, options) => {
      const [current, next] = [await configOf(before), await configOf(after, options, 'another')];
      const plan = planOf(current, next);
      const set = new Map(current.backends.map((spec) => [spec.name, spec]));
      for (const name of plan.stop) expect(set.delete(name)).toBe(true);
      for (const spec of plan.start) {
        expect(set.has(spec.name)).toBe(false);
        set.set(spec.name, spec);
      }
      for (const spec of [...plan.swap, ...plan.retag]) {
        expect(set.has(spec.name)).toBe(true);
        set.set(spec.name, spec);
      }
      expect(plan.order.map((name) => revealing(set.get(name)))).toEqual(next.backends.map(revealing));
      expect(set.size).toBe(next.backends.length);
      // Each name has exactly one fate.
      const fates = [plan.start, plan.swap, plan.retag].flat().map(({ name }) => name);
      expect([...fates, ...plan.unchanged].sort()).toEqual([...plan.order].sort());

      const nothing = planOf(next, await configOf(after, options, 'another'));
      expect(isEmptyPlan(nothing)).toBe(true);
      expect(nothing.needsRestart).toEqual([]);
    });
    await fc.assert(property, { numRuns: 200 });
  });
});

const revealing = (spec: BackendSpec | undefined): unknown =>
  JSON.parse(
    // The value that is given has been through its `toJSON` already.
    JSON.stringify(spec, function (this: Record<string, { reveal?: () => string }>, key, value) {
      const reveal = this[key]?.reveal;
      return reveal ? `secret ${reveal()}` : value;
    }),
  );
