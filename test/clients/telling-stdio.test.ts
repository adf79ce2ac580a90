import { WAYS } from './kit.ts';
import { tellingSuite } from './telling.ts';

const { stdio, stdioSse, session } = WAYS;

tellingSuite([stdio, stdioSse, session]);
