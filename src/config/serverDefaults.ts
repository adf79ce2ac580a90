/** `serverDefaults`: options that every server has unless it says otherwise. */
import { REMOTE_KEYS, STDIO_KEYS } from './backend.ts';
import type { Problem } from './issue.ts';
import type { FileShape, ServerShape } from './schema.ts';
import { has } from './stack.ts';

type Tree = Readonly<Record<string, unknown>>;

/** One is another word for the other: whoever writes one does not want the other. */
const SAME = ['timeout', 'requestTimeout'];

interface Merged {
  readonly shape: ServerShape;
  /** Its own keys and those of the defaults. */
  readonly written: ReadonlySet<string>;
}

/**
 * A server on top of the defaults. Of objects (`env`, `headers`) single keys win, anything else is replaced; options that have
 * no meaning for its kind are left out.
 * @param own its keys as they are in the file, whether or not their values are good
 */
export function onDefaults(server: ServerShape, own: ReadonlySet<string>, defaults: FileShape['serverDefaults'] = {}): Merged {
  const unfit = new Set([
    ...(own.has('command') ? [] : STDIO_KEYS),
    ...(own.has('url') ? [] : REMOTE_KEYS),
    ...(SAME.some((key) => own.has(key)) ? SAME : []),
  ]);
  const fitting = Object.entries(defaults).filter(([key, value]) => value !== undefined && !unfit.has(key));
  const merged: Record<string, unknown> = { ...server };
  for (const [key, value] of fitting) {
    const written = merged[key];
    if (!own.has(key)) merged[key] = value;
    else if (isTree(value) && isTree(written)) merged[key] = { ...value, ...written };
  }
  return { shape: merged as ServerShape, written: new Set([...own, ...fitting.map(([key]) => key)]) };
}

/** Problems of servers whose cause is in the defaults, moved there; the same one of several servers is said once. */
export function atTheirCause(problems: readonly Problem[], file: unknown): Problem[] {
  const { mcpServers, serverDefaults } = (file ?? {}) as { readonly mcpServers?: Tree; readonly serverDefaults?: unknown };
  const said = new Set<string>();
  return problems.flatMap((problem) => {
    const [root, name = '', ...rest] = problem.path;
    const isServers = root === 'mcpServers' && rest.length > 0;
    if (!isServers || has(mcpServers?.[name], rest) || !has(serverDefaults, rest)) return [problem];
    const moved = { ...problem, path: ['serverDefaults', ...rest] };
    const key = JSON.stringify([moved.path, moved.message]);
    if (said.has(key)) return [];
    said.add(key);
    return [moved];
  });
}

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value);
