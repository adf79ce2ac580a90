/** Says of what was seen during a fault whether the gateway stood it. Pure: the numbers come from elsewhere. */
import { type LoadResult, p99Of } from './load.ts';
import type { HealthSample, Watched } from './watch.ts';

export const COLUMNS = ['served', 'answer', 'recovery', 'alive', 'memory', 'clean'] as const;
export type Column = (typeof COLUMNS)[number];

/** What is wrong, by column; nothing wrong is an empty list. */
export type Verdict = Readonly<Record<Column, readonly string[]>>;

/** What a call was answered. */
export interface Reply {
  readonly kind: 'result' | 'error' | 'broken';
  readonly text: string;
  /** Milliseconds. */
  readonly took: number;
}

export interface Expected {
  readonly gives: 'result' | 'error' | 'either';
  /** The cause, as an error has to say it, or what the result holds. */
  readonly says?: RegExp;
  /** An error is the backend's own, which is relayed as it is: it need not name the backend. */
  readonly relayed?: boolean;
  /** Milliseconds. */
  readonly within: number;
}

export interface Ending {
  readonly signal: 'SIGTERM' | 'SIGKILL';
  readonly code: number | null;
  /** Milliseconds from the signal to the exit. */
  readonly took: number;
  /** Processes of this run that were still there. */
  readonly left: readonly number[];
}

export interface Evidence {
  readonly load: LoadResult;
  /** p99 of a run without a fault, milliseconds; undefined: only the absolute bound counts. */
  readonly control: number | undefined;
  /** What calls and steps found wrong. */
  readonly complaints: readonly (readonly [column: Column, complaint: string])[];
  /** The exit code, or undefined while it runs: what it was just before it was told to stop. */
  readonly ended: number | string | undefined;
  readonly watched: Watched;
  /** Bytes at the start, and at most. */
  readonly memory: { readonly before: number; readonly peak: number };
  readonly ending: Ending;
}

const MIB = 1024 * 1024;
/**
 * `quantum`: what the control counts at least, milliseconds. A call may meet one time slice of another process whatever the
 * gateway does, and forty calls are too few to leave that out.
 */
export const BARS = { p99: 1000, ratio: 5, quantum: 10, health: 1000, memory: 128 * MIB, exit: 15_000 } as const;

export function judge(evidence: Evidence): Verdict {
  const found = (column: Column) => evidence.complaints.filter(([of]) => of === column).map(([, complaint]) => complaint);
  return {
    served: [...found('served'), ...served(evidence)],
    answer: found('answer'),
    recovery: found('recovery'),
    alive: [...found('alive'), ...alive(evidence)],
    memory: [...found('memory'), ...memory(evidence)],
    clean: [...found('clean'), ...clean(evidence)],
  };
}

export const survived = (verdict: Verdict): boolean => COLUMNS.every((column) => verdict[column].length === 0);

function served({ load, control }: Evidence): string[] {
  const { sent, failures } = load;
  const p99 = p99Of(load);
  return [
    ...(sent === 0 ? ['no call was made'] : []),
    ...(failures.length > 0 ? [`${failures.length} of ${sent} calls failed: ${failures[0]}`] : []),
    ...(p99 > BARS.p99 ? [`p99 ${p99.toFixed(0)} ms, over ${BARS.p99} ms`] : []),
    ...(control !== undefined && p99 > Math.max(control, BARS.quantum) * BARS.ratio
      ? [`p99 ${p99.toFixed(1)} ms, over ${BARS.ratio} × ${Math.max(control, BARS.quantum).toFixed(1)} ms`]
      : []),
  ];
}

function alive({ ended, watched: { health } }: Evidence): string[] {
  const wrong = health.flatMap(healthComplaints);
  return [
    ...(ended === undefined ? [] : [`the gateway ended: ${ended}`]),
    ...(health.length === 0 ? ['nobody looked at its health'] : []),
    ...(wrong.length > 0 ? [`${wrong.length} wrong of ${health.length} looks at its health: ${wrong[0]}`] : []),
  ];
}

/** Health agrees with its own parts, is there in time, and never takes a faulty backend for a reason to be unhealthy. */
export function healthComplaints({ took, status, live, body, error }: HealthSample): string[] {
  if (!body) return [`no answer after ${took.toFixed(0)} ms: ${error}`];
  const { details } = body.servers;
  const good = details.find(({ name }) => name === 'good')?.status;
  const expected = details.every(({ status: state }) => state === 'connected') ? 'healthy' : 'degraded';
  return [
    ...(took > BARS.health ? [`it took ${took.toFixed(0)} ms`] : []),
    ...(live === 200 ? [] : [`live is ${live}`]),
    ...(status === 200 ? [] : [`it is ${status}`]),
    ...(good === 'connected' ? [] : [`it says good is ${good}`]),
    ...(body.status === expected
      ? []
      : [`it says ${body.status} of ${details.map(({ name, status: state }) => `${name} ${state}`).join(', ')}`]),
  ];
}

function memory({ memory: { before, peak } }: Evidence): string[] {
  if (before === 0 || peak === 0) return ['its memory was not measured'];
  return peak - before > BARS.memory ? [`grew by ${mebibytes(peak - before)} MiB`] : [];
}

function clean({ ending: { signal, code, took, left }, watched: { zombies } }: Evidence): string[] {
  return [
    ...(signal === 'SIGKILL' || code === 0 ? [] : [`exit code ${code}`]),
    ...(took > BARS.exit ? [`ended after ${took.toFixed(0)} ms`] : []),
    ...(left.length > 0 ? [`${left.length} processes were left`] : []),
    ...(zombies.length > 0 ? [`${zombies.length} zombies`] : []),
  ];
}

/** Whether an answer is what it has to be: in time, of the right kind, and an error names the backend and the cause. */
export function replyComplaints({ kind, text, took }: Reply, { gives, says, within, relayed = false }: Expected): string[] {
  const said = text.length > 300 ? `${text.slice(0, 300)}…` : text;
  return [
    ...(took > within ? [`answered after ${took.toFixed(0)} ms, not ${within} ms`] : []),
    ...(kind === 'broken' ? [`not a JSON-RPC answer: ${said}`] : []),
    ...(gives !== 'either' && kind !== 'broken' && kind !== gives ? [`${kind} instead of ${gives}: ${said}`] : []),
    ...(kind === 'error' && !relayed && !/\bodd\b/.test(text) ? [`the error does not name the backend: ${said}`] : []),
    ...(kind === gives && says && !says.test(text) ? [`it does not say ${says}: ${said}`] : []),
  ];
}

export const mebibytes = (bytes: number): string => (bytes / MIB).toFixed(0);
