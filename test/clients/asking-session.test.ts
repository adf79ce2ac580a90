import { askingSuite } from './asking.ts';
import { WAYS } from './kit.ts';

const { directStdio, session } = WAYS;

askingSuite([directStdio, session]);
