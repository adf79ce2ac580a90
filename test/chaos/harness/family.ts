/** A family of faults as tests, one each, and a table of what became of them. */
import { afterAll, describe, expect, it } from 'vitest';
import { fixture } from '../../e2e/gateway.ts';
import type { Fault } from './fault.ts';
import { COLUMNS, type Evidence, judge, survived, type Verdict } from './judge.ts';
import { quantile } from './load.ts';
import { tableOf } from './table.ts';
import { runTrial } from './trial.ts';

/** No fault at all. */
export const CONTROL: Fault = { name: 'no fault', backend: fixture('good'), after: 'usable' };

interface FamilyOptions {
  /** Compares the latencies with those of a run without a fault. Not where other tests share the processors. */
  readonly compare: boolean;
  /** The load of each lasts at least that long, milliseconds. */
  readonly lasts: number;
}

export interface Row {
  readonly name: string;
  readonly evidence: Evidence;
  readonly verdict: Verdict;
}

export function family(name: string, faults: readonly Fault[], { compare, lasts }: FamilyOptions): void {
  describe(name, () => {
    const rows: Row[] = [];
    let control: number | undefined;
    const run = async (fault: Fault) => {
      const evidence = await runTrial(fault, { control, lasts });
      const verdict = judge(evidence);
      rows.push({ name: fault.name, evidence, verdict });
      return verdict;
    };
    if (compare) {
      it('no fault: the control', async () => {
        const verdict = await run(CONTROL);
        expect(complaintsOf(verdict)).toEqual({});
        control = quantile(rows[0]!.evidence.load.latencies, 0.99);
      }, 60_000);
    }
    for (const fault of faults) {
      it(fault.name, async () => expect(complaintsOf(await run(fault))).toEqual({}), 90_000);
    }
    afterAll(() => {
      console.log(tableOf(name, rows));
      const stood = rows.filter(({ verdict }) => survived(verdict)).length;
      console.log(`${name}: survived ${stood} / ${faults.length + (compare ? 1 : 0)}`);
    });
  });
}

/** Only the columns with complaints. */
const complaintsOf = (verdict: Verdict): Partial<Verdict> =>
  Object.fromEntries(COLUMNS.filter((column) => verdict[column].length > 0).map((column) => [column, verdict[column]]));
