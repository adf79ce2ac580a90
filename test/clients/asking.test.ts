import { askingSuite } from './asking.ts';
import { WAYS } from './kit.ts';

const { directHttp, http, httpSse } = WAYS;

askingSuite([directHttp, http, httpSse]);
