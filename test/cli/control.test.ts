import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { operate } from '../../src/cli/operate.ts';
import type { ProcessPorts } from '../../src/cli/process.ts';
import { reload } from '../../src/cli/reload.ts';
import { status } from '../../src/cli/status.ts';
import { why } from '../../src/cli/why.ts';
import { stateDirOfText } from '../../src/config/stateDir.ts';
import { OnemcpError } from '../../src/errors.ts';
import { controlListener } from '../../src/http/control.ts';
import type { ControlOps } from '../../src/http/controlOps.ts';
import { controlPaths, openControl } from '../../src/io/controlSocket.ts';
import { statusOf } from '../../src/observe/status.ts';
import type { Story } from '../../src/observe/story.ts';
import type { World } from '../../src/world.ts';
import { until } from '../e2e/gateway.ts';
import { viewOf, worldOf } from '../support/fakeWorld.ts';
import { verifies } from '../support/verifies.ts';

/** A process in a folder of its own, and what it printed. */
function terminal({ isTTY = false } = {}) {
  const cwd = mkdtempSync(join(tmpdir(), 'onemcp-t-'));
  onTestFinished(() => rmSync(cwd, { recursive: true, force: true }));
  let [out, err] = ['', ''];
  const signals = new Set<(signal: string) => void>();
  const ports: ProcessPorts = {
    env: { ONEMCP_STATE_DIR: join(cwd, 'state') },
    cwd,
    platform: process.platform,
    uid: process.getuid?.(),
    tmpdir: cwd,
    stdin: new PassThrough(),
    stdout: Object.assign(new PassThrough(), { isTTY }).on('data', (chunk) => (out += chunk)),
    stderr: new PassThrough().on('data', (chunk) => (err += chunk)),
    onSignal(listener) {
      signals.add(listener);
      return () => void signals.delete(listener);
    },
    onHangup: () => () => undefined,
    exit: () => {
      throw new Error('nobody exits here');
    },
  };
  return {
    ports,
    cwd,
    asking: <F extends object>(flags = {} as F) => ({ file: 'mcp.json', flags, ports }),
    interrupt: () => {
      for (const listener of signals) listener('SIGINT');
    },
    get out() {
      return out;
    },
    get err() {
      return err;
    },
  };
}

type Terminal = ReturnType<typeof terminal>;

/** A gateway that serves `mcp.json` of that folder. */
async function gateway({ ports, cwd }: Terminal, patch: Partial<ControlOps> = {}) {
  const ops: ControlOps = {
    status: () => documentOf(worldOf([viewOf('a')])),
    why: (name) => ({ timestamp: '', name, path: [], circuit: 'closed' }),
    operate: async ({ op, name, ...more }, { wait }) => ({
      ok: true,
      message: JSON.stringify({ op, name, ...more, wait }),
      server: undefined,
    }),
    ...patch,
  };
  const server = await openControl(
    controlPaths({ ...ports, file: join(cwd, 'mcp.json'), stateDir: join(cwd, 'state') }),
    controlListener(ops),
  );
  onTestFinished(() => server.close());
  return server;
}

const documentOf = (world: World, stories: Readonly<Record<string, Story>> = {}, now = 0) =>
  statusOf(world, { version: '1', pid: 1, url: undefined, startedAt: 0, now, story: (name) => stories[name] });

describe('a command for a running gateway', () => {
  it('says where it looked when there is none, and how to start one', async () => {
    const term = terminal();
    expect(await status(term.asking())).toBe(1);
    const file = join(term.cwd, 'mcp.json');
    expect(term.err).toContain(`onemcp: no gateway runs for ${file} (looked at ${join(term.cwd, 'state/run/')}`);
    expect(term.err).toContain(`; start one: onemcp run ${file}\n`);
  });

  it(verifies('status', 'finds its gateway although the file is broken'), async () => {
    const term = terminal();
    await gateway(term);
    writeFileSync(join(term.cwd, 'mcp.json'), '{ "mcpServers": { "a": { "comm');
    expect(await status(term.asking())).toBe(0);
    expect(term.out).toMatch(/a +connected/);
  });

  it('takes a socket by its path', async () => {
    const term = terminal();
    const { path } = await gateway(term);
    const elsewhere = terminal();
    expect(await status(elsewhere.asking({ socket: path }))).toBe(0);
    expect(await status(elsewhere.asking({ socket: 'none.sock' }))).toBe(1);
  });

  it('prints JSON', async () => {
    const term = terminal();
    await gateway(term);
    await status(term.asking({ json: true }));
    expect(JSON.parse(term.out)).toEqual(documentOf(worldOf([viewOf('a')])));
  });

  it('tells a story', async () => {
    const term = terminal();
    await gateway(term);
    expect(await why('a b/c', term.asking())).toBe(0);
    expect(term.out).toBe('a b/c is no longer configured\n');
  });

  it('lets no gateway write to the terminal', async () => {
    const term = terminal();
    await gateway(term, {
      why: () => {
        throw new OnemcpError('unknown_server', 'no \u001b[2J');
      },
    });
    expect(await why('a', term.asking())).toBe(1);
    expect(term.err).toBe('onemcp: no \\u001b[2J\n');
  });
});

describe('operations', () => {
  it('are asked for as they were typed', async () => {
    const term = terminal();
    await gateway(term);
    expect(await operate('drain', 'a/b', term.asking({ hold: 30_000 }))).toBe(0);
    expect(await operate('restart', 'a', term.asking({ wait: false }))).toBe(0);
    expect(
      term.out
        .split('\n')
        .slice(0, 2)
        .map((line) => JSON.parse(line)),
    ).toEqual([
      { op: 'drain', name: 'a/b', holdMs: 30_000, wait: true },
      { op: 'restart', name: 'a', wait: false },
    ]);
  });

  it('that did not lead to what was wanted are failures', async () => {
    const term = terminal();
    await gateway(term, { operate: async () => ({ ok: false, message: '"a" failed', server: undefined }) });
    expect(await operate('start', 'a', term.asking())).toBe(1);
    expect([term.out, term.err]).toEqual(['', '"a" failed\n']);
  });
});

describe('reload', () => {
  const plan = { start: [{ name: 'n' }], stop: ['o'], swap: [], retag: [], unchanged: ['u'], order: [], needsRestart: ['gateway.port'] };

  it('says what has changed', async () => {
    const term = terminal();
    await gateway(term, { reload: async () => ({ ok: true, plan: plan as never, warnings: [{ file: 'mcp.json', message: 'hm' }] }) });
    expect(await reload(term.asking())).toBe(0);
    expect(term.out).toBe('reloaded: starts n; stops o (1 unchanged)\nonly a restart of the gateway applies gateway.port\n');
    expect(term.err).toBe('warning: mcp.json: hm\n');
  });

  it('shows every issue of the file', async () => {
    const term = terminal();
    const issues = [{ file: 'mcp.json', line: 2, column: 3, path: 'gateway.prot', message: 'unknown key' }];
    await gateway(term, { reload: async () => ({ ok: false, issues }) });
    expect(await reload(term.asking())).toBe(1);
    expect(term.err).toBe('mcp.json:2:3 gateway.prot: unknown key\nonemcp: the configuration has an error; nothing was changed\n');
  });
});

describe('watching', () => {
  const story = (count: number): Story => ({
    path: Array.from({ length: count }, (_, at) => ({ at, from: 'starting', to: 'error', generation: at })),
    changes: count,
    stderr: undefined,
    failedAt: undefined,
  });

  /** A gateway whose server changes as told. */
  async function watched(term: Terminal, flags: object = {}) {
    let changes = 1;
    let reads = 0;
    const server = await gateway(term, {
      status: () => {
        reads++;
        return documentOf(worldOf([viewOf('a')]), { a: story(changes) }, reads);
      },
    });
    const code = status(term.asking({ watch: true, ...flags }));
    const readAgain = async () => {
      const before = reads;
      await until('it was read again', () => reads > before);
    };
    await readAgain();
    const change = (by: number) => {
      changes += by;
    };
    return { code, server, readAgain, change };
  }

  it('prints the table and then a line for each change, also those between two looks', async () => {
    const term = terminal();
    const { code, change, readAgain } = await watched(term);
    change(2);
    await until('both are printed', () => term.out.split('starting → error').length === 3);
    change(7);
    await until('what was missed is counted', () => term.out.includes('a: 2 changes more'));
    await readAgain();
    term.interrupt();
    expect(await code).toBe(0);
    expect(term.out.match(/SERVER/g)).toHaveLength(1);
    expect(term.out.split('starting → error')).toHaveLength(2 + 5 + 1);
  });

  it('prints a document for each change', async () => {
    const term = terminal();
    const { code, change, readAgain } = await watched(term, { json: true });
    await readAgain();
    change(1);
    await until('it is printed', () => term.out.trim().split('\n').length === 2);
    term.interrupt();
    expect(await code).toBe(0);
    expect(
      term.out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).servers[0].changes),
    ).toEqual([1, 2]);
  });

  it('draws over itself on a terminal', async () => {
    const term = terminal({ isTTY: true });
    const { code } = await watched(term);
    await until('it was drawn twice', () => term.out.split('\u001b[H').length > 2);
    term.interrupt();
    expect(await code).toBe(0);
    expect(term.out.endsWith('\u001b[K\r\n\u001b[J')).toBe(true);
  });

  it('waits for a gateway that goes away', async () => {
    const term = terminal();
    const { code, server } = await watched(term);
    await server.close();
    await until('it says so', () => term.out.includes('the gateway has gone; waiting for it'));
    await gateway(term);
    await until('it is back', () => term.out.match(/SERVER/g)?.length === 2);
    term.interrupt();
    expect(await code).toBe(0);
  });
});

it.each<[text: string | undefined, dir: string | undefined]>([
  ['{ "gateway": { "stateDir": "s" } }', '/etc/s'],
  ['{ "gateway": { "stateDir": false } }', undefined],
  ['{ "gateway": { "stateDir": 5 } }', '/xdg/onemcp'],
  ['{ "gateway": [', '/xdg/onemcp'],
  ['null', '/xdg/onemcp'],
  ['[]', '/xdg/onemcp'],
  ['', '/xdg/onemcp'],
  [undefined, '/xdg/onemcp'],
])('the state folder of %j is %j, and that of the environment wins over it', (text, dir) => {
  const env = { XDG_STATE_HOME: '/xdg' };
  expect(stateDirOfText('/etc/mcp.json', text, env)).toBe(dir);
  expect(stateDirOfText('/etc/mcp.json', text, { ...env, ONEMCP_STATE_DIR: '/own' })).toBe('/own');
  expect(stateDirOfText('/etc/mcp.json', text, { ...env, ONEMCP_STATE_DIR: '' })).toBe(dir);
  expect(stateDirOfText('/etc/mcp.json', text, { ...env, ONEMCP_STATE_DIR: 'false' })).toBeUndefined();
});
