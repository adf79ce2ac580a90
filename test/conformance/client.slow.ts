/** The client scenarios of the official suite, with the gateway as the client under test. */
import { afterAll, describe, expect, it } from 'vitest';
import { readExpected } from './expected.ts';
import { FRONTS } from './fronts.ts';
import { judge, settle } from './judge.ts';
import { CLIENT_SCENARIOS, VERSION } from './scenarios.ts';
import { runClientScenario, scenariosOf } from './suite.ts';
import { createTable } from './table.ts';

const expected = readExpected();
const names = Object.keys(CLIENT_SCENARIOS);
const table = createTable(`client ${VERSION}`, FRONTS, names);

afterAll(() => console.log(`\n${table}\n`));

it('the suite has exactly the scenarios that are run here, but for authorization', async () => {
  const found = (await scenariosOf('client', VERSION)).filter((name) => !name.startsWith('auth/'));
  expect(found.toSorted()).toEqual(names.toSorted());
});

describe.each(FRONTS)('%s', (front) => {
  it.each(Object.entries(CLIENT_SCENARIOS))('%s', async (scenario, required) => {
    const command = `${process.execPath} --import tsx test/conformance/client.ts ${front}`;
    const verdict = judge(await runClientScenario(command, scenario), required);
    table.add(front, scenario, verdict);
    settle(`${front} ${scenario}`, verdict, expected);
  });
});
