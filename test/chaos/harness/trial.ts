/** Runs one fault: a gateway with `odd` and `good`, a load on `good`, and whatever the entry says. */
import type { Json } from '../../../src/world.ts';
import { connect, fixture, type HealthBody, type Running, startGateway, type TestClient, until } from '../../e2e/gateway.ts';
import { act } from './act.ts';
import type { Fault, Setup, Trial } from './fault.ts';
import type { Column, Ending, Evidence } from './judge.ts';
import { startLoad } from './load.ts';
import { cookieOf, marked, memoryOf } from './proc.ts';
import { replyTo } from './reply.ts';
import { setUp } from './setup.ts';
import { startWatch } from './watch.ts';

/** Short times, so that a suite of faults that wait for them is short. */
const SHORT: Json = {
  restart: { initial: '100ms', max: '500ms' },
  probe: { initial: '2s', max: '4s' },
  callWait: '500ms',
  startTimeout: '2s',
  requestTimeout: '2s',
  listTimeout: '2s',
  initialWait: '500ms',
  ping: { interval: '1s', timeout: '1s' },
  stop: { stdin: '500ms', term: '500ms' },
};

export interface TrialOptions {
  /** p99 of the control run, milliseconds; undefined: not compared. */
  readonly control?: number | undefined;
  /** The load lasts at least that long, milliseconds. */
  readonly lasts: number;
}

export async function runTrial(fault: Fault, { control, lasts }: TrialOptions): Promise<Evidence> {
  const setup = setUp();
  const backend = typeof fault.backend === 'function' ? await fault.backend(setup) : fault.backend;
  const servers = { odd: backend, good: fixture('good'), ...fault.beside };
  const running = await startGateway(servers, { ...SHORT, ...fault.gateway }, ['--log-level', 'info']);
  const began = performance.now();
  const before = memoryOf(running.pid).now;
  const complaints: [Column, string][] = [];
  const watching = watcher(running, complaints);
  // R2: whatever odd does, good is there.
  await watching.expectSoon('served', 'good is connected', async () => (await watching.detail('good')).status === 'connected', 2000);
  const cookie = cookieOf((await watching.detail('good')).pid ?? 0) ?? 'nothing';
  if (cookie === 'nothing') complaints.push(['clean', 'the processes of the run have no mark']);

  const client = await connect(running.url);
  const trial: Trial = { ...(await trialOf(running, client, setup, watching)), began };
  const load = startLoad(async (text) => (await replyTo(client, 'good__echo', { text })).text);
  const enough = trial.sleep(lasts);
  const watch = startWatch(running.url, running.pid);
  await act(fault, trial);
  await enough;
  const loaded = await load.stop();
  const watched = await watch.stop();
  const ended = running.child.exitCode ?? running.child.signalCode ?? undefined;
  const memory = { before, peak: memoryOf(running.pid).peak };
  const ending = await end(running, cookie, fault.kill ? 'SIGKILL' : 'SIGTERM');
  await setup.close();
  return { load: loaded, control, complaints, ended, watched, memory, ending };
}

type Watching = Pick<Trial, 'check' | 'detail' | 'expectSoon'>;

function watcher(running: Running, complaints: [Column, string][]): Watching {
  return {
    check(column, holds, complaint) {
      if (!holds) complaints.push([column, complaint]);
    },
    async detail(name = 'odd') {
      const { details } = (await running.health()).body.servers;
      return details.find((entry) => entry.name === name) ?? ({ name, status: 'unknown' } as HealthBody['servers']['details'][number]);
    },
    expectSoon: (column, what, holds, ms = 5000) =>
      until(what, holds, ms).then(
        () => {},
        (error: Error) => void complaints.push([column, `${error.message}, ${ms} ms`]),
      ),
  };
}

async function trialOf(running: Running, client: TestClient, setup: Setup, watching: Watching): Promise<Omit<Trial, 'began'>> {
  return {
    ...watching,
    running,
    client,
    setup,
    notes: (await client.listen()) as unknown as readonly Json[],
    call: (tool, args) => replyTo(client, tool, args),
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  };
}

/** Ends the gateway and counts what is left of the run, when the three seconds are over that R7 gives the reaper. */
async function end(running: Running, cookie: string, signal: 'SIGTERM' | 'SIGKILL'): Promise<Ending> {
  const began = performance.now();
  const code = await running.stop(signal);
  const took = performance.now() - began;
  await until('nothing is left', () => marked(cookie).length === 0, 3000).catch(() => {});
  return { signal, code, took, left: marked(cookie) };
}
