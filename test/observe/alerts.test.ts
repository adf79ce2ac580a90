import { BehaviorSubject } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { startAlerting } from '../../src/actors/alert.ts';
import { OnemcpError } from '../../src/errors.ts';
import { limitsWith } from '../../src/limits.ts';
import { alertBody } from '../../src/observe/alertBody.ts';
import { createAlerts, type Notice } from '../../src/observe/alerts.ts';
import { createRedactor } from '../../src/observe/redact.ts';
import type { BackendView, World } from '../../src/world.ts';
import { type FakeBackend, viewOf, worldOf } from '../support/fakeWorld.ts';
import { verifies } from '../support/verifies.ts';

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }));
afterEach(() => void vi.useRealTimers());

const SENDER = { name: 'onemcp', version: '1.2.3', host: 'box', url: 'http://127.0.0.1:3050' };
const exited = new OnemcpError('backend_exited', '"db" exited with code 1 (token sesame-open)', {
  server: 'db',
  reason: 'exit',
  exitCode: 1,
});

/** A World that a test changes, and what is told of it. */
function watched(...views: BackendView[]) {
  const world$ = new BehaviorSubject<World>(worldOf(views));
  const notices: Notice[] = [];
  const limits = limitsWith();
  let problems: readonly string[] = [];
  const alerts = createAlerts(world$, {
    machine: (say) => startAlerting({ limits, monotonic: Date.now, say }),
    notify: (notice) => void notices.push(notice),
    limits,
    redact: createRedactor(['sesame-open']).redact,
    now: Date.now,
    sender: () => SENDER,
    problems: () => problems,
  });
  return {
    alerts,
    notices,
    /** Those that everybody gets. */
    told: () => notices.filter(({ echo }) => !echo).map(({ alert: { type, server = '' } }) => `${type} ${server}`.trim()),
    show: (...next: BackendView[]) => world$.next(worldOf(next)),
    showWorld: (patch: Partial<World>) => world$.next({ ...world$.value, ...patch }),
    setProblems: (next: readonly string[]) => {
      problems = next;
    },
    pass: (ms: number) => vi.advanceTimersByTimeAsync(ms),
  };
}

const down = (name: string, patch: FakeBackend = {}) =>
  viewOf(name, { state: 'retrying', lastError: exited, failures: 1, connects: 1, ...patch });
const other = viewOf('other');

describe('a backend', () => {
  it('that is down for a moment is not told of', async () => {
    const { show, pass, notices } = watched(viewOf('db'), other);
    show(down('db'), other);
    await pass(9_000);
    show(viewOf('db', { connects: 2 }), other);
    await pass(60_000);
    expect(notices).toEqual([]);
  });

  it(verifies('alert-once', 'that is down is one incident with its recovery, whatever it goes through meanwhile'), async () => {
    const { show, pass, notices, told } = watched(viewOf('db'), other);
    show(down('db'), other);
    await pass(4_000);
    show(down('db', { state: 'starting' }), other);
    await pass(4_000);
    show(down('db', { state: 'failed', failures: 5, connects: 0 }), other);
    await pass(2_000);
    expect(told()).toEqual(['backend_failed db']);
    expect(notices.find(({ echo }) => !echo)?.alert).toEqual({
      id: expect.stringMatching(/^[\w-]{36}-opened$/),
      incident: expect.stringMatching(/^[\w-]{36}$/),
      type: 'backend_failed',
      severity: 'warning',
      server: 'db',
      at: '1970-01-01T00:16:50.000Z',
      since: '1970-01-01T00:16:40.000Z',
      summary: '"db" is down and is not tried again until somebody asks for it (onemcp start db). More: onemcp why db',
      error: '"db" exited with code 1 (token ***)',
      gateway: SENDER,
    });
    await pass(600_000);
    show(viewOf('db', { connects: 2 }), other);
    await pass(30_000);
    expect(told()).toEqual(['backend_failed db', 'recovered db']);
    const [opened, recovered] = notices.filter(({ echo }) => !echo).map(({ alert }) => alert);
    expect(recovered).toMatchObject({
      incident: opened?.incident,
      id: `${opened?.incident}-recovered`,
      of: 'backend_failed',
      severity: 'info',
      since: opened?.since,
      summary: '"db" is well again after 10m 40s.',
    });
  });

  it('that starts for the first time is not judged, however long it takes', async () => {
    const { show, pass, notices } = watched(viewOf('db', { state: 'idle' }));
    show(viewOf('db', { state: 'starting' }));
    await pass(600_000);
    expect(notices).toEqual([]);
  });

  it('that is critical is a critical incident', async () => {
    const { show, pass, notices } = watched(viewOf('db', { critical: true }), other);
    show(down('db', { critical: true }), other);
    await pass(10_000);
    expect(notices.map(({ alert, echo }) => [alert.type, alert.severity, echo])).toEqual([
      ['backend_failed', 'critical', false],
      ['gateway_unhealthy', 'critical', true],
    ]);
  });

  it('that ends again and again is a crash loop, although it is up now and then', async () => {
    const { show, pass, told, notices } = watched(viewOf('db'), other);
    for (let failures = 1; failures <= 12; failures++) {
      show(down('db', { failures }), other);
      await pass(1_000);
      show(viewOf('db', { failures, lastError: exited, connects: failures + 1 }), other);
      await pass(2_000);
    }
    expect(told()).toEqual(['crash_loop db']);
    expect(notices[0]?.alert.summary).toMatch(/^"db" ended \d times in a row/);
    show(viewOf('db', { failures: 0, connects: 13 }), other);
    await pass(30_000);
    expect(told()).toEqual(['crash_loop db', 'recovered db']);
  });

  it('that refuses our credentials wants authorization', async () => {
    const refused = new OnemcpError('http_status', '"db" answered 401 Unauthorized', { server: 'db', status: 401 });
    const { show, pass, notices } = watched(viewOf('db', { kind: 'remote' }), other);
    show(down('db', { state: 'failed', kind: 'remote', lastError: refused }), other);
    await pass(10_000);
    expect(notices[0]?.alert).toMatchObject({
      type: 'needs_authorization',
      summary: expect.stringMatching(/^"db" refuses the credentials that it is sent\. .*check "headers".* More: onemcp why db$/),
    });
  });

  it('that is stopped by an operator, or removed, is no incident any more', async () => {
    const { show, pass, notices, told } = watched(viewOf('a'), viewOf('b'), other);
    show(down('a'), down('b'), other);
    await pass(10_000);
    show(viewOf('a', { state: 'stopped', lastError: exited }), other);
    await pass(30_000);
    expect(told()).toEqual(['backend_failed a', 'backend_failed b', 'recovered b', 'recovered a']);
    const last = notices.filter(({ alert }) => alert.type === 'recovered').map(({ alert }) => alert.summary);
    expect(last.slice(0, 2)).toEqual([
      '"b" is no longer configured; its incident is closed after 10s.',
      '"a" is stopped; its incident is closed after 40s.',
    ]);
  });
});

describe('the gateway', () => {
  it('is degraded when a server is down, which repeats what is said of that server', async () => {
    const { show, pass, notices } = watched(viewOf('db'), other);
    show(down('db'), other);
    await pass(10_000);
    expect(notices.map(({ alert, echo }) => [alert.type, echo])).toEqual([
      ['backend_failed', false],
      ['gateway_degraded', true],
    ]);
    expect(notices[1]?.alert.summary).toBe('The gateway is degraded: "db" is not usable. More: onemcp status');
  });

  it('names only some of many', async () => {
    const names = Array.from({ length: 9 }, (_, index) => `s${index}`);
    const { show, pass, notices } = watched(...names.map((name) => viewOf(name)), other);
    show(...names.map((name) => down(name)), other);
    await pass(10_000);
    expect(notices.at(-1)?.alert.summary).toContain('"s0", "s1", "s2", "s3", "s4" and 4 more are not usable');
  });

  it('is unhealthy when all are down, and told of as such also when it was degraded before', async () => {
    const { show, pass, told, notices } = watched(viewOf('db'), other);
    show(down('db'), other);
    await pass(20_000);
    show(down('db'), down('other'));
    await pass(20_000);
    expect(told()).toEqual(['backend_failed db', 'backend_failed other', 'gateway_unhealthy']);
    expect(notices.at(-1)?.alert).toMatchObject({
      severity: 'critical',
      summary: 'The gateway is unhealthy: none of its servers is usable. More: onemcp status',
    });
    show(viewOf('db'), other);
    await pass(30_000);
    expect(told().slice(3).sort()).toEqual(['recovered', 'recovered db', 'recovered other']);
  });

  it('tells of its own problems, which are not in the World', async () => {
    const { setProblems, pass, told, notices } = watched(other);
    setProblems(['the lists of the servers cannot be kept']);
    await pass(15_000);
    expect(told()).toEqual(['gateway_degraded']);
    expect(notices[0]?.alert.error).toBe('the lists of the servers cannot be kept');
    setProblems([]);
    await pass(35_000);
    expect(told()).toEqual(['gateway_degraded', 'recovered']);
  });

  it('that goes down tells nothing more', async () => {
    const { showWorld, show, pass, notices, alerts } = watched(viewOf('db'), other);
    showWorld({ phase: 'draining' });
    showWorld({ backends: worldOf([down('db')]).backends });
    await pass(60_000);
    expect(notices).toEqual([]);
    show(down('db'));
    alerts.close();
    await pass(60_000);
    expect(notices).toEqual([]);
  });
});

it('a rejected configuration is one incident, however often it is edited into another bad one', async () => {
  const { showWorld, pass, told, notices } = watched(other);
  const { config } = worldOf([other]);
  const issue = { file: 'mcp.json', line: 3, column: 5, path: 'mcpServers.web.timeuot', message: 'unknown key sesame-open' };
  for (let at = 0; at < 5; at++) {
    showWorld({ config: { ...config, lastError: { at, issues: [issue, issue] } } });
    await pass(4_000);
  }
  expect(told()).toEqual(['config_rejected']);
  expect(notices[0]?.alert).toMatchObject({
    summary: 'The configuration was rejected; revision 1 stays in force. See all that is wrong with: onemcp check',
    error: 'mcp.json:3:5 mcpServers.web.timeuot: unknown key *** (and 1 more)',
  });
  showWorld({ config });
  await pass(30_000);
  expect(told()).toEqual(['config_rejected', 'recovered']);
  expect(notices[1]?.alert.summary).toBe('The configuration is valid again after 50s.');
});

it(verifies('alert-muted', 'an operator mutes one subject; what is wrong with it afterwards is told then'), async () => {
  const { show, pass, told, alerts } = watched(viewOf('db'), other);
  expect([alerts.mute('db', 60_000), alerts.mute('nobody', 60_000), alerts.mute('gateway', 1_000)]).toEqual([true, false, true]);
  show(down('db'), down('other'));
  await pass(30_000);
  expect(told()).toEqual(['backend_failed other', 'gateway_unhealthy']);
  alerts.mute('db', undefined);
  await pass(10_000);
  expect(told().at(-1)).toBe('backend_failed db');
});

it('flapping is told as such, with what it is about', async () => {
  const { show, pass, told, notices } = watched(viewOf('db'), other);
  for (let count = 0; count < 8; count++) {
    show(down('db'), other);
    await pass(10_000);
    show(viewOf('db'), other);
    await pass(30_000);
  }
  expect(told()).toEqual([...Array(3).fill(['backend_failed db', 'recovered db']).flat(), 'flapping db']);
  const last = notices.filter(({ echo }) => !echo).at(-1);
  expect(last?.about).toEqual(['backend_failed', 'flapping']);
  expect(last?.alert).toMatchObject({
    of: 'backend_failed',
    summary:
      '"db" goes up and down, more than 3 times within 30m 0s; no more is said of it until it has been the same for 10m 0s. More: onemcp why db',
  });
});

describe('a body', () => {
  const alert = {
    id: 'i-opened',
    incident: 'i',
    type: 'backend_failed',
    severity: 'critical',
    server: 'db',
    at: 'T2',
    since: 'T1',
    summary: '"db" is down. <!channel> & more',
    error: 'first `line`\nsecond <@U1> line',
    gateway: SENDER,
  } as const;

  it('is the whole document as JSON', () => {
    expect(JSON.parse(alertBody(alert, 'json'))).toEqual(alert);
  });

  it('is a text for Slack, in which foreign text mentions nobody', () => {
    expect(JSON.parse(alertBody(alert, 'slack'))).toEqual({
      text: [
        ':red_circle: *onemcp* on box: "db" is down. &lt;!channel&gt; &amp; more',
        "> first 'line'",
        '> second &lt;@U1&gt; line',
        '_backend failed, since T1_',
      ].join('\n'),
    });
  });
});
