/**
 * A soak: the built gateway in front of backends that fail at random, under clients that check every answer.
 * `npm run soak -- --minutes N [--backends 10] [--faulty 3] [--clients 100] [--seed 1]`. Exit code 1 when an answer was wrong, a
 * call was never answered, or something grows.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Agent } from 'undici';
import { startSoakBackends } from './backends.ts';
import { type Counts, runClient } from './client.ts';
import { trouble } from './faults.ts';
import { type Held, type SoakGateway, startSoakGateway } from './gateway.ts';
import { type Sample, slopeOf } from './slope.ts';

const { values: flags } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    backends: { type: 'string', default: '10' },
    faulty: { type: 'string', default: '3' },
    clients: { type: 'string', default: '100' },
    /** Calls of one client a second. */
    rate: { type: 'string', default: '2' },
    seed: { type: 'string', default: '1' },
  },
});
const [minutes, backendCount, faultyCount, clientCount, rate] = [
  flags.minutes,
  flags.backends,
  flags.faulty,
  flags.clients,
  flags.rate,
].map(Number) as [number, number, number, number, number];

/** Short times, so that each fault runs its whole course many times. */
const REQUEST_TIMEOUT = 5_000;
const CALL_WAIT = 2_000;
/** Beyond it a call hangs. */
const PATIENCE = REQUEST_TIMEOUT + CALL_WAIT + 2_000;
const GATEWAY = {
  requestTimeout: REQUEST_TIMEOUT,
  requestTotalTimeout: REQUEST_TIMEOUT,
  callWait: CALL_WAIT,
  startTimeout: '5s',
  ping: { interval: '2s', timeout: '1s' },
  probe: { initial: '2s', max: '4s' },
  // What is kept for clients that come back is kept for five minutes: a short run would only see it grow.
  sse: { replayFor: '20s' },
};
const EVERY = 5_000;
/** Minutes. */
const LONG_ENOUGH = 2;
const MIB = 1024 * 1024;

/** What may not grow, and by how much it may rise over the run without being called growth: each client has a call in flight at times. */
const FIGURES: readonly { readonly name: keyof Held; readonly unit: string; readonly per: number; readonly tolerance: number }[] = [
  { name: 'rss', unit: 'MiB', per: MIB, tolerance: 12 },
  { name: 'heap', unit: 'MiB', per: MIB, tolerance: 4 },
  { name: 'files', unit: '', per: 1, tolerance: 20 },
  { name: 'timers', unit: '', per: 1, tolerance: clientCount },
  { name: 'handles', unit: '', per: 1, tolerance: clientCount },
];

/** Repeatable numbers in [0, 1). */
function randomFrom(seed: number): () => number {
  let state = seed % 2_147_483_647 || 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

async function main(): Promise<number> {
  const random = randomFrom(Number(flags.seed));
  let gateway: SoakGateway | undefined;
  const backends = await startSoakBackends({ backends: backendCount, faulty: faultyCount }, async (name) => gateway?.pidOf(name));
  process.once('exit', backends.stop);
  gateway = await startSoakGateway(backends.servers, GATEWAY);
  const counts: Counts = { calls: 0, answered: 0, wrong: 0, hangs: 0, cancelled: 0, sessions: 0, errors: new Map(), examples: [] };
  const over = new AbortController();
  const dispatcher = new Agent({ connections: 256, pipelining: 1 });
  const habitOf = (n: number) => (n % 10 < 2 ? 'reconnects' : n % 10 < 4 ? 'cancels' : 'steady');
  const options = { url: `${gateway.url}/mcp`, dispatcher, backends: Object.keys(backends.servers), patience: PATIENCE, counts, random };
  const clients = Array.from({ length: clientCount }, (_, n) =>
    runClient({ ...options, pause: 1_000 / rate, habit: habitOf(n) }, over.signal),
  );
  const troubles = backends.faulty.map((backend) => trouble(backend, random, over.signal));
  const samples = await watch(gateway, counts, minutes * 60_000);
  over.abort();
  await Promise.all(clients);
  const turns = await Promise.all(troubles);
  await dispatcher.close();
  const code = await gateway.stop();
  backends.stop();
  report(counts, turns);
  const flat = minutes < LONG_ENOUGH ? true : verdicts(samples);
  if (minutes < LONG_ENOUGH) console.log(`too short to say what grows: that takes ${LONG_ENOUGH} minutes`);
  const good = flat && counts.wrong === 0 && counts.hangs === 0 && counts.answered > 0 && code === 0;
  console.log(
    `${good ? 'passed' : 'FAILED'}: ${counts.wrong} wrong answers, ${counts.hangs} hangs, exit code ${code}${flat ? '' : ', not flat'}`,
  );
  return good ? 0 : 1;
}

async function watch(gateway: SoakGateway, counts: Counts, ms: number): Promise<Map<keyof Held, Sample[]>> {
  const samples = new Map<keyof Held, Sample[]>(FIGURES.map(({ name }) => [name, []]));
  const began = performance.now();
  for (let at = 0; at < ms; at = performance.now() - began) {
    await sleep(Math.min(EVERY, ms - at));
    if (gateway.exitCode() !== null) throw new Error(`the gateway ended with ${gateway.exitCode()}`);
    const held = await gateway.held();
    for (const { name } of FIGURES) samples.get(name)?.push({ at: performance.now() - began, value: held[name] });
    const line = FIGURES.map(({ name, per, unit }) => `${name} ${(held[name] / per).toFixed(unit ? 1 : 0)}${unit && ` ${unit}`}`).join(
      ', ',
    );
    console.log(
      `${((performance.now() - began) / 1000).toFixed(0).padStart(5)} s  ${line}; ${counts.calls} calls, ${counts.wrong} wrong, ${counts.hangs} hangs`,
    );
  }
  return samples;
}

function report(counts: Counts, turns: readonly ReadonlyMap<string, number>[]): void {
  const errors = [...counts.errors].sort(([, a], [, b]) => b - a);
  console.log(
    `\n${counts.calls} calls in ${counts.sessions} sessions: ${counts.answered} answered rightly, ${counts.cancelled} more were cancelled`,
  );
  for (const [reason, count] of errors) console.log(`  ${String(count).padStart(7)}  ${reason}`);
  console.log(`faults: ${turns.map((of, n) => `odd${n} ${[...of].map(([fault, count]) => `${fault} ${count}`).join(' ')}`).join('; ')}`);
  for (const example of counts.examples) console.log(`  example: ${example}`);
}

function verdicts(samples: ReadonlyMap<keyof Held, readonly Sample[]>): boolean {
  let flat = true;
  for (const { name, per, unit, tolerance } of FIGURES) {
    const slope = slopeOf(samples.get(name) ?? [], tolerance * per);
    const [perHour, first, last, noise] = [slope.perHour, slope.first, slope.last, slope.noise].map((value) => (value / per).toFixed(1));
    console.log(`${name.padEnd(8)} ${first} → ${last} ${unit}, ${perHour} ${unit} an hour, ±${noise}: ${slope.flat ? 'flat' : 'NOT FLAT'}`);
    flat &&= slope.flat;
  }
  return flat;
}

process.exitCode = await main().catch((error: Error) => {
  console.error(`the soak broke off: ${error.stack ?? error.message}`);
  return 1;
});
process.exit();
