/**
 * What a gateway may change in a message, written down once more and independently of the product: original names and
 * URIs become exposed ones, items get their provenance. Changes in place, so that the order of keys is kept.
 */
import type { Json } from '../../src/world.ts';

export interface Exposing {
  /** Undefined with transparent naming. */
  readonly namespace: string | undefined;
}

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

export const copyOf = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

function exposedUri(namespace: string, uri: string): string {
  if (/^(https?|data):/i.test(uri)) return uri;
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(uri)?.[1];
  if (scheme === undefined || /^(file|onemcp)$/i.test(scheme)) return `onemcp://${namespace}/${uri}`;
  return `${scheme}://${namespace}/${uri.slice(scheme.length + 3)}`;
}

/** A message of the client, as it has to be sent to the gateway. */
export function addressed(message: Json, { namespace }: Exposing): Json {
  const copy = copyOf(message);
  if (namespace === undefined || !isObject(copy.params)) return copy;
  const { params } = copy;
  if (['tools/call', 'prompts/get'].includes(copy.method as string) && typeof params.name === 'string') {
    params.name = `${namespace}__${params.name}`;
  }
  if (String(copy.method).startsWith('resources/') && typeof params.uri === 'string') params.uri = exposedUri(namespace, params.uri);
  const ref = copy.method === 'completion/complete' && params.ref;
  if (isObject(ref) && typeof ref.name === 'string') ref.name = `${namespace}__${ref.name}`;
  if (isObject(ref) && typeof ref.uri === 'string') ref.uri = exposedUri(namespace, ref.uri);
  return copy;
}

/** The key of its items, and what names one of them, by method. */
const LISTS = new Map<string, readonly [list: string, id: string]>([
  ['tools/list', ['tools', 'name']],
  ['prompts/list', ['prompts', 'name']],
  ['resources/list', ['resources', 'uri']],
  ['resources/templates/list', ['resourceTemplates', 'uriTemplate']],
]);

/** The items of a list answer, if it is one. */
export function listOf(method: string, result: unknown): { readonly id: string; readonly items: Json[] } | undefined {
  const [key, id] = LISTS.get(method) ?? [];
  if (key === undefined || id === undefined || !isObject(result) || !Array.isArray(result[key])) return undefined;
  return { id, items: result[key] as Json[] };
}

/**
 * A message of the server, as the gateway has to deliver it.
 * @param asked the request that it answers, if it is an answer
 */
export function delivered(message: Json, asked: Json | undefined, { namespace }: Exposing): Json {
  const copy = copyOf(message);
  if (isObject(copy.error) && typeof copy.error.message === 'string') copy.error.message = withVisibleControls(copy.error.message);
  if (namespace === undefined) return copy;
  const uri = (value: string) => exposedUri(namespace, value);
  const method = String(asked?.method ?? copy.method);
  const list = listOf(method, copy.result);
  for (const item of list?.items ?? []) exposeItem(item, (list as { id: string }).id, namespace);
  if (isObject(copy.result)) {
    if (method === 'tools/call') {
      exposeBlocks(copy.result.content, uri);
      exposeUi(copy.result, uri);
    }
    if (method === 'prompts/get') exposeMessages(copy.result.messages, uri);
    if (method === 'resources/read') exposeUris(copy.result.contents, uri);
  }
  if (isObject(copy.error) && isObject(copy.error.data) && copy.error.data.uri === (asked?.params as Json | undefined)?.uri) {
    if (typeof copy.error.data.uri === 'string') copy.error.data.uri = uri(copy.error.data.uri);
  }
  if (!isObject(copy.params)) return copy;
  if (copy.method === 'notifications/resources/updated' && typeof copy.params.uri === 'string') copy.params.uri = uri(copy.params.uri);
  if (copy.method === 'elicitation/create' && typeof copy.params.message === 'string')
    copy.params.message = `[${namespace}] ${copy.params.message}`;
  if (copy.method === 'sampling/createMessage') exposeMessages(copy.params.messages, uri);
  if (copy.method === 'notifications/message') {
    const { logger } = copy.params;
    copy.params.logger = typeof logger === 'string' ? `${namespace}/${logger}` : namespace;
    copy.params._meta = { ...(isObject(copy.params._meta) && copy.params._meta), 'dev.onemcp/server': namespace };
  }
  return copy;
}

/** What a terminal would act on is shown instead, but for line feeds and tabs. */
const withVisibleControls = (text: string): string =>
  [...text]
    .map((character) => {
      const code = character.charCodeAt(0);
      const acts = code < 0x20 ? code !== 9 && code !== 10 : (code >= 0x7f && code <= 0x9f) || (code >= 0x202a && code <= 0x202e);
      return acts || (code >= 0x2066 && code <= 0x2069) ? `\\u${code.toString(16).padStart(4, '0')}` : character;
    })
    .join('');

function exposeItem(item: Json, id: string, namespace: string): void {
  const original = item[id] as string;
  item[id] = id === 'name' ? `${namespace}__${original}` : exposedUri(namespace, original);
  exposeUi(item, (uri) => exposedUri(namespace, uri));
  const own = { 'dev.onemcp/server': namespace, ...(id === 'name' && { 'dev.onemcp/originalName': original }) };
  if (isObject(item._meta)) Object.assign(item._meta, own);
  else item._meta = own;
}

function exposeUi(holder: Json, uri: (value: string) => string): void {
  const meta = holder._meta;
  if (!isObject(meta)) return;
  if (isObject(meta.ui) && typeof meta.ui.resourceUri === 'string') meta.ui.resourceUri = uri(meta.ui.resourceUri);
  if (typeof meta['ui/resourceUri'] === 'string') meta['ui/resourceUri'] = uri(meta['ui/resourceUri']);
}

function exposeMessages(messages: unknown, uri: (value: string) => string): void {
  if (!Array.isArray(messages)) return;
  for (const message of messages) if (isObject(message)) exposeBlocks(message.content, uri);
}

function exposeBlocks(content: unknown, uri: (value: string) => string): void {
  for (const block of Array.isArray(content) ? content : [content]) {
    if (!isObject(block)) continue;
    if (block.type === 'resource_link') exposeUris([block], uri);
    if (block.type === 'resource') exposeUris([block.resource], uri);
    if (block.type === 'tool_result') exposeBlocks(block.content, uri);
  }
}

function exposeUris(holders: unknown, uri: (value: string) => string): void {
  if (!Array.isArray(holders)) return;
  for (const holder of holders) if (isObject(holder) && typeof holder.uri === 'string') holder.uri = uri(holder.uri);
}
