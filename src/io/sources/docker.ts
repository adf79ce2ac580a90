import { printable } from '../lines.ts';
import { type Answer, type Ask, askLines, askWhole, isStream } from './ask.ts';
import { createChooser, type OnSkip } from './choose.ts';
import type { DiscoverySource } from './discovery.ts';
import { candidateOf, inOrder } from './dockerContainer.ts';
import { fieldsOf, jsonOf, wordOf } from './fields.ts';
import { type Retry, type Turn, takeTurns } from './retry.ts';

export interface DockerOptions {
  /** The socket of the Engine, such as `/var/run/docker.sock`. */
  readonly socketPath: string;
  /** What the labels begin with, such as `onemcp` for `onemcp.enable`. */
  readonly label: string;
  readonly retry: Retry;
  /** A container with the label that cannot be used. */
  readonly onSkip?: OnSkip;
  /** Milliseconds for one answer. */
  readonly timeout?: number;
  /** Milliseconds after which it lists although nothing was told: for networks, whose changes no event of a container tells. */
  readonly resync?: number;
}

const TIMEOUT_MS = 10_000;
const RESYNC_MS = 60_000;
const LIST_BYTES = 16 * 1024 * 1024;
const EVENT_BYTES = 256 * 1024;
/** After which the list may be another one. */
const EVENTS = ['start', 'die', 'destroy', 'rename', 'pause', 'unpause'];

/**
 * Running containers with the label `<label>.enable=true`, by the Engine API (docs.docker.com/reference/api/engine). An event says
 * only that it is time to list: the list is what counts.
 */
export function createDockerSource(options: DockerOptions): DiscoverySource {
  const { socketPath, label, retry, onSkip, timeout = TIMEOUT_MS, resync = RESYNC_MS } = options;
  const enabled = `${label}.enable=true`;

  const ask = (path: string, filters: object, maxBytes: number, signal: AbortSignal): Ask => {
    const url = new URL(path, 'http://docker');
    url.searchParams.set('filters', JSON.stringify(filters));
    return { url, socketPath, signal, timeout, maxBytes };
  };

  const list = async (signal: AbortSignal): Promise<readonly unknown[]> => {
    const answer = await askWhole(ask('/containers/json', { label: [enabled], status: ['running'] }, LIST_BYTES, signal));
    if (answer.status !== 200) throw refused(socketPath, answer);
    const containers = jsonOf(answer.text);
    if (!Array.isArray(containers)) throw new Error(`${socketPath} answered with something that is no list of containers: is it Docker?`);
    return containers;
  };

  return {
    name: 'docker',
    watch: (handlers) => {
      const choose = createChooser(onSkip);
      const look = async (turn: Turn) => {
        const containers = await list(turn.signal);
        if (!turn.signal.aborted) turn.found(choose(inOrder(containers).map((container) => candidateOf(container, label))));
      };
      return takeTurns(handlers, retry, async (turn) => {
        const { signal } = turn;
        let due = true;
        let over = false;
        let wake = () => {};
        const ring = () => {
          due = true;
          wake();
        };
        const timer = setInterval(ring, resync).unref();
        try {
          // Before the list, so that no change is between the two.
          const filters = { type: ['container'], event: EVENTS, label: [enabled] };
          const events = await askLines(ask('/events', filters, EVENT_BYTES, signal), { onLine: ring, onOversize: ring });
          if (!isStream(events)) throw refused(socketPath, events);
          void events.over.then(() => {
            over = true;
            wake();
          });
          while (!over) {
            if (due) {
              due = false;
              await look(turn);
            } else {
              await new Promise<void>((resolve) => {
                wake = resolve;
              });
            }
          }
        } catch (error) {
          throw unreachable(socketPath, error);
        } finally {
          clearInterval(timer);
        }
      });
    },
  };
}

function refused(socketPath: string, { status, text }: Answer): Error {
  const said = wordOf(fieldsOf(jsonOf(text)).message);
  return new Error(`Docker at ${socketPath} answered ${status}${said === undefined ? '' : `: ${printable(said, 300)}`}`);
}

function unreachable(socketPath: string, error: unknown): Error {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return new Error(`there is no socket ${socketPath}: is Docker running, and is its socket mounted where onemcp runs in a container?`);
  if (code === 'EACCES' || code === 'EPERM')
    return new Error(`${socketPath} may not be opened (${code}): let the user of onemcp into the group of the socket, often "docker"`);
  if (code === 'ECONNREFUSED') return new Error(`nobody listens on ${socketPath}: is Docker running?`);
  if (code?.startsWith('HPE_')) return new Error(`${socketPath} answered with something that is not HTTP (${code}): is it Docker?`);
  return new Error(message.includes(socketPath) ? message : `Docker at ${socketPath} cannot be asked: ${code ?? printable(message, 300)}`);
}
