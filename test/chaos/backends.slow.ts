/** Every faulty backend beside a healthy one under load, in a real gateway (reference reliability-security §7). */
import { LIFECYCLE } from './faults/lifecycle.ts';
import { family } from './harness/family.ts';

const OPTIONS = { compare: true, lasts: 3000 };

family('lifecycle', LIFECYCLE, OPTIONS);
