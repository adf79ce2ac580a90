/** Plays a script to a server, whatever is in between, and writes down what comes back. */
import type { Json } from '../../src/world.ts';
import type { Id, RawClient } from './client.ts';

/** A part of a script: what is sent, and what the client does meanwhile. */
export interface Step {
  readonly name: string;
  /** Requests and notifications with original names and URIs. Several are in flight together. */
  readonly send: readonly Json[];
  /** `result` or `error` for requests of the server, by method. */
  readonly answers?: Readonly<Record<string, Json>>;
  /** Sent once, as soon as a message for which `when` holds has come. */
  readonly afterwards?: { readonly when: (message: Json) => boolean; readonly send: Json };
  /** Ids that get no answer because they are cancelled. */
  readonly silent?: readonly Id[];
  /** What has to have come before the step is over, besides the answers. */
  readonly until?: (messages: readonly Json[]) => boolean;
  /** Asked twice at the end: whatever the server said before its answer has come then. */
  readonly barrier?: Json;
  /** Answered by the gateway itself, since no server is its owner: only this error code is compared. */
  readonly own?: number;
  /** Several answers race: only the order within each call is compared. */
  readonly together?: boolean;
}

export interface Played {
  readonly step: Step;
  readonly messages: readonly Json[];
}

export interface PlayOptions {
  /** Gives a message to the server its exposed names and URIs. */
  readonly address: (message: Json) => Json;
  /** What the client answers to a request of the server if the step does not say. */
  readonly answer: (request: Json) => Json;
  readonly barrier: Json;
  /** How it went directly: the play waits a little for what is still missing. */
  readonly direct?: readonly Played[];
}

/** Longest wait for answers, and for what came directly but not here, milliseconds. */
const PATIENCE = 20_000;
const GRACE = 1000;
/** When so many steps had missing messages, the wait for more of them is over. */
const MOST_GRACE = 20;

export async function play(steps: readonly Step[], client: RawClient, options: PlayOptions): Promise<Played[]> {
  const played: Played[] = [];
  let missed = 0;
  for (const [index, step] of steps.entries()) {
    const before = options.direct?.[index]?.messages;
    const grace = missed < MOST_GRACE ? GRACE : 0;
    const { messages, complete } = await playStep(step, client, { ...options, number: index, before, grace });
    if (!complete) missed++;
    played.push({ step, messages });
  }
  return played;
}

async function playStep(
  step: Step,
  client: RawClient,
  { address, answer, barrier, number, before, grace }: PlayOptions & { number: number; before: readonly Json[] | undefined; grace: number },
): Promise<{ messages: readonly Json[]; complete: boolean }> {
  const messages: Json[] = [];
  const passed = new Set<unknown>();
  let { afterwards } = step;
  client.onmessage = (message) => {
    if (typeof message.id === 'string' && message.id.startsWith('barrier ')) return void passed.add(message.id);
    messages.push(message);
    if (afterwards?.when(message)) {
      client.send(address(afterwards.send));
      afterwards = undefined;
    }
    if (typeof message.method !== 'string' || message.id === undefined) return;
    client.send({ id: message.id, ...(step.answers?.[message.method] ?? answer(message)) });
  };
  for (const message of step.send) client.send(address(message));
  const asked = step.send.flatMap(({ id, method }) =>
    id !== undefined && method !== undefined && !step.silent?.includes(id as Id) ? [id] : [],
  );
  const answered = () => asked.every((id) => messages.some((message) => message.id === id && message.method === undefined));
  const finished = await client.until(() => answered() && (before !== undefined || (step.until?.(messages) ?? true)), PATIENCE);
  if (!finished && before === undefined) throw new Error(`${step.name}: the server itself did not do what the script expects of it`);
  const wanted = counts(before ?? []);
  const complete = await client.until(() => {
    const now = counts(messages);
    return [...wanted].every(([key, count]) => (now.get(key) ?? 0) >= count);
  }, grace);
  for (const turn of ['a', 'b']) {
    const id = `barrier ${number}${turn}`;
    client.send(address({ ...(step.barrier ?? barrier), id }));
    if (!(await client.until(() => passed.has(id), PATIENCE))) throw new Error(`${step.name}: nothing is answered any more`);
  }
  return { messages, complete };
}

/** How often each kind of message came; several list changes count as one. */
function counts(messages: readonly Json[]): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const { method } of messages) {
    const key = String(method);
    found.set(key, isListChange(method) ? 1 : (found.get(key) ?? 0) + 1);
  }
  return found;
}

export const isListChange = (method: unknown): boolean => typeof method === 'string' && method.endsWith('/list_changed');
