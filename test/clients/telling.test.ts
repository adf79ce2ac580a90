import { WAYS } from './kit.ts';
import { tellingSuite } from './telling.ts';

const { directHttp, http, httpSse } = WAYS;

tellingSuite([directHttp, http, httpSse]);
