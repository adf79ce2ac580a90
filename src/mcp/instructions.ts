import type { World } from '../world.ts';
import type { Context } from './method.ts';

/** Bytes of the instructions of one backend, and of all with their headings. */
const MAX_EACH = 4 * 1024;
const MAX_TOTAL = 16 * 1024;
const CUT = '\n…(truncated)';
const GAP = '\n\n';

const LINE_BREAK = /\r\n|[\n\v\f\r\u0085\u2028\u2029]/;
/** A heading of the first level, whatever invisible characters stand before it. */
const HEADING = /^([\p{Z}\p{C}]*)#(?=[\p{Z}\p{C}]|$)/u;

/**
 * The instructions of all known backends, each under a heading of its own, in configuration order. A line that begins with
 * `# ` is always ours: the headings of a backend go down by one level, so that none can speak under the name of another.
 */
export function instructionsOf({ backends }: World, { naming, instructions: wanted }: Pick<Context, 'naming' | 'instructions'>): string {
  if (wanted === 'off') return '';
  const sections: string[] = [];
  let room = MAX_TOTAL;
  for (const { namespace, info } of backends.values()) {
    if (!info) continue;
    const heading = `# ${namespace}${naming.prefix === 'always' ? ` (tools: ${namespace}__…)` : ''}`;
    const body = wanted === 'names' ? '' : bodyOf(info.instructions, room - Buffer.byteLength(heading) - 1);
    if (wanted === 'full' && !body) continue;
    const section = body ? `${heading}\n${body}` : heading;
    if (Buffer.byteLength(section) > room) continue;
    sections.push(section);
    room -= Buffer.byteLength(section) + GAP.length;
  }
  return sections.join(GAP);
}

/** What a backend says, in so many bytes; nothing if not even its beginning fits. */
function bodyOf(text: string | undefined, room: number): string {
  // More characters cannot fit, and one is enough to know that there were more.
  const start = text?.trim().slice(0, MAX_EACH + 1) ?? '';
  const lines = start.split(LINE_BREAK).map((line) => line.replace(HEADING, '$1##'));
  return cut(lines.join('\n'), Math.min(MAX_EACH, room));
}

/** The beginning of a text in so many bytes: whole lines where there are any, and always whole characters. */
export function cut(text: string, bytes: number): string {
  const all = Buffer.from(text);
  if (all.length <= bytes) return text;
  let end = Math.max(0, bytes - Buffer.byteLength(CUT));
  // The first byte that goes must not be one from within a character.
  while (((all[end] as number) & 0xc0) === 0x80) end--;
  const kept = all.toString('utf8', 0, end);
  const line = all[end] === 10 ? kept.length : kept.lastIndexOf('\n');
  const whole = (line > 0 ? kept.slice(0, line) : kept).trimEnd();
  return whole && whole + CUT;
}
