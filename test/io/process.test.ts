import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { Secret, StdioBackendSpec } from '../../src/config/config.ts';
import type { IoDeps } from '../../src/io/deps.ts';
import { childEnvironment, type Loss, spawnProcess } from '../../src/io/process.ts';
import { createRedactor } from '../../src/observe/redact.ts';
import { verifies } from '../support/verifies.ts';
import { closeAll, createDeps, createMark, eventually, marked, onClose, specOf } from './stdioKit.ts';

afterEach(closeAll);

const secret = (value: string): Secret => ({ reveal: () => value, toString: () => '***', toJSON: () => '***' });

async function run(spec: StdioBackendSpec, deps: IoDeps = createDeps()) {
  const chunks: Buffer[] = [];
  const losses: Loss[] = [];
  const child = spawnProcess(spec, deps, {
    onStdout(chunk) {
      chunks.push(chunk);
      return 0;
    },
    onWritten() {},
    onLost: (loss) => void losses.push(loss),
  });
  onClose(() => child.kill());
  await child.ready;
  return { child, losses, output: () => Buffer.concat(chunks).toString() };
}

const node = (program: string, changed: Partial<StdioBackendSpec> = {}) => specOf([process.execPath, '-e', program], changed);

describe('environment of a backend', () => {
  it('is an allow-list of ours, its own entries and the cookie', () => {
    const { reaper } = createDeps();
    const env = {
      HOME: '/h',
      PATH: '/bin',
      LC_ALL: 'C',
      LANG: 'C',
      TZ: 'UTC',
      TMPDIR: '/t',
      AWS_SECRET: 'x',
      NODE_OPTIONS: '--x',
      SHELL: '() { :; }; evil',
      TERM: undefined,
    };
    expect(childEnvironment({ KEY: secret('k'), HOME: '/own' }, { env, reaper })).toEqual({
      PATH: '/bin',
      LC_ALL: 'C',
      LANG: 'C',
      TZ: 'UTC',
      TMPDIR: '/t',
      HOME: '/own',
      KEY: 'k',
      ONEMCP_RUN: reaper.cookie,
    });
  });

  it('reaches the program, with revealed secrets in command, arguments and environment', async () => {
    const program = 'console.log(JSON.stringify([process.argv.slice(1), process.env.KEY, Object.keys(process.env).length]))';
    const spec = {
      ...specOf([]),
      command: secret(process.execPath),
      args: ['-e', program, secret('a; touch /tmp/p'), '$(id)'],
      env: { KEY: secret('k') },
    };
    const { output, losses } = await run(spec, createDeps({}, { env: {} }));
    await eventually(() => losses.length === 1, 'its exit');
    expect(JSON.parse(output())).toEqual([['a; touch /tmp/p', '$(id)'], 'k', 2]);
  });
});

describe('a program that cannot be started', () => {
  const dir = mkdtempSync(join(tmpdir(), 'onemcp-process-'));
  afterAll(() => rmSync(dir, { recursive: true }));
  const file = (name: string, text: string, mode: number) => {
    const path = join(dir, name);
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
  };

  it.each([
    ['does not exist', () => specOf(['no-such-program']), /^command not found: no-such-program; install it, or give its absolute path$/],
    ['is a whole line', () => specOf(['npx -y thing']), /^command not found: npx -y thing; "command" is one program, its arguments belong/],
    ['starts with ~', () => specOf(['~/server']), /^command not found: ~\/server; "~" is not expanded/],
    ['is not executable', () => specOf([file('plain', '', 0o644)]), /^command not executable: .*\/plain; make it executable/],
    [
      'names no interpreter that exists',
      () => specOf([file('script', '#!/no/such\n', 0o755)]),
      /script exists, but the program its first line/,
    ],
    ['should run in a missing directory', () => specOf('good', { cwd: '/no/such/dir' }), /^working directory not found: \/no\/such\/dir$/],
    ['has a NUL in its arguments', () => specOf([process.execPath, 'a\0b']), /^"it" cannot be started: .*null bytes/],
    ['is a secret', () => specOf([], { command: secret('hidden-program') }), /^command not found: \*\*\*;/],
  ])('because it %s', async (_title, spec, message) => {
    const deps = createDeps();
    const start = async () => {
      const child = spawnProcess(spec(), deps, { onStdout: () => 0, onWritten() {}, onLost() {} });
      await child.ready.finally(() => child.stop());
    };
    await expect(start()).rejects.toMatchObject({
      code: 'spawn_failed',
      message: expect.stringMatching(message),
      data: { reason: 'spawn-failed' },
    });
  });
});

describe('stopping', () => {
  const timed = async (spec: StdioBackendSpec, deps: IoDeps, until = 'up') => {
    const mark = createMark();
    const { child, losses, output } = await run({ ...spec, env: { ...spec.env, MARK: mark } }, deps);
    await eventually(() => output().includes(until), `"${until}"`);
    const start = performance.now();
    const registered: number[] = [];
    const remove = deps.reaper.remove;
    deps.reaper.remove = (pgid) => {
      registered.push(pgid);
      remove(pgid);
    };
    await Promise.all([child.stop(), child.stop()]);
    expect(marked(mark)).toEqual([]);
    expect(losses).toEqual([]);
    expect(registered).toEqual([child.pid]);
    return performance.now() - start;
  };
  const up = 'console.log("up");';
  const deaf = 'for (const s of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(s, () => {});setInterval(() => {}, 1e6);';

  it('ends stdin first and waits no longer than it must', async () => {
    expect(await timed(node(`process.stdin.resume();${up}`), createDeps({ 'stop.stdin': 20_000 }))).toBeLessThan(3_000);
  });

  it('sends SIGTERM to what does not end with its stdin', async () => {
    const took = await timed(node(`setInterval(() => {}, 1e6);${up}`), createDeps({ 'stop.stdin': 200, 'stop.term': 20_000 }));
    expect(took).toBeGreaterThan(190);
    expect(took).toBeLessThan(5_000);
  });

  it('kills what ignores SIGTERM', async () => {
    const took = await timed(node(`${deaf}${up}`), createDeps({ 'stop.stdin': 200, 'stop.term': 200 }));
    expect(took).toBeGreaterThan(390);
    expect(took).toBeLessThan(5_000);
  });

  it('kills children that outlive the program, without the wait for its stdin', async () => {
    const fork = `require("node:child_process").spawn(process.execPath, ["-e", ${JSON.stringify(`${deaf}${up}`)}], { stdio: ["ignore", "inherit", "inherit"] });`;
    const took = await timed(node(`${fork}process.stdin.resume().on("end", () => process.exit());`), createDeps({ 'stop.stdin': 20_000 }));
    expect(took).toBeLessThan(5_000);
  });

  it('reaches the children of a shell', async () => {
    const spec = specOf(['/bin/sh', '-c', `trap '' TERM; "$0" -e '${deaf}${up}' & echo up; wait; true`, process.execPath]);
    expect(await timed(spec, createDeps({ 'stop.stdin': 100, 'stop.term': 200 }))).toBeLessThan(5_000);
  });

  it('can be hurried', async () => {
    const { child, output } = await run(node(`${deaf}${up}`), createDeps({ 'stop.stdin': 60_000 }));
    await eventually(() => output().includes('up'), 'up');
    const stopped = child.stop();
    const start = performance.now();
    await Promise.all([child.kill(), stopped]);
    expect(performance.now() - start).toBeLessThan(3_000);
  });
});

describe('stderr', () => {
  const written = async (program: string, limits = {}, redact = (text: string) => text) => {
    const deps = createDeps(limits, { redact });
    const { child, losses } = await run(node(program), deps);
    await eventually(() => losses.length === 1, 'its exit');
    return { child, lines: deps.logged.of('backend.stderr').map(({ fields }) => fields.line), entries: deps.logged.of('backend.stderr') };
  };

  it('is logged line by line', async () => {
    const { entries } = await written('process.stderr.write("a\\nb\\r\\n\\nc")');
    expect(entries).toEqual(['a', 'b', 'c'].map((line) => ({ level: 'info', event: 'backend.stderr', fields: { backend: 'it', line } })));
  });

  it('is redacted also when a secret comes in two pieces', async () => {
    const program = 'process.stderr.write("token hun"); setTimeout(() => process.stderr.write("ter2 sent\\n"), 100)';
    const { child, lines } = await written(program, {}, (text) => text.replaceAll('hunter2', '***'));
    expect(lines).toEqual(['token *** sent']);
    expect(child.stderrTail).toBe('token *** sent');
    expect(child.lastWords).toBe('token *** sent');
  });

  it('cuts long lines, and never through the start of a secret', async () => {
    const program = 'process.stderr.write("x".repeat(4090) + "hunter2" + "y".repeat(9000) + "\\n")';
    const { lines } = await written(program, {}, (text) => text.replaceAll('hunter2', '***'));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^x{3000,4000}… \(13097 bytes\)$/);
  });

  it(verifies('secrets-nowhere', 'cuts long lines not through a secret that is long itself'), async () => {
    const secret = `eyJ${'0123456789abcdef'.repeat(150)}`;
    const { redact } = createRedactor([secret]);
    const program = `process.stderr.write("a word ".repeat(500) + ${JSON.stringify(secret)}.repeat(9) + "\\n")`;
    const { lines } = await written(program, { 'stderr.ringBytes': 5000 }, redact);
    expect(lines).toHaveLength(1);
    expect(lines[0]).not.toContain('0123456789');
    expect(lines[0]).toMatch(/^(a word )+.*… \(\d+ bytes\)$/);
  });

  it('is limited to 20 lines, the others are counted', async () => {
    const { lines } = await written('for (let i = 1; i <= 100; i++) console.error("line " + i)');
    expect(lines).toEqual([...Array.from({ length: 20 }, (_, i) => `line ${i + 1}`), '80 lines suppressed']);
  });

  it('keeps a bounded tail', async () => {
    const { child } = await written('for (let i = 1; i <= 5000; i++) console.error("line " + i)', { 'stderr.ringBytes': 100 });
    expect(child.stderrTail.length).toBeLessThanOrEqual(100);
    expect(child.stderrTail).toMatch(/\nline 5000$/);
  });

  it.each([
    ['a thrown error', 'throw new Error("no database")', 'Error: no database'],
    ['control characters', 'console.error("\\u001b[31mred\\u202e")', '\\u001b[31mred\\u202e'],
    ['a long line', 'console.error("x".repeat(5000))', `${'x'.repeat(300)}…`],
  ])('its last words: %s', async (_title, program, words) => {
    expect((await written(program)).child.lastWords).toBe(words);
  });

  it(verifies('J131', 'does not stop the program when there is much of it, nor eat our CPU'), async () => {
    const deps = createDeps();
    const flood = 'const b = "noise\\n".repeat(10000); const w = () => process.stderr.write(b, () => setImmediate(w)); w();';
    const { child, output } = await run(node(`${flood} setInterval(() => console.log("alive"), 10)`), deps);
    await eventually(() => output().split('alive').length > 5, 'five signs of life', 10_000);
    const [before, from] = [process.cpuUsage(), performance.now()];
    await eventually(() => performance.now() - from > 1_000, 'a second');
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1000 / (performance.now() - from)).toBeLessThan(0.6);
    expect(child.stderrTail.length).toBeLessThanOrEqual(deps.limits['stderr.ringBytes']);
  });
});
