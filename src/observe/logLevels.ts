/** Levels of single tags: `backend=debug,http=error`. A tag is the first word of an event's name. */
import { EVENTS } from './events.ts';
import { LOG_LEVELS, type LogLevel } from './log.ts';

export type TagLevels = Readonly<Record<string, LogLevel>>;

/** Every tag there is. */
export const LOG_TAGS: readonly string[] = [...new Set(Object.keys(EVENTS).map((event) => event.split('.')[0] as string))].sort();

/** The levels a text asks for, or what is wrong with it. */
export function parseLogLevels(text: string): { readonly levels: TagLevels } | { readonly problem: string } {
  const levels: Record<string, LogLevel> = {};
  for (const part of text.split(',').map((word) => word.trim())) {
    if (part === '') continue;
    const [tag = '', level = '', ...more] = part.split('=').map((word) => word.trim());
    if (more.length > 0 || level === '') return { problem: `expected TAG=LEVEL, separated by commas; found ${JSON.stringify(part)}` };
    if (!LOG_TAGS.includes(tag)) return { problem: `there is no tag ${JSON.stringify(tag)}; there are ${LOG_TAGS.join(', ')}` };
    const known = LOG_LEVELS.find((word) => word === level);
    if (!known) return { problem: `there is no level ${JSON.stringify(level)} for ${tag}; there are ${LOG_LEVELS.join(', ')}` };
    levels[tag] = known;
  }
  return { levels };
}
