/**
 * What an older client would not understand, said so that it does: gateway semantics §3.6. Unknown fields stay, for
 * receivers ignore them; unknown types of content go, for strict parsers reject them. What is given is parsed text that
 * nobody else holds, so it is changed in place. Comes after the rewriting of URIs: a link becomes a text with the URI
 * that the client can read.
 *
 * What needs no change of messages: annotations, titles, icons, `execution`, `outputSchema`, `progress.message` are
 * kept; elicitation and its modes, sampling with tools and roots are never sent unless the client declared them.
 */

import { isObject } from '../json.ts';
import type { Json } from '../world.ts';

/** Before it there was no audio. */
const AUDIO = '2025-03-26';
/** Before it there were no resource links and no structured content. */
const LINKS = '2025-06-18';
/** Before it a sampling message had one block of content. */
const BLOCKS = '2025-11-25';

/** A result for a client of some version. For all but old versions that is one comparison. */
export function downgradeResult(method: string, result: Json, protocolVersion: string): Json {
  if (protocolVersion >= LINKS) return result;
  if (method === 'tools/call') downgradeToolResult(result, protocolVersion);
  else if (method === 'prompts/get') downgradeMessages(result, protocolVersion);
  return result;
}

/** A request of a backend for a client of some version: of them only `sampling/createMessage` has content. */
export function downgradeRequest(method: string, params: Json, protocolVersion: string): Json {
  if (protocolVersion >= BLOCKS || method !== 'sampling/createMessage') return params;
  if (Array.isArray(params.messages)) params.messages = params.messages.flatMap(oneBlockEach);
  downgradeMessages(params, protocolVersion);
  return params;
}

/**
 * Parameters without `task`. We never declare `tasks`, so whoever sends one all the same is served as if it had not:
 * gateway semantics App. C-12, MCP basic/utilities/tasks. A backend must not see it, or it would answer with a task that
 * nobody can ask for.
 */
export function withoutTask(params: Json): Json {
  if (params.task !== undefined) delete params.task;
  return params;
}

/** `structuredContent` stays; what it says is in a text as well, for clients that do not know it. MCP server/tools. */
function downgradeToolResult(result: Json, version: string): void {
  const { structuredContent, content } = result;
  if (structuredContent !== undefined) {
    const blocks: unknown[] = Array.isArray(content) ? content : [];
    if (!blocks.some((block) => isObject(block) && block.type === 'text')) {
      result.content = [...blocks, { type: 'text', text: JSON.stringify(structuredContent) }];
    }
  }
  if (Array.isArray(result.content)) result.content = result.content.map((block) => downgraded(block, version));
}

function downgradeMessages(holder: Json, version: string): void {
  if (!Array.isArray(holder.messages)) return;
  for (const message of holder.messages) {
    if (!isObject(message)) continue;
    const { content } = message;
    message.content = Array.isArray(content) ? content.map((block) => downgraded(block, version)) : downgraded(content, version);
  }
}

/**
 * A sampling message with several blocks as several messages of the same role. Uses of tools and their results belong
 * together, and only a client that declared `sampling.tools`, and so knows several blocks, is sent any.
 */
function oneBlockEach(message: unknown): readonly unknown[] {
  if (!isObject(message) || !Array.isArray(message.content) || message.content.length === 0) return [message];
  if (message.content.some((block) => isObject(block) && (block.type === 'tool_use' || block.type === 'tool_result'))) return [message];
  return message.content.map((content) => ({ ...message, content }));
}

/** One block of content; its annotations and `_meta` are those of the text that stands for it. */
function downgraded(block: unknown, version: string): unknown {
  if (!isObject(block)) return block;
  if (block.type === 'audio' && version < AUDIO) return asText(block, audioText(block));
  if (block.type === 'resource_link' && version < LINKS) return asText(block, linkText(block));
  return block;
}

function asText({ annotations, _meta }: Json, text: string): Json {
  return { type: 'text', text, ...(annotations !== undefined && { annotations }), ...(_meta !== undefined && { _meta }) };
}

const audioText = ({ mimeType }: Json): string =>
  `[audio${typeof mimeType === 'string' ? ` ${mimeType}` : ''}: left out, for the protocol version of this client has no audio]`;

const linkText = ({ name, uri }: Json): string => [name, uri].filter((part) => typeof part === 'string').join(': ');
