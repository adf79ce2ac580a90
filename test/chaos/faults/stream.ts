/** Backends that write something else than one message a line. */
import { fixture } from '../../e2e/gateway.ts';
import type { Fault, Trial } from '../harness/fault.ts';

/** What is large takes longer than the short times of the suite. */
const LARGE = { requestTimeout: '20s' };

/** The process is the same before and after: what it wrote cost one call only. */
const notRestarted = (name: string, fault: Omit<Fault, 'name'>): Fault => ({
  ...fault,
  name,
  async steps(trial) {
    const restarts = trial.running.logs.filter(({ event, backend }) => event === 'backend.connected' && backend === 'odd').length;
    trial.check('recovery', restarts <= 1, 'it was restarted');
    await fault.steps?.(trial);
  },
});

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const CONTROLS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e]|\r(?!\n)/;

async function noControlsAnywhere(trial: Trial): Promise<void> {
  const { text } = await trial.call('odd__boom');
  trial.check('answer', !CONTROLS.test(text), `the error holds control characters: ${JSON.stringify(text)}`);
  const { message } = await trial.client.request('tools/list');
  const tools = message.result.tools as { name: string; description: string }[];
  const described = tools.find(({ name }) => name === 'odd__coloured')?.description ?? 'nothing';
  trial.check('answer', !CONTROLS.test(described), `the description holds control characters: ${JSON.stringify(described)}`);
  trial.check('answer', !trial.running.logs.some(({ event }) => event === 'forged'), 'a line of the log is forged');
}

export const STREAM: readonly Fault[] = [
  notRestarted('garbage-stdout', { backend: fixture('garbage-json'), after: 'usable' }),
  notRestarted('bare-values', { backend: fixture('bare-values'), after: 'usable' }),
  notRestarted('half-line', { backend: fixture('half-lines'), after: 'usable' }),
  notRestarted('crlf-bom', { backend: fixture('crlf-bom'), after: 'usable' }),
  notRestarted('nul-bytes', { backend: fixture('nul-bytes'), after: 'usable' }),
  notRestarted('batch-response', { backend: fixture('batch-response'), call: { gives: 'either' }, after: 'usable' }),
  notRestarted('invalid-utf8', { backend: fixture('invalid-utf8'), call: { gives: 'either' }, after: 'usable' }),
  notRestarted('deep-json', { backend: fixture('deep-json'), call: { gives: 'error', says: /nested deeper than 256/ }, after: 'usable' }),
  { name: 'unterminated', backend: fixture('unterminated'), call: { gives: 'either', within: 2000 }, after: 'usable' },
  notRestarted('large-message', {
    backend: fixture('huge-message', { MB: '40' }),
    gateway: LARGE,
    call: { gives: 'error', says: /larger than 16 MiB/, within: 20_000 },
    after: 'usable',
  }),
  {
    name: 'huge-message',
    backend: fixture('huge-message', { MB: '100', ORDER: 'id-last' }),
    gateway: LARGE,
    call: { gives: 'error', says: /larger than 16 MiB|without a line end/, within: 20_000 },
    after: 'usable',
  },
  {
    name: 'endless-line',
    backend: fixture('endless-line'),
    gateway: LARGE,
    call: { gives: 'error', says: /without a line end|larger than/, within: 20_000 },
    after: 'usable',
  },
  notRestarted('stderr-flood', {
    backend: fixture('noisy-stderr'),
    after: 'usable',
    async steps(trial) {
      await trial.sleep(2000);
      const lines = trial.running.logs.filter(({ event }) => event === 'backend.stderr').length;
      trial.check('answer', lines > 0 && lines <= 42, `${lines} lines of its stderr were logged`);
    },
  }),
  notRestarted('ansi-injection', {
    backend: fixture('ansi-injection'),
    call: { gives: 'error', says: /odd things/, relayed: true },
    after: 'usable',
    steps: noControlsAnywhere,
  }),
];
