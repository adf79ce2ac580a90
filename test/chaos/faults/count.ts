/** Counts the starts of a program, without asking the gateway. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Json } from '../../../src/world.ts';
import type { Setup, Trial } from '../harness/fault.ts';

const BACKENDS = resolve(import.meta.dirname, '../../fixtures/backends');

/** A fixture behind a shell that notes each start. */
export const counted = (fixture: string, env: Record<string, string> = {}): ((setup: Setup) => Json) => {
  return ({ folder }) => ({
    command: ['/bin/sh', '-c', 'echo >> "$0"; exec "$@"', startsIn(folder), process.execPath, join(BACKENDS, `${fixture}.mjs`)],
    env,
  });
};

export function starts({ setup }: Trial): number {
  try {
    return readFileSync(startsIn(setup.folder)).length;
  } catch {
    return 0;
  }
}

const startsIn = (folder: string): string => join(folder, 'starts');

/** The names of all tools that clients see, over all pages. */
export async function toolNames({ client }: Trial): Promise<string[]> {
  const names: string[] = [];
  let cursor: unknown;
  do {
    const { message } = await client.request('tools/list', cursor === undefined ? {} : { cursor });
    names.push(...(message.result.tools as { name: string }[]).map(({ name }) => name));
    cursor = message.result.nextCursor;
  } while (cursor !== undefined);
  return names;
}

/** How often the client was told that the tools have changed. */
export const listChanges = ({ notes }: Trial): number => notes.filter(({ method }) => method === 'notifications/tools/list_changed').length;
