/** A family of faults as tests, one each, and a table of what became of them. */
import { afterAll, describe, expect, it } from 'vitest';
import { fixture } from '../../e2e/gateway.ts';
import type { Fault } from './fault.ts';
import { COLUMNS, type Evidence, judge, survived, type Verdict } from './judge.ts';
import { type LoadResult, p99Of, pool } from './load.ts';
import { tableOf } from './table.ts';
import { runTrial } from './trial.ts';

/** No fault at all. */
const CONTROL: Fault = { name: 'no fault', backend: fixture('good'), after: 'usable' };

interface FamilyOptions {
  /** Compares the latencies with those of a run without a fault. Not where other tests share the processors. */
  readonly compare: boolean;
  /** The load of each lasts at least that long, milliseconds. */
  readonly lasts: number;
}

const MEASURED_AGAIN = 2;

export interface Row {
  readonly name: string;
  readonly evidence: Evidence;
  readonly verdict: Verdict;
}

export function family(name: string, faults: readonly Fault[], { compare, lasts }: FamilyOptions): void {
  describe(name, () => {
    const rows: Row[] = [];
    let control: LoadResult | undefined;
    const measure = (fault: Fault) => runTrial(fault, { control: control && p99Of(control), lasts });
    /** One slow call of fifty is above any p99: then control and fault are measured again, and count together. */
    const measureLonger = async (fault: Fault, first: Evidence): Promise<Evidence> => {
      control = pool(control!, (await measure(CONTROL)).load);
      const second = await measure(fault);
      return { ...second, load: pool(first.load, second.load) };
    };
    const run = async (fault: Fault) => {
      let evidence = await measure(fault);
      for (let again = 0; again < MEASURED_AGAIN && onlySlow(evidence); again++) evidence = await measureLonger(fault, evidence);
      const verdict = judge(evidence);
      rows.push({ name: fault.name, evidence, verdict });
      expect(complaintsOf(verdict)).toEqual({});
      return evidence;
    };
    if (compare) {
      it('no fault: the control', async () => {
        control = (await run(CONTROL)).load;
      }, 60_000);
    }
    for (const fault of faults) it(fault.name, () => run(fault), 90_000);
    afterAll(() => {
      console.log(tableOf(name, rows));
      const stood = rows.filter(({ verdict }) => survived(verdict)).length;
      console.log(`${name}: survived ${stood} / ${faults.length + (compare ? 1 : 0)}`);
    });
  });
}

/** Everything is as it should be but for the comparison with the control. */
const onlySlow = (evidence: Evidence): boolean => !survived(judge(evidence)) && survived(judge({ ...evidence, control: undefined }));

/** Only the columns with complaints. */
const complaintsOf = (verdict: Verdict): Partial<Verdict> =>
  Object.fromEntries(COLUMNS.filter((column) => verdict[column].length > 0).map((column) => [column, verdict[column]]));
