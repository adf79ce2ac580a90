/** The harness itself: it must not be possible to pass by testing nothing. */
import { expect, it } from 'vitest';
import { judge, parseExpected, settle } from './judge.ts';
import { type Check, type Run, runServerScenario } from './suite.ts';

const SAID = 'what the suite said';
const check = (id: string, status: Check['status']): Check => ({ id, status, description: id });
const run = (...checks: Check[]): Run => ({ exitCode: 0, checks, output: SAID });
const rows = new Set(['http ping', 'http tools-list']);

it('a scenario passes when every check that makes it succeeded', () => {
  expect(judge(run(check('a', 'SUCCESS'), check('note', 'INFO')), ['a'])).toEqual({ passed: true, score: '1/1', why: [] });
});

it('failures, warnings, checks that were not made and an unhappy suite do not pass', () => {
  expect(judge(run(check('a', 'SUCCESS'), check('b', 'FAILURE')), ['a'])).toMatchObject({ passed: false, score: '1/2' });
  expect(judge(run(check('a', 'SUCCESS'), check('b', 'WARNING')), ['a'])).toMatchObject({ passed: false, score: '1/2' });
  expect(judge(run(check('a', 'INFO')), ['a'])).toEqual({ passed: false, score: '0/1', why: ['a was not checked', SAID] });
  expect(judge({ ...run(check('a', 'SUCCESS')), exitCode: 1 }, ['a'])).toMatchObject({ passed: false });
  expect(judge(run(), ['a']).why).toContain(SAID);
});

it('where no server listens, a scenario fails', async () => {
  expect(judge(await runServerScenario('http://127.0.0.1:1/mcp', 'ping'), ['ping'])).toMatchObject({ passed: false, score: '0/1' });
});

it('an expected failure needs a reason, and names something that is run, once', () => {
  expect([...parseExpected('# why\n\nhttp ping: not yet: soon\n', rows)]).toEqual([['http ping', 'not yet: soon']]);
  expect(() => parseExpected('http ping', rows)).toThrow('without a reason');
  expect(() => parseExpected('http ping:  ', rows)).toThrow('without a reason');
  expect(() => parseExpected('http pong: not yet', rows)).toThrow('not run');
  expect(() => parseExpected('http ping: not yet\nhttp ping: no', rows)).toThrow('twice');
});

it('an unexpected failure and an expected failure that passes both fail the run', () => {
  const expected = parseExpected('http ping: not yet', rows);
  const passed = { passed: true, score: '1/1', why: [] };
  const failed = { passed: false, score: '0/1', why: ['no answer'] };
  expect(() => settle('http ping', failed, expected)).not.toThrow();
  expect(() => settle('http tools-list', passed, expected)).not.toThrow();
  expect(() => settle('http ping', passed, expected)).toThrow('passes now');
  expect(() => settle('http tools-list', failed, expected)).toThrow('no answer');
});
