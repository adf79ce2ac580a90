import type { BackendView, World } from '../world.ts';
import { escapeControls } from './log.ts';

/** All servers as a table of text, for people. */
export function worldTable({ backends }: World): string {
  const rows = [...backends.values()].map(({ name, state, items, tags, lastError }) => [
    name,
    state,
    String(items.tools.length),
    String(items.prompts.length),
    String(items.resources.length + items.templates.length),
    tags.join(' '),
    state === 'connected' ? '' : shorten(lastError),
  ]);
  const table = [['SERVER', 'STATE', 'TOOLS', 'PROMPTS', 'RESOURCES', 'TAGS', ''], ...rows];
  const widths = (table[0] as string[]).map((_, column) => Math.max(...table.map((row) => (row[column] as string).length)));
  return table
    .map((row) => `  ${row.map((cell, column) => escapeControls(cell).padEnd(widths[column] as number)).join('  ')}`.trimEnd())
    .join('\n');
}

const shorten = (error: BackendView['lastError']): string => (error ? error.message.slice(0, 80) : '');
