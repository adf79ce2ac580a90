/** Every faulty backend beside a healthy one under load, in a real gateway (reference reliability-security §7). */
import { describe } from 'vitest';
import { verifies } from '../support/verifies.ts';
import { ANSWERS } from './faults/answers.ts';
import { CRASH } from './faults/crash.ts';
import { HTTP } from './faults/http.ts';
import { LIFECYCLE } from './faults/lifecycle.ts';
import { LISTS } from './faults/lists.ts';
import { START } from './faults/start.ts';
import { STORMS } from './faults/storms.ts';
import { STREAM } from './faults/stream.ts';
import { family } from './harness/family.ts';

const OPTIONS = { compare: true, lasts: 2000 };

describe(verifies('faulty-backends', 'a faulty backend beside a healthy one'), () => {
  family('start', START, OPTIONS);
  family('lists', LISTS, OPTIONS);
  family('stream', STREAM, OPTIONS);
  family('storms', STORMS, OPTIONS);
  family('answers', ANSWERS, OPTIONS);
  family('crash', CRASH, OPTIONS);
  family('lifecycle', LIFECYCLE, OPTIONS);
  family('http', HTTP, OPTIONS);
});
