/** Backends that do not come up, or not at once. */
import { join } from 'node:path';
import { fixture } from '../../e2e/gateway.ts';
import type { Fault, Trial } from '../harness/fault.ts';
import { counted, listChanges, starts, toolNames } from './count.ts';
import { down } from './down.ts';

/** Besides, its tools are not listed, and health says why too. */
const neverUp = (name: string, backend: Fault['backend'], says: RegExp, more: Partial<Fault> = {}): Fault => ({
  ...down(name, backend, says, more),
  async steps(trial) {
    const { lastError = 'nothing' } = await trial.detail();
    trial.check('alive', says.test(lastError), `health gives another reason: ${lastError}`);
    const names = await toolNames(trial);
    trial.check('answer', !names.some((tool) => tool.startsWith('odd__')), `its tools are listed: ${names.join(' ')}`);
    await more.steps?.(trial);
  },
});

/** The default restart times, and what R5 says of them. */
const atMostFourStartsInSixSeconds = async (trial: Trial) => {
  await trial.sleep(6000 - (performance.now() - trial.began));
  trial.check('recovery', starts(trial) >= 2 && starts(trial) <= 4, `${starts(trial)} starts in 6 s`);
};
const PATIENT = { restart: { initial: '500ms', max: '30s' } };

export const START: readonly Fault[] = [
  neverUp('command-not-found', { command: 'no-such-program-anywhere' }, /command not found: no-such-program-anywhere/),
  neverUp('not-executable', { command: join(import.meta.dirname, 'start.ts') }, /start\.ts|permission/i),
  neverUp('cwd-missing', fixture('good', {}, { cwd: 'no-such-folder' }), /no-such-folder/),
  neverUp('crash-on-start', counted('crash-on-start'), /exited with code 1 before it was initialized.*cannot read settings\.json/, {
    gateway: PATIENT,
    steps: atMostFourStartsInSixSeconds,
  }),
  neverUp('exit-on-initialize', fixture('exit-on-init'), /exited with code 0 before it was initialized/),
  neverUp(
    'killed-on-initialize',
    fixture('die', { CAUSE: 'SIGKILL', MOMENT: 'initialize' }),
    /killed by SIGKILL before it was initialized/,
  ),
  neverUp('stdout-closed-on-start', fixture('die', { CAUSE: 'stdout', MOMENT: 'start' }), /closed its stdout|was not ready/),
  neverUp('hang-initialize', fixture('hang-on-init'), /not ready within 2 s|not answered in 2 s/),
  neverUp('mute', fixture('mute'), /not ready within 2 s|not answered in 2 s/),
  neverUp('init-error', fixture('init-error'), /the database is not reachable/),
  neverUp('wrong-protocol-version', counted('wrong-version'), /1999-01-01/, {
    async steps(trial) {
      await trial.sleep(1500);
      trial.check('recovery', starts(trial) === 1, `tried ${starts(trial)} times, though it will be the same each time`);
    },
  }),
  neverUp('no-protocol-version', fixture('no-version'), /version/),
  neverUp('null-initialize', fixture('null-initialize'), /initialize|version|result/),
  neverUp('bad-json-initialize', fixture('bad-json-initialize'), /not ready within 2 s|not answered in 2 s|JSON/),
  {
    name: 'flaky-start',
    backend: ({ folder }) => fixture('flaky-start', { COUNTER_FILE: join(folder, 'count') }),
    call: { tool: 'echo' },
    after: 'usable',
  },
  {
    name: 'crash-loop',
    backend: counted('crash-loop'),
    ready: 'any',
    call: false,
    after: 'either',
    async steps(trial) {
      await trial.client.request('tools/list');
      await trial.expectSoon('recovery', 'health says it has failed', async () => (await trial.detail()).status === 'failed', 8000);
      trial.check('recovery', starts(trial) <= 6, `${starts(trial)} starts until it was given up`);
      const before = starts(trial);
      await trial.expectSoon('recovery', 'it is probed', () => starts(trial) > before, 5000);
      trial.check('recovery', listChanges(trial) <= 3, `clients were told ${listChanges(trial)} times that its tools changed`);
    },
  },
  {
    name: 'slow-start',
    backend: fixture('slow-start', { DELAY_MS: '1500' }),
    ready: 'any',
    call: false,
    after: 'usable',
    async steps(trial) {
      const names = await toolNames(trial);
      trial.check('answer', names.includes('good__echo') && !names.includes('odd__echo'), `at once there is: ${names.join(' ')}`);
      await trial.expectSoon('answer', 'it is connected', async () => (await trial.detail()).status === 'connected');
      await trial.expectSoon('answer', 'clients are told of its tools', () => listChanges(trial) > 0, 1000);
      trial.check('answer', (await toolNames(trial)).includes('odd__echo'), 'its tools are not listed');
    },
  },
  { name: 'banner-on-stdout', backend: fixture('banner-on-stdout'), after: 'usable' },
];
