/** Compares what came directly with what came through the gateway, and says readably where they differ. */
import { isDeepStrictEqual } from 'node:util';
import type { Json } from '../../src/world.ts';
import { copyOf, delivered, type Exposing, listOf } from './expose.ts';
import { isListChange, type Played } from './play.ts';

export interface Difference {
  readonly step: string;
  readonly what: string;
  readonly path: string;
  readonly direct: unknown;
  readonly gateway: unknown;
}

/** Takes out of a message what the server makes up anew each time. Changes it in place. */
export interface Rule {
  readonly why: string;
  readonly apply: (message: Json, asked: Json | undefined) => void;
}

export interface Comparing extends Exposing {
  readonly rules: readonly Rule[];
  /** One channel for everything: the order of all messages of a step is compared, not only that within each kind. */
  readonly ordered: boolean;
  /** The field of `params` by which messages of concurrent calls are told apart. */
  readonly owner?: (message: Json) => unknown;
}

export function differencesOf(direct: readonly Played[], gateway: readonly Played[], comparing: Comparing): Difference[] {
  return gateway.flatMap((played, index) => differencesOfStep(direct[index] as Played, played, comparing));
}

interface Said {
  /** Kind and owner. */
  readonly key: string;
  readonly message: Json;
}

function differencesOfStep(direct: Played, gateway: Played, comparing: Comparing): Difference[] {
  const { step } = gateway;
  const asked = (message: Json) => (message.method === undefined ? step.send.find(({ id }) => id === message.id) : undefined);
  const expected = said(
    direct.messages.map((message) => delivered(message, asked(message), comparing)),
    asked,
    comparing,
  );
  const actual = said(gateway.messages.map(copyOf), asked, comparing);
  const found: Difference[] = [];
  const report = (what: string, path: string, one: unknown, other: unknown) =>
    found.push({ step: step.name, what, path, direct: one, gateway: other });

  for (const key of new Set([...expected, ...actual].map((entry) => entry.key))) {
    const wanted = expected.filter((entry) => entry.key === key);
    const got = actual.filter((entry) => entry.key === key);
    if (step.own !== undefined && key.startsWith('answer')) {
      const code = (got[0]?.message.error as Json | undefined)?.code;
      if (code !== step.own) report(key, 'error.code', `refused by the gateway with ${step.own}`, got[0]?.message ?? 'no answer');
      if (!failed(wanted[0]?.message)) report(key, '', wanted[0]?.message, 'the script expects that the server refuses it too');
      continue;
    }
    for (let index = 0; index < Math.max(wanted.length, got.length); index++) {
      const [one, other] = [wanted[index]?.message, got[index]?.message];
      if (one === undefined || other === undefined) report(key, `#${index + 1}`, one ?? 'nothing', other ?? 'nothing');
      // The order of keys is promised for what a server answers.
      else
        for (const difference of deepDifferences(one, other, key.startsWith('answer')))
          report(key, difference.path, difference.direct, difference.gateway);
    }
  }
  const order = (entries: readonly Said[]) => entries.map(({ key }) => key).filter((key) => !isListChange(key));
  if (found.length === 0 && comparing.ordered && !step.together && !isDeepStrictEqual(order(expected), order(actual))) {
    report('order of messages', '', order(expected), order(actual));
  }
  return found;
}

const failed = (message: Json | undefined): boolean =>
  message?.error !== undefined || (message?.result as Json | undefined)?.isError === true;

/** Messages without what belongs to one hop: ids of server requests, the order of lists, how often a list changed. */
function said(messages: readonly Json[], asked: (message: Json) => Json | undefined, { rules, owner }: Comparing): Said[] {
  const entries: Said[] = [];
  for (const message of messages) {
    const request = asked(message);
    for (const { apply } of rules) apply(message, request);
    const list = request && listOf(String(request.method), message.result);
    list?.items.sort((a, b) => (String(a[list.id]) < String(b[list.id]) ? -1 : 1));
    const { jsonrpc, id, method, ...rest } = message;
    if (method === undefined) {
      entries.push({ key: `answer to ${JSON.stringify(id)}`, message: rest });
      continue;
    }
    const whose = owner?.(message);
    const key = `${id === undefined ? '' : 'request '}${method}${whose === undefined ? '' : ` of ${JSON.stringify(whose)}`}`;
    if (!isListChange(method) || !entries.some((entry) => entry.key === key)) entries.push({ key, message: rest });
  }
  return entries;
}

interface Place {
  readonly path: string;
  readonly direct: unknown;
  readonly gateway: unknown;
}

const isBranch = (value: unknown): value is Json => typeof value === 'object' && value !== null;

/** Every place where two JSON values differ, if `order` also those with the same keys in another order. */
function deepDifferences(direct: unknown, gateway: unknown, order: boolean, path = ''): Place[] {
  if (direct === gateway) return [];
  if (!isBranch(direct) || !isBranch(gateway) || Array.isArray(direct) !== Array.isArray(gateway)) return [{ path, direct, gateway }];
  if (Array.isArray(direct) && direct.length !== (gateway as unknown as unknown[]).length) return [{ path, direct, gateway }];
  const [keys, others] = [Object.keys(direct), Object.keys(gateway)];
  const places: Place[] = [];
  for (const key of new Set([...keys, ...others])) {
    const value = (holder: Json) => (Object.hasOwn(holder, key) ? holder[key] : MISSING);
    places.push(...deepDifferences(value(direct), value(gateway), order, `${path}${path === '' ? '' : '.'}${key}`));
  }
  if (order && places.length === 0 && !isDeepStrictEqual(keys, others))
    places.push({ path: `${path} (order of keys)`, direct: keys, gateway: others });
  return places;
}

const MISSING = '(missing)';

const MOST_SHOWN = Number(process.env.DIFFERENCES ?? 60);

/** Differences as a text for people. */
export function report(differences: readonly Difference[]): string {
  const shown = differences.slice(0, MOST_SHOWN).map(({ step, what, path, direct, gateway }) => {
    return `${step}\n  ${what}${path && `: ${path}`}\n    direct:  ${brief(direct)}\n    gateway: ${brief(gateway)}`;
  });
  return [...shown, ...(differences.length > MOST_SHOWN ? [`… and ${differences.length - MOST_SHOWN} more`] : [])].join('\n');
}

function brief(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 300 ? `${text.slice(0, 300)}… (${text.length} characters)` : text;
}
