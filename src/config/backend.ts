import type { BackendSpec } from './config.ts';
import type { Desk, Entry } from './entry.ts';
import { remoteParts } from './remote.ts';
import { serverSchema } from './schema.ts';
import { stdioParts } from './stdio.ts';
import { nearest } from './suggest.ts';
import { inUnit } from './units.ts';

/** Options that only a program, or only a remote server can have. */
export const STDIO_KEYS = ['command', 'args', 'env', 'cwd', 'install', 'maxMemory'];
export const REMOTE_KEYS = ['url', 'headers'];
const KEYS = Object.keys(serverSchema.shape);

/** The backend an entry describes; `undefined` after a problem that leaves nothing to describe. */
export async function backendOf(entry: Entry, namespace: string, desk: Desk): Promise<BackendSpec | undefined> {
  const kind = kindOfEntry(entry, desk);
  if (kind === undefined) return undefined;
  warnOfContradictions(entry, desk);
  const base = {
    name: entry.name,
    namespace,
    tags: [...new Set(entry.shape.tags ?? [])],
    critical: entry.shape.critical ?? false,
    isolation: entry.shape.isolation ?? 'auto',
    samplingContext: entry.shape.samplingContext ?? false,
    restart: entry.shape.restart ?? 'always',
    dependsOn: [...new Set(entry.shape.dependsOn ?? [])],
    lazy: entry.shape.lazy ?? false,
    handoff: entry.shape.handoff ?? 'swap',
    retry: entry.shape.retry ?? 'safe',
    ...(entry.shape.enabledTools && { enabledTools: entry.shape.enabledTools }),
    ...(entry.shape.disabledTools && { disabledTools: entry.shape.disabledTools }),
    ...timeouts(entry, desk),
    ...lanes(entry, desk),
  } as const;
  const parts = kind === 'stdio' ? await stdioParts(entry, desk) : await remoteParts(entry, desk);
  return parts && { ...base, installTimeout: installTimeout(entry, base.startTimeout, parts, desk), ...parts };
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

/** Options that are fine, but not together. */
function warnOfContradictions({ shape, written, path }: Entry, { warnings, limits }: Desk): void {
  const warn = (key: string, message: string) => warnings.push({ path: [...path, key], at: 'key', message });
  if (shape.lazy && shape.critical) {
    warn(
      'lazy',
      'a lazy server is not tried before a request needs it, so nobody learns that a critical one cannot start; remove one of them',
    );
  }
  const maxQueue = shape.maxQueue === undefined ? limits.maxQueue : Number(shape.maxQueue);
  if (written.has('queueTimeout') && maxQueue === 0) {
    warn('queueTimeout', 'has no meaning with a maxQueue of 0: no request waits; remove it, or raise maxQueue');
  }
}

/** Programs that fetch what they run before they run it. */
const LAUNCHERS = /^(npx|npm|pnpx|pnpm|yarn|bunx|uvx|uv|pipx|docker|podman|nerdctl|deno)$/;

/** Milliseconds that a start may take until the server was connected once. */
function installTimeout(
  { shape }: Entry,
  startTimeout: number,
  parts: { readonly kind: string; readonly command?: unknown },
  { limits }: Desk,
): number {
  const program = String(parts.command ?? '')
    .replace(/^.*[/\\]/, '')
    .replace(/\.(cmd|exe)$/i, '');
  if (shape.install === undefined && !(parts.kind === 'stdio' && LAUNCHERS.test(program))) return startTimeout;
  return Math.max(startTimeout, inUnit(shape.install?.timeout, 'ms') ?? limits.installTimeout);
}

/** How many requests it gets at a time, and how long the others wait. */
function lanes({ shape }: Entry, { limits }: Desk) {
  return {
    idleTimeout: inUnit(shape.idleTimeout, 'ms') ?? limits.idleTimeout,
    maxConcurrency: shape.maxConcurrency === undefined ? limits.maxConcurrency : Number(shape.maxConcurrency),
    maxQueue: shape.maxQueue === undefined ? limits.maxQueue : Number(shape.maxQueue),
    queueTimeout: inUnit(shape.queueTimeout, 'ms') ?? limits.queueTimeout,
  };
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
