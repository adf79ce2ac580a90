import { formatIssue } from '../config/issue.ts';
import type { BackendView, World } from '../world.ts';
import { escapeControls } from './escape.ts';
import type { Change, ServerStatus, StatusDocument } from './status.ts';
import { columns, sentence, span, time } from './text.ts';

export { columns };

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
  return columns(table)
    .map((line) => `  ${line}`)
    .join('\n');
}

const shorten = (error: BackendView['lastError']): string => (error ? error.message.slice(0, 80) : '');

/** The gateway and all its servers, for `onemcp status`. */
export function statusText(document: StatusDocument): string {
  const now = Date.parse(document.timestamp);
  const rows = document.servers.map((server) => COLUMNS.map(({ cell }) => cell(server, now)));
  const used = COLUMNS.map(({ optional }, column) => !optional || rows.some((row) => row[column] !== ''));
  const shown = [COLUMNS.map(({ title }) => title), ...rows].map((row) => row.filter((_, column) => used[column]));
  return [...gatewayLines(document, now), '', ...columns(shown).map((line) => `  ${line}`.trimEnd())].join('\n');
}

interface Column {
  readonly title: string;
  readonly cell: (server: ServerStatus, now: number) => string;
  /** Left out while all its cells are empty. */
  readonly optional?: true;
}

const text = (value: string | number | undefined): string => (value === undefined ? '' : String(value));

const COLUMNS: readonly Column[] = [
  { title: 'SERVER', cell: ({ name }) => name },
  { title: 'STATE', cell: ({ status }) => status },
  { title: 'FOR', cell: ({ since }, now) => span(now - Date.parse(since)) },
  { title: 'TOOLS', cell: ({ tools }) => text(tools) },
  { title: 'IN FLIGHT', cell: ({ inFlight }) => text(inFlight) },
  { title: 'QUEUED', cell: ({ queued }) => text(queued), optional: true },
  { title: 'RESTARTS', cell: ({ restarts }) => text(restarts) },
  { title: 'PID', cell: ({ pid }) => text(pid), optional: true },
  { title: 'MEMORY', cell: ({ memory }) => (memory === undefined ? '' : `${Math.round(memory / 1024 ** 2)} MiB`), optional: true },
  {
    title: 'NEXT START',
    cell: ({ nextRetry }, now) => (nextRetry === undefined ? '' : `in ${span(Date.parse(nextRetry) - now)}`),
    optional: true,
  },
  { title: '', cell: (server, now) => shortened(sentence(server, now)) },
];

const LONGEST_REASON = 120;

const shortened = (reason: string): string => (reason.length > LONGEST_REASON ? `${reason.slice(0, LONGEST_REASON - 1)}…` : reason);

function gatewayLines({ version, pid, url, phase, status, startedAt, configuration }: StatusDocument, now: number): readonly string[] {
  const { file, revision, appliedAt, disabled, lastError, sources = [] } = configuration;
  const off = disabled.length > 0 ? `, ${disabled.length} disabled` : '';
  return [
    `onemcp ${version} ${phase}, ${status}; pid ${pid}, up ${span(now - Date.parse(startedAt))}, ${url ? `serves ${url}/mcp` : 'serves stdio'}`,
    `${file}, revision ${revision} applied ${time(appliedAt, now)}${off}`,
    ...(lastError
      ? [`the file as it is now was refused at ${time(lastError.at, now)}:`, ...lastError.issues.map((issue) => `  ${formatIssue(issue)}`)]
      : []),
    ...sources.flatMap(({ name, status: how, servers, since, lastError: reason, notes = [] }) => [
      `${name}: ${servers} ${servers === 1 ? 'server' : 'servers'}${how === 'ok' ? '' : `, ${how} since ${time(since, now)}${reason === undefined ? '' : `: ${reason}`}`}`,
      ...notes.map((note) => `  ${note}`),
    ]),
  ].map(escapeControls);
}

/** One line for each state change, for a watcher without a screen. */
export function changeLine(name: string, { at, from, to, successor, error }: Change): string {
  const who = successor ? `${name} (successor)` : name;
  return escapeControls(`${at} ${who}: ${from === undefined ? '' : `${from} → `}${to ?? 'removed'}${error ? `: ${error}` : ''}`);
}
