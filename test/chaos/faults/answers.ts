/** Backends that answer late, twice, not at all, or with something that is no answer. */
import { fixture } from '../../e2e/gateway.ts';
import type { Fault } from '../harness/fault.ts';

const odd = (name: string, gives: 'result' | 'error' | 'either', says?: RegExp): Fault => ({
  name,
  backend: fixture(name),
  call: { gives, ...(says && { says }) },
  after: 'usable',
});

/** What a call is told of a backend that kept silent. */
const SILENT = /did not answer tools\/call within/;

export const ANSWERS: readonly Fault[] = [
  { name: 'never-respond', backend: fixture('never-responds'), call: { gives: 'error', says: SILENT }, after: 'usable' },
  {
    name: 'late-response',
    backend: fixture('late-response', { DELAY_MS: '3500' }),
    call: { gives: 'error', says: SILENT },
    after: 'usable',
    async steps(trial) {
      // The late answer arrives in the middle of this.
      for (let i = 0; i < 20; i++) {
        const { kind, text } = await trial.call('odd__echo', { text: `meanwhile-${i}.` });
        trial.check('recovery', kind === 'result' && text.includes(`meanwhile-${i}.`), `call ${i} meanwhile: ${text.slice(0, 200)}`);
        await trial.sleep(100);
      }
    },
  },
  { name: 'dup-response', backend: fixture('dup-response'), call: { says: /first/ }, after: 'usable' },
  { name: 'unknown-id-response', backend: fixture('unknown-id'), call: { says: /^yours/ }, after: 'usable' },
  odd('text-id', 'either'),
  odd('null-id', 'error', SILENT),
  odd('null-result', 'either'),
  odd('no-result', 'either'),
  odd('null-error', 'either'),
  odd('error-without-message', 'error'),
  // The text is the backend's own; ours, where there is none, has to name it.
  { name: 'error-as-text', backend: fixture('error-as-text'), call: { gives: 'error', relayed: true }, after: 'usable' },
  odd('odd-error', 'error'),
  { name: 'result-and-error', backend: fixture('result-and-error'), call: { gives: 'either', relayed: true }, after: 'usable' },
  odd('wrong-jsonrpc', 'either'),
  odd('number-content', 'either'),
  odd('text-result', 'either'),
];
