import { describe, expect, it } from 'vitest';
import { OnemcpError } from '../../src/errors.ts';
import { health, healthLevel, healthStatus, isReady, shownSource, sourceProblems, withoutDetails } from '../../src/observe/health.ts';
import type { BackendState, InstanceView, World } from '../../src/world.ts';
import { fakeSession, viewOf, worldOf } from '../support/fakeWorld.ts';
import { instanceOf } from '../support/machines.ts';
import { verifies } from '../support/verifies.ts';

const VITALS = {
  version: '0.15.0',
  uptime: 3600.9,
  heapUsed: 50.5 * 1024 * 1024,
  heapTotal: 100 * 1024 * 1024,
  rss: 200 * 1024 * 1024,
  now: Date.parse('2025-01-30T12:00:00.000Z'),
  transport: 'http',
} as const;
const at = (text: string) => Date.parse(text);
const DOWN: readonly BackendState[] = ['idle', 'starting', 'error', 'retrying', 'stopping', 'stopped'];

describe('the level of health', () => {
  const up = viewOf('up');
  const down = viewOf('down', { state: 'retrying' });
  const critical = { ...down, critical: true };
  it.each([
    ['no backend is configured', worldOf([]), 'healthy'],
    ['all are connected', worldOf([up, viewOf('b')]), 'healthy'],
    ['a critical one is connected', worldOf([{ ...up, critical: true }]), 'healthy'],
    ['one of two is down', worldOf([up, down]), 'degraded'],
    ['all are down', worldOf([down]), 'unhealthy'],
    ['a critical one is down', worldOf([up, critical]), 'unhealthy'],
    ['only disabled ones are not there', worldOf([up], { disabled: ['off'] }), 'healthy'],
    ['it drains', worldOf([up], { phase: 'draining' }), 'degraded'],
    ['it stops', worldOf([up], { phase: 'stopping' }), 'degraded'],
    ['it boots', worldOf([], { phase: 'booting' }), 'healthy'],
  ] as const)(verifies('health-levels', 'when %s'), (_, world, level) => {
    expect(healthLevel(world)).toBe(level);
  });

  it.each(DOWN)(verifies('health-levels', 'counts %s as down'), (state) => {
    expect(healthLevel(worldOf([up, viewOf('b', { state })]))).toBe('degraded');
  });

  it(verifies('health-levels', 'is 503 only when unhealthy'), () => {
    expect((['healthy', 'degraded', 'unhealthy'] as const).map(healthStatus)).toEqual([200, 200, 503]);
  });
});

it.each([
  ['booting', false],
  ['running', true],
  ['draining', false],
  ['stopping', false],
  ['stopped', false],
] as const)(verifies('ready', 'ready while %s: %j, whatever the backends do'), (phase, ready) => {
  for (const state of ['connected', 'retrying'] as const) expect(isReady(worldOf([viewOf('a', { state })], { phase }))).toBe(ready);
  const world = worldOf([], { phase });
  expect(isReady({ ...world, config: { ...world.config, loaded: false } })).toBe(false);
});

describe('the health document', () => {
  it(verifies('health-fields', 'is the example of the guide, and no more than that'), () => {
    const world = worldOf(
      [
        viewOf('filesystem-server', {
          tags: ['filesystem'],
          since: at('2025-01-30T11:30:00.000Z'),
          lastConnected: at('2025-01-30T11:30:00.000Z'),
          session: { ...fakeSession({ pid: 42 }), inFlight: 3 },
        }),
        viewOf('web-server', {
          state: 'retrying',
          tags: ['network', 'web'],
          since: at('2025-01-30T11:59:59.000Z'),
          lastError: new OnemcpError('timeout', 'Connection timeout'),
          retryAt: at('2025-01-30T12:00:01.000Z'),
          failures: 2,
          critical: true,
          notes: ['tools/list was cut'],
        }),
      ],
      { disabled: ['off'] },
    );
    expect(JSON.parse(JSON.stringify(health(world, VITALS)))).toEqual({
      status: 'unhealthy',
      phase: 'running',
      timestamp: '2025-01-30T12:00:00.000Z',
      version: '0.15.0',
      system: { uptime: 3600, memory: { used: 50.5, total: 100, percentage: 50.5, rss: 200 } },
      servers: {
        total: 3,
        healthy: 1,
        unhealthy: 1,
        details: [
          {
            name: 'filesystem-server',
            status: 'connected',
            healthy: true,
            tags: ['filesystem'],
            since: '2025-01-30T11:30:00.000Z',
            lastConnected: '2025-01-30T11:30:00.000Z',
            inFlight: 3,
            pid: 42,
          },
          {
            name: 'web-server',
            status: 'retrying',
            healthy: false,
            tags: ['network', 'web'],
            critical: true,
            since: '2025-01-30T11:59:59.000Z',
            lastError: 'Connection timeout',
            nextRetry: '2025-01-30T12:00:01.000Z',
            failures: 2,
            notes: ['tools/list was cut'],
          },
          { name: 'off', status: 'disabled', healthy: false },
        ],
      },
      configuration: {
        loaded: true,
        serverCount: 3,
        enabledCount: 2,
        disabledCount: 1,
        authEnabled: false,
        transport: 'http',
        revision: 1,
        appliedAt: '1970-01-01T00:00:00.000Z',
      },
    });
  });

  it(verifies('health-fields', 'leaves out what is not known, instead of showing null'), () => {
    const [server] = health(worldOf([viewOf('a', { state: 'idle' })]), VITALS).servers.details;
    expect(Object.keys(server ?? {})).toEqual(['name', 'status', 'healthy', 'tags', 'since']);
  });

  it('shows the last error of a backend only while it is down', () => {
    const lastError = new OnemcpError('timeout', 'late');
    const [server] = health(worldOf([viewOf('a', { lastError })]), VITALS).servers.details;
    expect(server).not.toHaveProperty('lastError');
  });

  it(verifies(['B23', 'B26'], 'names what is wrong with lists'), () => {
    const notes = ['tools/list was cut: its cursors repeat (cursor-loop)'];
    expect(health(worldOf([viewOf('a', { notes })]), VITALS).servers.details[0]?.notes).toEqual(notes);
  });

  it(verifies('fair-queue', 'shows how many requests wait for a backend, and for how long, only while some do'), () => {
    const waitingFor = (name: string) => (name === 'b' ? { queued: 3, queueAgeMs: 1_250 } : undefined);
    const { details } = health(worldOf([viewOf('a'), viewOf('b')]), { ...VITALS, waitingFor }).servers;
    expect(details[0]).not.toHaveProperty('queued');
    expect(details[1]).toMatchObject({ inFlight: 0, queued: 3, queueAgeMs: 1_250 });
  });

  it('names what is hidden of a backend after what is wrong with its lists', () => {
    const world = worldOf([viewOf('a'), viewOf('b', { notes: ['tools/list was cut'] }), viewOf('c')]);
    const hidden = new Map([
      ['b', ['tools/list: hidden']],
      ['c', ['prompts/list: hidden']],
    ]);
    expect(health(world, { ...VITALS, hidden }).servers.details.map(({ notes }) => notes)).toEqual([
      undefined,
      ['tools/list was cut', 'tools/list: hidden'],
      ['prompts/list: hidden'],
    ]);
  });

  it('shows why the configuration file as it is now is not in force', () => {
    const issues = Array.from({ length: 7 }, (_, index) => ({ file: 'mcp.json', line: 3, column: index + 1, path: 'a', message: 'bad' }));
    const world = worldOf([]);
    const { configuration } = health({ ...world, config: { ...world.config, revision: 4, lastError: { at: 0, issues } } }, VITALS);
    expect(configuration).toMatchObject({ revision: 4, lastError: { at: '1970-01-01T00:00:00.000Z', count: 7 } });
    expect(configuration.lastError?.issues).toHaveLength(5);
    expect(configuration.lastError?.issues[0]).toBe('mcp.json:3:1 a: bad');
  });

  it('depends on nothing but what it is given', () => {
    const world = worldOf([viewOf('a')]);
    expect(health(world, VITALS)).toEqual(health(world, VITALS));
  });
});

describe('instances in the health document', () => {
  const viewOfInstance = (backend: string, key: string, patch: Parameters<typeof viewOf>[1]): InstanceView => ({
    ...viewOf(backend, patch),
    instance: instanceOf(backend, key, { capabilities: { 'a-capability': {} } }),
  });
  const withInstances = (world: World, ...views: readonly InstanceView[]): World => ({
    ...world,
    instances: new Map(views.map((view) => [view.instance.id, view])),
  });

  it(verifies('health-fields', 'stand with their server, with what is known of them and no more'), () => {
    const world = withInstances(
      worldOf([viewOf('a'), viewOf('b')], { disabled: ['off'] }),
      viewOfInstance('a', 'client-1', {
        session: { ...fakeSession({ pid: 42 }), inFlight: 2 },
        lastError: new OnemcpError('timeout', 'of long ago'),
      }),
      viewOfInstance('b', 'sampling', { state: 'idle' }),
      viewOfInstance('a', 'client-2', { state: 'retrying', lastError: new OnemcpError('timeout', 'late') }),
    );
    const { details } = JSON.parse(JSON.stringify(health(world, VITALS))).servers;
    expect(details.map(({ name, instances }: { name: string; instances?: unknown }) => [name, instances])).toEqual([
      [
        'a',
        [
          { id: 'a@client-1', status: 'connected', pid: 42, inFlight: 2 },
          { id: 'a@client-2', status: 'retrying', lastError: 'late' },
        ],
      ],
      ['b', [{ id: 'b@sampling', status: 'idle' }]],
      ['off', undefined],
    ]);
  });

  it(verifies('health-levels', 'never change the level, nor the counts'), () => {
    const world = worldOf([viewOf('a', { critical: true })]);
    const down = withInstances(world, viewOfInstance('a', 'k', { state: 'error', critical: true }));
    const [before, after] = [health(world, VITALS), health(down, VITALS)];
    expect([healthLevel(down), after.status]).toEqual(['healthy', 'healthy']);
    expect({ ...after.servers, details: [] }).toEqual({ ...before.servers, details: [] });
    const back = withInstances(worldOf([viewOf('a', { state: 'error' })]), viewOfInstance('a', 'k', {}));
    expect(healthLevel(back)).toBe('unhealthy');
  });
});

describe('problems of the gateway itself', () => {
  const problems = ['the lists cannot be kept'];

  it('make a healthy gateway degraded, which answers 200, and change nothing else', () => {
    const level = (...views: Parameters<typeof worldOf>[0]) => health(worldOf(views), { ...VITALS, problems }).status;
    expect([level(viewOf('a')), level(viewOf('a'), viewOf('b', { state: 'error' })), level(viewOf('b', { state: 'error' }))]).toEqual([
      'degraded',
      'degraded',
      'unhealthy',
    ]);
    expect(healthStatus('degraded')).toBe(200);
  });

  it('are in the document while there are any', () => {
    const world = worldOf([viewOf('a')]);
    expect(health(world, { ...VITALS, problems })).toMatchObject({ problems });
    expect([health(world, { ...VITALS, problems: [] }).status, 'problems' in health(world, { ...VITALS, problems: [] })]).toEqual([
      'healthy',
      false,
    ]);
  });
});

it(
  verifies('discovery-kept', 'sources of servers are shown, to those who may know names; one that fails is a problem of the gateway'),
  () => {
    const since = at('2025-01-30T11:00:00.000Z');
    const notes = ['1', '2', '3', '4', '5', '6'];
    const sources = [
      { name: 'conf.d', status: 'ok', servers: 2, notes, since },
      { name: 'docker', status: 'failing', servers: 1, lastError: 'no socket', notes: [], since },
    ] as const;
    const shown = health(worldOf([viewOf('a')]), { ...VITALS, sources, problems: sourceProblems(sources) });
    expect(shown.configuration.sources).toEqual([
      { name: 'conf.d', status: 'ok', servers: 2, notes: notes.slice(0, 5), since: '2025-01-30T11:00:00.000Z' },
      { name: 'docker', status: 'failing', servers: 1, lastError: 'no socket', since: '2025-01-30T11:00:00.000Z' },
    ]);
    expect(shown).toMatchObject({ status: 'degraded', problems: ['servers of docker cannot be read: no socket'] });
    expect(withoutDetails(shown).configuration).not.toHaveProperty('sources');
  },
);

it('texts of a source are shown without secrets', () => {
  const redact = (text: string) => text.replaceAll('hunter2', '***');
  const source = { name: 'docker', status: 'failing', servers: 1, lastError: 'no hunter2', notes: ['hunter2?'], since: 1 } as const;
  expect(shownSource(source, redact)).toEqual({ ...source, lastError: 'no ***', notes: ['***?'] });
});
