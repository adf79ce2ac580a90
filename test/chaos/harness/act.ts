/** What happens to `odd` during a trial: it gets ready, is called, and shows what became of it. */
import type { Fault, Trial } from './fault.ts';
import { type Expected, type Reply, replyComplaints } from './judge.ts';

/** requestTimeout of the suite, and the second that R3 grants. */
const CALL_MS = 3000;

export async function act(fault: Fault, trial: Trial): Promise<void> {
  const { ready = 'connected' } = fault;
  if (ready === 'connected')
    await trial.expectSoon('answer', 'odd is connected', async () => (await trial.detail()).status === 'connected');
  if (ready === 'failed') await trial.expectSoon('answer', 'odd has failed', async () => (await trial.detail()).lastError !== undefined);
  if (fault.call !== false) {
    const { tool = 'boom', args, gives = 'result', within = CALL_MS, ...more } = fault.call ?? {};
    complain(trial, 'answer', await trial.call(`odd__${tool}`, args), { gives, within, ...more });
  }
  try {
    await fault.steps?.(trial);
  } catch (error) {
    trial.check('answer', false, `a step failed: ${String(error)}`);
  }
  await AFTERWARDS[fault.after](fault, trial);
  const { state = fault.after === 'usable' ? /^connected$/ : undefined } = fault;
  if (state) await trial.expectSoon('alive', `health says of odd: ${state.source}`, async () => state.test((await trial.detail()).status));
}

const AFTERWARDS: Readonly<Record<Fault['after'], (fault: Fault, trial: Trial) => Promise<void>>> = {
  async usable({ recovers = 5000 }, trial) {
    let last: Reply | undefined;
    const nonce = `back-${Math.random().toString(36).slice(2)}`;
    const deadline = performance.now() + recovers;
    do {
      last = await trial.call('odd__echo', { text: nonce });
      if (last.kind === 'result' && last.text.includes(nonce)) return;
      await trial.sleep(100);
    } while (performance.now() < deadline);
    trial.check('recovery', false, `not usable after ${recovers} ms: ${last.text.slice(0, 300)}`);
  },
  async error({ afterSays }, trial) {
    complain(trial, 'recovery', await trial.call('odd__echo', { text: 'back?' }), {
      gives: 'error',
      within: CALL_MS,
      ...(afterSays && { says: afterSays }),
    });
  },
  async either(_fault, trial) {
    complain(trial, 'recovery', await trial.call('odd__echo', { text: 'back?' }), { gives: 'either', within: CALL_MS });
  },
};

function complain(trial: Trial, column: 'answer' | 'recovery', reply: Reply, expected: Expected): void {
  for (const complaint of replyComplaints(reply, expected)) trial.check(column, false, complaint);
}
