import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import { nodeOutlet, type Outlet, webOutlet } from './outlet.ts';

/** The environment of a request: Node's own objects, absent when the app is called without a server. */
export type Env = { Bindings: Partial<HttpBindings> };

/** Lets `write` answer through an outlet, whether a server or a `fetch`-style caller waits for it. */
export function answered(c: Context<Env>, write: (outlet: Outlet) => void): Response | Promise<Response> {
  const outgoing = c.env?.outgoing;
  if (!outgoing) return new Promise((resolve) => write(webOutlet(resolve)));
  write(nodeOutlet(outgoing));
  return import('@hono/node-server/utils/response').then(({ RESPONSE_ALREADY_SENT }) => RESPONSE_ALREADY_SENT);
}
