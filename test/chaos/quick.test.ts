/** A dozen of the faults, quickly. All of them, compared with a run without a fault, are in backends.slow.ts. */
import { verifies } from '../support/verifies.ts';
import { ANSWERS } from './faults/answers.ts';
import { CRASH } from './faults/crash.ts';
import { HTTP } from './faults/http.ts';
import { LIFECYCLE } from './faults/lifecycle.ts';
import { LISTS } from './faults/lists.ts';
import { START } from './faults/start.ts';
import { STREAM } from './faults/stream.ts';
import { family } from './harness/family.ts';
import { pick } from './harness/fault.ts';

// Other tests share the processors meanwhile: only the absolute bound on latencies counts.
family(
  verifies('faulty-backends', 'a dozen faulty backends'),
  [
    ...pick(START, 'command-not-found', 'exit-on-initialize', 'init-error', 'flaky-start'),
    ...pick(LISTS, 'bad-schemas'),
    ...pick(STREAM, 'garbage-stdout', 'deep-json'),
    ...pick(ANSWERS, 'dup-response'),
    ...pick(CRASH, 'exit-mid-call', 'close-stdout'),
    ...pick(LIFECYCLE, 'kill9 fork-grandchild'),
    ...pick(HTTP, 'http-reset'),
  ],
  { compare: false, lasts: 500 },
);
