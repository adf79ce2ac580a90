import type { Method } from '../method.ts';
import type { Cursors } from '../page.ts';
import { complete } from './completion.ts';
import { listMethods } from './lists.ts';
import { setLevel } from './logging.ts';
import { ping } from './ping.ts';
import { getPrompt } from './prompts.ts';
import { readResource } from './resources.ts';
import { subscribe, unsubscribe } from './subscribe.ts';
import { callTool } from './tools.ts';

/** Every request a client may send in a session. A new method is one file and one line here. */
export function createMethods(cursors: Cursors): ReadonlyMap<string, Method> {
  const methods = [ping, ...listMethods(cursors), callTool, getPrompt, readResource, subscribe, unsubscribe, complete, setLevel];
  return new Map(methods.map((method) => [method.name, method]));
}
