import { isStream } from './ask.ts';
import { createChooser, type OnSkip } from './choose.ts';
import type { DiscoverySource } from './discovery.ts';
import { type Fields, fieldsOf, jsonOf, listOf, wordOf } from './fields.ts';
import { createKubernetesApi, GONE, type KubernetesApi, refusal } from './kubernetesApi.ts';
import { candidateOf, inOrder, keyOf } from './kubernetesService.ts';
import { type Retry, type Turn, takeTurns } from './retry.ts';

export interface KubernetesOptions {
  /** Such as `https://kubernetes.default.svc`. */
  readonly apiServer: string;
  /** Undefined: all of them. */
  readonly namespace: string | undefined;
  /** As `kubectl --selector` takes it; empty: every Service. */
  readonly labelSelector: string;
  /** Read for each request: tokens of a pod are replaced every hour. */
  readonly tokenFile: string;
  /** PEM; undefined: the authorities that Node.js knows. */
  readonly caFile: string | undefined;
  readonly retry: Retry;
  /** A Service that cannot be used. */
  readonly onSkip?: OnSkip;
  /** Milliseconds for one answer. */
  readonly timeout?: number;
  /** Milliseconds after which the API server ends a watch, and we begin the next. */
  readonly watchFor?: number;
  /** Milliseconds for which a watch may be silent beyond that. */
  readonly grace?: number;
  /** Services of one page. */
  readonly page?: number;
}

const TIMEOUT_MS = 15_000;
const WATCH_MS = 300_000;
const PAGE = 500;
const GRACE_MS = 15_000;
/** Several events in a row are told as one change. */
const SETTLE_MS = 20;

/** What is known of the cluster; it outlives a connection. */
interface Known {
  services: Map<string, Fields>;
  /** Where the next watch begins; undefined: with a list. */
  version: string | undefined;
}

/** Services of a cluster, listed once and watched from then on (kubernetes.io/docs/reference/using-api/api-concepts). */
export function createKubernetesSource(options: KubernetesOptions): DiscoverySource {
  const { retry, onSkip, timeout = TIMEOUT_MS, watchFor = WATCH_MS, grace = GRACE_MS, page = PAGE } = options;
  return {
    name: 'kubernetes',
    watch: (handlers) => {
      const choose = createChooser(onSkip);
      const api = createKubernetesApi(options, timeout);
      const known: Known = { services: new Map(), version: undefined };
      const tell = (turn: Turn) => {
        if (!turn.signal.aborted) turn.found(choose(inOrder(known.services.values()).map(candidateOf)));
      };
      return takeTurns(handlers, retry, async (turn) => {
        if (known.version === undefined) {
          Object.assign(known, await listAll(api, page, turn.signal));
          tell(turn);
        }
        await follow({ api, known, turn, watchFor, grace, tell: () => tell(turn) });
      });
    },
  };
}

/** Page by page; as a whole when the pages are too old by the time they are asked for. */
async function listAll(api: KubernetesApi, page: number, signal: AbortSignal): Promise<Known> {
  const services = new Map<string, Fields>();
  let limit = page;
  let next = '';
  for (;;) {
    const query: Record<string, string> = { ...(limit > 0 && { limit: String(limit) }), ...(next !== '' && { continue: next }) };
    const answer = await api.whole(query, signal);
    if (answer.status === GONE && limit > 0) {
      limit = 0;
      next = '';
      services.clear();
      continue;
    }
    const { items, metadata } = fieldsOf(answer.status === 200 ? jsonOf(answer.text) : undefined);
    const version = wordOf(fieldsOf(metadata).resourceVersion);
    if (answer.status !== 200 || !Array.isArray(items) || version === undefined) throw refusal(api, 'list', answer);
    for (const item of listOf(items).map(fieldsOf)) {
      const key = keyOf(item);
      if (key !== undefined) services.set(key, item);
    }
    const token = wordOf(fieldsOf(metadata).continue) ?? '';
    if (token === '') return { services, version };
    // A server that leads round in circles would never let go.
    if (token === next) throw refusal(api, 'list', answer);
    next = token;
  }
}

interface Following {
  readonly api: KubernetesApi;
  readonly known: Known;
  readonly turn: Turn;
  readonly watchFor: number;
  readonly grace: number;
  readonly tell: () => void;
}

/** One watch, until it ends. Without `known.version` afterwards, something may have been missed. */
async function follow({ api, known, turn, watchFor, grace, tell }: Following): Promise<void> {
  const end = new AbortController();
  const stop = () => end.abort();
  turn.signal.addEventListener('abort', stop, { once: true });
  const lost = () => {
    known.version = undefined;
    stop();
  };
  let timer: NodeJS.Timeout | undefined;
  const settled = () => {
    timer = undefined;
    tell();
  };
  const onLine = (line: string) => {
    const outcome = apply(known, fieldsOf(jsonOf(line)));
    if (outcome === 'lost') lost();
    else if (outcome === 'changed') timer ??= setTimeout(settled, SETTLE_MS).unref();
  };
  const query = {
    watch: '1',
    resourceVersion: known.version ?? '',
    allowWatchBookmarks: 'true',
    timeoutSeconds: String(Math.max(1, Math.round(watchFor / 1000))),
  };
  try {
    const answer = await api.lines(query, end.signal, { onLine, onOversize: lost, silence: watchFor + grace });
    if (!isStream(answer)) {
      // Too old, or of another cluster that came in its place.
      if (answer.status === GONE || answer.status === 400) known.version = undefined;
      if (answer.status === GONE) return;
      throw refusal(api, 'watch', answer);
    }
    turn.works();
    await answer.over;
  } finally {
    stop();
    if (timer) {
      clearTimeout(timer);
      tell();
    }
  }
}

/** `lost`: what comes after this cannot be understood without a new list. */
function apply(known: Known, { type, object }: Fields): 'changed' | 'same' | 'lost' {
  const service = fieldsOf(object);
  const version = wordOf(fieldsOf(service.metadata).resourceVersion);
  if (version === undefined) return 'lost';
  if (type === 'BOOKMARK') {
    known.version = version;
    return 'same';
  }
  const key = keyOf(service);
  if (key === undefined) return 'lost';
  if (type === 'DELETED') known.services.delete(key);
  else if (type === 'ADDED' || type === 'MODIFIED') known.services.set(key, service);
  else return 'lost';
  known.version = version;
  return 'changed';
}
