import { isObject } from '../../json.ts';
import type { Json } from '../../world.ts';
import { size } from './print.ts';

/** A part of a result: text to be printed, or bytes for a file. */
export type Part = { readonly text: string } | { readonly bytes: Buffer; readonly mimeType: string };

/** The parts of a tool result: its structured content as JSON, instead of a text that says the same. MCP server/tools §Tool Result. */
export function toolParts({ content, structuredContent }: Json): readonly Part[] {
  const blocks = Array.isArray(content) ? content : [];
  if (structuredContent === undefined) return blocks.map(blockPart);
  const others = blocks.filter((block) => !saysTheSame(block, structuredContent));
  return [...others.map(blockPart), { text: JSON.stringify(structuredContent, null, 2) }];
}

function saysTheSame(block: unknown, structured: unknown): boolean {
  if (!isObject(block) || block.type !== 'text' || typeof block.text !== 'string') return false;
  try {
    return JSON.stringify(JSON.parse(block.text)) === JSON.stringify(structured);
  } catch {
    return false;
  }
}

/** One content block; what is none, or of a later version, is shown as JSON. */
export function blockPart(block: unknown): Part {
  if (isObject(block)) {
    if (block.type === 'text' && typeof block.text === 'string') return { text: block.text };
    if ((block.type === 'image' || block.type === 'audio') && typeof block.data === 'string') return bytesPart(block.data, block.mimeType);
    if (block.type === 'resource' && isObject(block.resource)) return resourcePart(block.resource);
    if (block.type === 'resource_link') return { text: `[${[block.uri, block.name, block.mimeType].filter(isText).join(', ')}]` };
  }
  return { text: JSON.stringify(block, null, 2) ?? '' };
}

/** Contents of a resource. MCP server/resources §Resource Contents. */
export function resourcePart(resource: Json): Part {
  if (typeof resource.text === 'string') return { text: resource.text };
  if (typeof resource.blob === 'string') return bytesPart(resource.blob, resource.mimeType);
  return { text: JSON.stringify(resource, null, 2) };
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

const bytesPart = (base64: string, mimeType: unknown): Part => ({
  bytes: Buffer.from(base64, 'base64'),
  mimeType: isText(mimeType) ? mimeType : 'application/octet-stream',
});

/** A part as text: bytes are only told of, as `[image/png, 12 KiB]`. */
export const partText = (part: Part): string => ('text' in part ? part.text : `[${part.mimeType}, ${size(part.bytes.length)}]`);
