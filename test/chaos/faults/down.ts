import type { Fault } from '../harness/fault.ts';

const NOT_CONNECTED = /^(starting|error|retrying|failed)$/;

/** A backend that is never connected: calls say why, then and later. */
export const down = (name: string, backend: Fault['backend'], says: RegExp, more: Partial<Fault> = {}): Fault => ({
  name,
  backend,
  ready: 'failed',
  call: { tool: 'echo', gives: 'error', says },
  after: 'error',
  afterSays: says,
  state: NOT_CONNECTED,
  ...more,
});
