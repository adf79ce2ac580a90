import type { BackendSpec } from './config.ts';
import type { Desk, Entry } from './entry.ts';
import { remoteParts } from './remote.ts';
import { serverSchema } from './schema.ts';
import { stdioParts } from './stdio.ts';
import { nearest } from './suggest.ts';
import { inUnit } from './units.ts';

const STDIO_KEYS = ['command', 'args', 'env', 'cwd'];
const REMOTE_KEYS = ['url', 'headers'];
const KEYS = Object.keys(serverSchema.shape);

/** The backend an entry describes; `undefined` after a problem that leaves nothing to describe. */
export async function backendOf(entry: Entry, namespace: string, desk: Desk): Promise<BackendSpec | undefined> {
  const kind = kindOfEntry(entry, desk);
  if (kind === undefined) return undefined;
  const base = {
    name: entry.name,
    namespace,
    tags: [...new Set(entry.shape.tags ?? [])],
    critical: entry.shape.critical ?? false,
    isolation: entry.shape.isolation ?? 'auto',
    samplingContext: entry.shape.samplingContext ?? false,
    ...timeouts(entry, desk),
  };
  const parts = kind === 'stdio' ? await stdioParts(entry, desk) : await remoteParts(entry, desk);
  return parts && { ...base, ...parts };
}

function kindOfEntry({ written, shape, path }: Entry, { problems }: Desk): 'stdio' | 'remote' | undefined {
  if (written.has('command') && written.has('url')) {
    problems.push({ path: [...path, 'url'], at: 'key', message: 'a server has either "command" or "url"; remove one of them' });
    return undefined;
  }
  if (!written.has('command') && !written.has('url')) {
    // A misspelt one is already reported, with the right word.
    const misspelt = [...written].some((key) => ['command', 'url'].includes(nearest(key, KEYS) ?? ''));
    if (misspelt) return undefined;
    problems.push({ path, at: 'key', message: 'add "command" for a local program, or "url" for a remote server' });
    return undefined;
  }
  const kind = written.has('command') ? 'stdio' : 'remote';
  const [own, foreign] = kind === 'stdio' ? ['command', REMOTE_KEYS] : ['url', STDIO_KEYS];
  for (const key of foreign.filter((other) => written.has(other))) {
    problems.push({ path: [...path, key], at: 'key', message: `"${key}" has no meaning for a server with "${own}"; remove it` });
  }
  if (shape.type !== undefined && (shape.type === 'stdio') !== (kind === 'stdio')) {
    const advice =
      kind === 'stdio' ? 'remove "type", or write "url" instead of "command"' : 'remove "type", or write "command" instead of "url"';
    problems.push({ path: [...path, 'type'], at: 'value', message: `type "${shape.type}" does not go with "${own}"; ${advice}` });
  }
  return kind;
}

function timeouts({ shape, written, path }: Entry, { problems, warnings, limits }: Desk) {
  const alias = written.has('timeout') ? 'timeout' : 'requestTimeout';
  if (written.has('timeout') && written.has('requestTimeout')) {
    problems.push({ path: [...path, 'timeout'], at: 'key', message: '"timeout" is another word for "requestTimeout"; remove one of them' });
  }
  const own = shape[alias];
  if (typeof own === 'number' && own < 1000) {
    const message = `${own} means milliseconds; write "${own}s" if you mean seconds`;
    warnings.push({ path: [...path, alias], at: 'value', message });
  }
  const requestTimeout = inUnit(shape.requestTimeout ?? shape.timeout, 'ms') ?? limits.requestTimeout;
  const requestTotalTimeout = inUnit(shape.requestTotalTimeout, 'ms') ?? limits.requestTotalTimeout;
  if (own !== undefined && requestTimeout > requestTotalTimeout) {
    const message = `longer than requestTotalTimeout (${requestTotalTimeout} ms), which ends the request first; raise that too`;
    warnings.push({ path: [...path, alias], at: 'value', message });
  }
  return { startTimeout: inUnit(shape.startTimeout, 'ms') ?? limits.startTimeout, requestTimeout, requestTotalTimeout };
}
