import { escapeControls } from './escape.ts';
import type { ServerStatus } from './status.ts';

/** Rows as lines with aligned columns; the last column is as long as it is. */
export function columns(rows: readonly (readonly string[])[]): readonly string[] {
  const clean = rows.map((row) => row.map(escapeControls));
  const widths = (clean[0] ?? []).map((_, column) => Math.max(...clean.map((row) => (row[column] as string).length)));
  return clean.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] as number))
      .join('  ')
      .trimEnd(),
  );
}

const DAY = 86_400_000;

/** A time of day; with its date when that is another one. Local time. */
export function time(at: string, now: number): string {
  const date = new Date(at);
  const clock = date.toTimeString().slice(0, 8);
  if (new Date(now).toDateString() === date.toDateString()) return clock;
  const pad = (number: number) => String(number).padStart(2, '0');
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())} ${clock}`;
}

/** A duration with its two largest units: `3m 20s`. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (ms >= DAY) return `${Math.floor(ms / DAY)}d ${Math.floor((seconds % 86_400) / 3600)}h`;
  if (seconds >= 3600) return `${Math.floor(seconds / 3600)}h ${Math.floor((seconds % 3600) / 60)}m`;
  return seconds >= 60 ? `${Math.floor(seconds / 60)}m ${seconds % 60}s` : `${seconds}s`;
}

/** `since 12:03:10 (3m 20s)`. */
export const since = (at: string, now: number): string => `since ${time(at, now)} (${span(now - Date.parse(at))})`;

/** What there is to say about a server as it is now; nothing about one that serves as it should. */
export function sentence(server: ServerStatus, now: number): string {
  const { status, asleep, waitsFor, held, next, remembered, lastError } = server;
  const parts = [
    waitsFor && `waits for ${waitsFor.map((name) => `"${name}"`).join(', ')}`,
    asleep && 'asleep',
    held && (held.until === undefined ? 'drained until it is resumed' : `drained until ${time(held.until, now)}`),
    next && (next.lastError === undefined ? `successor ${next.status}` : `successor failed: ${next.lastError}`),
    status !== 'connected' && !asleep && !waitsFor && lastError,
    remembered && `lists remembered from ${time(remembered, now)}`,
  ];
  return parts.filter(Boolean).join('; ');
}
