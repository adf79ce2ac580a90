/** The server scenarios of the official suite, through the gateway. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verifies } from '../support/verifies.ts';
import { readExpected } from './expected.ts';
import { judge, settle } from './judge.ts';
import { LEGS } from './legs.ts';
import type { Service } from './processes.ts';
import { SERVER_SCENARIOS, VERSION } from './scenarios.ts';
import { runServerScenario, scenariosOf } from './suite.ts';
import { createTable } from './table.ts';

const expected = readExpected();
const names = Object.keys(SERVER_SCENARIOS);
const table = createTable(
  `server ${VERSION}`,
  LEGS.map(({ name }) => name),
  names,
);

afterAll(() => console.log(`\n${table}\n`));

it('the suite has exactly the scenarios that are run here', async () => {
  expect((await scenariosOf('server', VERSION)).toSorted()).toEqual(names.toSorted());
});

for (const { name, what, scenarios, start } of LEGS) {
  describe(`${name}: ${what}`, () => {
    let service: Service | undefined;
    beforeAll(async () => {
      service = await start();
    });
    afterAll(() => service?.stop());

    it.each(Object.entries(scenarios))(verifies('L158', '%s'), async (scenario, required) => {
      const verdict = judge(await runServerScenario((service as Service).url, scenario), required);
      table.add(name, scenario, verdict);
      settle(`${name} ${scenario}`, verdict, expected);
    });
  });
}
