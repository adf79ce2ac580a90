/** Backends that say more than anybody can hear. */
import { fixture } from '../../e2e/gateway.ts';
import type { Fault, Trial } from '../harness/fault.ts';
import { listChanges } from './count.ts';

const storm = (name: string, backend: Fault['backend'] = fixture(name)): Fault => ({
  name,
  backend,
  after: 'usable',
  async steps(trial) {
    await trial.sleep(2500);
    trial.check('recovery', (await trial.detail()).status === 'connected', 'it did not stay connected');
  },
});

/** R13: at most ten a second after a burst of two seconds, only with a token, the last one before the result. */
async function progressIsCalm({ client, check }: Trial): Promise<void> {
  const began = performance.now();
  const { message, before, took } = await client.call('odd__boom', {}, { progressToken: 'mine' });
  const seen = before.filter(({ method }) => method === 'notifications/progress');
  const most = 20 + (10 * (performance.now() - began)) / 1000 + 2;
  check('answer', JSON.stringify(message?.result ?? '').includes('counted to'), `another answer: ${JSON.stringify(message)}`);
  check('answer', took <= 20_000, `it took ${took.toFixed(0)} ms`);
  check('answer', seen.length >= 1 && seen.length <= most, `${seen.length} progress notifications in ${took.toFixed(0)} ms`);
  const last = (seen.at(-1)?.params as { progress?: number } | undefined)?.progress;
  check('answer', last === 20_000, `the last progress before the result was ${last}`);
}

export const STORMS: readonly Fault[] = [
  storm('log-flood'),
  storm('garbage-flood'),
  storm('newline-flood'),
  storm('answer-flood'),
  storm('cancelled-storm'),
  storm('updated-storm'),
  storm('question-storm'),
  {
    ...storm('request-storm'),
    async steps(trial) {
      await trial.sleep(2500);
      const { text } = await trial.call('odd__answered');
      trial.check('answer', /"answered":[1-9]/.test(text), `of its pings were answered: ${text}`);
    },
  },
  {
    ...storm('list-changed-storm'),
    async steps(trial) {
      await trial.client.request('tools/list');
      const lists = async () => Number((await trial.call('odd__lists')).text);
      const [before, began] = [await lists(), performance.now()];
      await trial.sleep(2500);
      const [refreshes, seconds] = [(await lists()) - before, (performance.now() - began) / 1000];
      trial.check('answer', refreshes <= seconds + 1, `it was asked ${refreshes} times in ${seconds.toFixed(1)} s`);
      trial.check('answer', listChanges(trial) === 0, `clients were told of ${listChanges(trial)} changes, and there was none`);
    },
  },
  {
    ...storm('list-flips'),
    async steps(trial) {
      await trial.client.request('tools/list');
      await trial.sleep(3000);
      trial.check('answer', listChanges(trial) >= 1 && listChanges(trial) <= 7, `clients were told ${listChanges(trial)} times in 3 s`);
    },
  },
  {
    name: 'progress-storm',
    backend: fixture('progress-storm'),
    gateway: { requestTimeout: '20s' },
    call: { within: 20_000 },
    after: 'usable',
    steps: progressIsCalm,
  },
  {
    name: 'unknown-request',
    backend: fixture('unknown-request'),
    ready: 'connected',
    call: false,
    after: 'usable',
    async steps(trial) {
      let text = '';
      await trial.expectSoon('answer', 'all are answered', async () => {
        text = (await trial.call('odd__boom')).text;
        return text.split(' ').length === 7;
      });
      trial.check(
        'answer',
        text.split(' ').every((code) => code.endsWith(':-32601')),
        `answered: ${text}`,
      );
    },
  },
  { name: 'unknown-notification', backend: fixture('unknown-notification'), after: 'usable' },
];
