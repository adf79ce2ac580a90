/** Hostile clients: whatever they do, the gateway answers them with what they deserve, and everybody else as ever. */
import { Agent, setGlobalDispatcher } from 'undici';
import { afterAll, describe, expect, it } from 'vitest';
import { type Attack, type AttackEvidence, runAttack } from './clients/attack.ts';
import { FLOODS } from './clients/floods.ts';
import { SHAPES } from './clients/shapes.ts';
import { SOCKETS } from './clients/sockets.ts';
import { COLUMNS, survived } from './harness/judge.ts';
import { tableOf } from './harness/table.ts';

/** Kept connections of honest clients must not be taken for a leak. */
setGlobalDispatcher(new Agent({ keepAliveTimeout: 500, keepAliveMaxTimeout: 500 }));

const ATTACKS: readonly Attack[] = [...SHAPES, ...FLOODS, ...SOCKETS];

describe('hostile clients', () => {
  const rows: { name: string; evidence: AttackEvidence; verdict: AttackEvidence['verdict'] }[] = [];
  for (const attack of ATTACKS) {
    const test = attack.missing === undefined ? it : it.fails;
    test(attack.name, async () => {
      const evidence = await runAttack(attack);
      const { verdict } = evidence;
      rows.push({ name: attack.name, evidence, verdict });
      expect(Object.fromEntries(COLUMNS.filter((column) => verdict[column].length > 0).map((column) => [column, verdict[column]]))).toEqual(
        {},
      );
    }, 120_000);
  }
  afterAll(() => {
    console.log(tableOf('hostile clients', rows));
    for (const { name, missing } of ATTACKS) if (missing) console.log(`not yet: ${name}: ${missing}`);
    console.log(`hostile clients: survived ${rows.filter(({ verdict }) => survived(verdict)).length} / ${ATTACKS.length}`);
  });
});
