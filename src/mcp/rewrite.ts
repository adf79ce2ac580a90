/**
 * The URIs inside results: the only fields of a result that a gateway may change. Results are plain objects that
 * nobody else holds, so they are changed in place; text, blobs and `structuredContent` are never looked into.
 */
import type { Json } from '../world.ts';
import { exposeUri } from './uri.ts';
import { exposeUiMeta } from './view.ts';

/** Gives a URI its exposed form, and remembers who handed it out. */
export type ExposeLink = (uri: string) => string;

/** `tools/call`: resource links, embedded resources and the UI resource. */
export function rewriteToolResult(result: Json, expose: ExposeLink): Json {
  if (Array.isArray(result.content)) for (const block of result.content) rewriteBlock(block, expose);
  if (typeof result._meta === 'object' && result._meta !== null) result._meta = exposeUiMeta(result._meta as Json, expose);
  return result;
}

/** `prompts/get`: the same blocks inside messages. */
export function rewritePromptResult(result: Json, expose: ExposeLink): Json {
  if (!Array.isArray(result.messages)) return result;
  for (const message of result.messages) rewriteBlock((message as Json | null)?.content, expose);
  return result;
}

/** `resources/read`: what was asked for keeps the URI it was asked by. */
export function rewriteReadResult(result: Json, { asked, original }: { asked: string; original: string }, expose: ExposeLink): Json {
  if (!Array.isArray(result.contents)) return result;
  for (const content of result.contents as Json[]) {
    if (typeof content?.uri === 'string') content.uri = content.uri === original ? asked : expose(content.uri);
  }
  return result;
}

function rewriteBlock(block: unknown, expose: ExposeLink): void {
  if (typeof block !== 'object' || block === null) return;
  const { type, resource } = block as Json;
  if (type === 'resource_link' && typeof (block as Json).uri === 'string') (block as Json).uri = expose((block as Json).uri as string);
  if (type === 'resource' && typeof (resource as Json | null)?.uri === 'string') {
    (resource as Json).uri = expose((resource as Json).uri as string);
  }
}

/** `sampling/createMessage`: the blocks of its messages, and those inside results of tools. */
export function rewriteSampling(params: Json, expose: ExposeLink): Json {
  if (Array.isArray(params.messages)) for (const message of params.messages) rewriteBlocks((message as Json | null)?.content, expose);
  return params;
}

function rewriteBlocks(content: unknown, expose: ExposeLink): void {
  for (const block of Array.isArray(content) ? content : [content]) {
    rewriteBlock(block, expose);
    if ((block as Json | null)?.type === 'tool_result') rewriteBlocks((block as Json).content, expose);
  }
}

/** Most URIs remembered, whatever their backends. */
const MAX_HANDED_OUT = 10_000;

/** An `ExposeLink` for one backend. */
export function linkExposer(
  backend: { name: string; namespace: string },
  native: boolean,
  handedOut: Map<string, readonly string[]>,
): ExposeLink {
  return (uri) => {
    const exposed = native ? uri : exposeUri(backend.namespace, uri);
    const owners = handedOut.get(uri) ?? [];
    handedOut.delete(uri);
    handedOut.set(uri, owners.includes(backend.name) ? owners : [...owners, backend.name]);
    if (handedOut.size > MAX_HANDED_OUT) handedOut.delete(handedOut.keys().next().value as string);
    return exposed;
  };
}
