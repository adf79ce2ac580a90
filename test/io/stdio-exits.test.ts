import { afterEach, describe, expect, it } from 'vitest';
import { closeAll, connect, createDeps, createMark, eventually, marked, open, specOf } from './stdioKit.ts';

afterEach(closeAll);

const CAUSES: Record<string, { says: string; data: object }> = {
  'exit-0': { says: 'exited with code 0', data: { reason: 'exit', exitCode: 0 } },
  'exit-3': { says: 'exited with code 3', data: { reason: 'exit', exitCode: 3 } },
  SIGKILL: { says: 'was killed by SIGKILL', data: { reason: 'exit', signal: 'SIGKILL' } },
  SIGTERM: { says: 'was killed by SIGTERM', data: { reason: 'exit', signal: 'SIGTERM' } },
  stdout: { says: 'closed its stdout', data: { reason: 'stdout-closed' } },
  stdin: { says: 'closed its stdin', data: { reason: 'stdin-closed' } },
};

describe.each(Object.entries(CAUSES))('a backend that goes by %s', (cause, { says, data }) => {
  const die = (moment: string) => {
    const mark = createMark();
    const backend = open(specOf('die', { env: { CAUSE: cause, MOMENT: moment, MARK: mark } }), createDeps());
    return { ...backend, mark };
  };
  /** A closed stdin is noticed by the next write. */
  const poke = (backend: ReturnType<typeof die>) => {
    const timer = setInterval(() => backend.notify('notifications/poke'), 20);
    return () => clearInterval(timer);
  };

  it.each(['start', 'initialize', 'idle', 'call'])('at the moment: %s', async (moment) => {
    const backend = die(moment);
    const initialized = backend.initialize();
    initialized.catch(() => {});
    if (moment === 'idle' || moment === 'call') await initialized;
    if (moment === 'idle') backend.notify('notifications/die');
    const calls = moment === 'call' ? [backend.call('slow', { ms: 60_000 }), backend.call('boom')] : [];
    const stop = cause === 'stdin' ? poke(backend) : () => {};
    await eventually(() => backend.closes.length > 0, 'onclose');
    stop();

    const early = moment === 'start' || moment === 'initialize';
    const error = {
      code: 'backend_exited',
      message: `"die" ${says}${early ? ' before it was initialized' : ''}`,
      data: { server: 'die', ...data },
    };
    for (const call of calls) await expect(call).rejects.toMatchObject(error);
    if (early) await expect(initialized).rejects.toMatchObject(error);
    expect(backend.closes).toHaveLength(1);
    expect(backend.closes[0]).toMatchObject(error);
    await eventually(() => marked(backend.mark).length === 0, 'the end of the process');
    await backend.transport.close();
    expect(backend.closes).toHaveLength(1);
    expect(backend.failures).toEqual([]);
  });

  it('at the moment: stop', async () => {
    const backend = die('stop');
    await backend.initialize();
    await backend.transport.close();
    expect(backend.closes).toEqual([]);
    expect(marked(backend.mark)).toEqual([]);
  });
});

describe('the loss of a backend', () => {
  it('names its last line of stderr', async () => {
    const backend = await connect('crash-on-call');
    await expect(backend.call('boom')).rejects.toMatchObject({
      message: '"crash-on-call" exited with code 3; its last line on stderr: the disk is full',
    });
  });

  it('before it reads anything is told with the reason', async () => {
    const backend = open(specOf('crash-on-start'), createDeps());
    await expect(backend.initialize()).rejects.toMatchObject({
      message: '"crash-on-start" exited with code 1 before it was initialized; its last line on stderr: cannot read settings.json',
    });
  });

  it('never shows a secret', async () => {
    const deps = createDeps({}, { redact: (text) => text.replaceAll('hunter2', '***') });
    const backend = open(specOf([process.execPath, '-e', 'console.error("bad hunter2"); process.exit(1)']), deps);
    await expect(backend.initialize()).rejects.toMatchObject({ message: expect.stringMatching(/: bad \*\*\*$/) });
  });

  it.each([
    ['in its group', '0'],
    ['in a session of its own', '1'],
  ])('is noticed at once though a child %s holds stdout', async (_title, DETACHED) => {
    const mark = createMark();
    const deps = createDeps();
    const backend = await connect('exit-holding-stdout', { env: { DETACHED, MARK: mark }, deps });
    const start = performance.now();
    await expect(backend.call('boom')).rejects.toMatchObject({ message: '"exit-holding-stdout" exited with code 3' });
    expect(performance.now() - start).toBeLessThan(1_000);
    await backend.transport.close();
    if (DETACHED === '0') expect(marked(mark)).toEqual([]);
    deps.reaper.close();
    await eventually(() => marked(mark).length === 0, 'the end of the child');
  });

  it('does not lose the answers it had written', async () => {
    const program = `
      const lines = [];
      for (let id = 1; id <= 500; id++) lines.push(JSON.stringify({ jsonrpc: "2.0", id, result: { pad: "x".repeat(300) } }));
      require("node:fs").writeSync(1, lines.join("\\n"));
      process.kill(process.pid, "SIGKILL");`;
    const backend = open(specOf([process.execPath, '-e', program]), createDeps());
    await backend.transport.start();
    await eventually(() => backend.closes.length === 1, 'onclose');
    expect(backend.messages).toHaveLength(500);
  });

  it('leaves nothing registered', async () => {
    const deps = createDeps();
    const registered = new Set<number>();
    const { add, remove } = deps.reaper;
    deps.reaper.add = (pgid) => {
      registered.add(pgid);
      add(pgid);
    };
    deps.reaper.remove = (pgid) => {
      registered.delete(pgid);
      remove(pgid);
    };
    const backend = await connect('sigkill-on-call', { deps });
    expect(registered).toEqual(new Set([backend.transport.pid]));
    await expect(backend.call('boom')).rejects.toMatchObject({ message: '"sigkill-on-call" was killed by SIGKILL' });
    await eventually(() => registered.size === 0, 'its removal');
  });
});
