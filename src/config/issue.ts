import type { Issue } from './config.ts';

/** Keys and indexes from the root of the file to a value. */
export type Path = readonly (string | number)[];

/** An issue before it has a place in the text. */
export interface Problem {
  readonly path: Path;
  /** Whether the key at `path` or its value is to blame. */
  readonly at: 'key' | 'value';
  readonly message: string;
  /** Place in the text, for problems a path cannot name: syntax errors, second occurrences of a key. */
  readonly offset?: number;
}

/** Where the checks leave what they find. */
export interface Findings {
  readonly problems: Problem[];
  readonly warnings: Problem[];
}

const PLAIN_KEY = /^[A-Za-z0-9_$-]{1,64}$/;
const LONGEST_KEY = 64;

/** `mcpServers.web.args[0]`; keys that are not plain words are quoted: `mcpServers["a.b"]`. */
export function formatPath(path: Path): string {
  return path.reduce<string>((text, segment) => {
    if (typeof segment === 'number') return `${text}[${segment}]`;
    if (!PLAIN_KEY.test(segment)) return `${text}[${JSON.stringify(shortened(segment, LONGEST_KEY))}]`;
    return text === '' ? segment : `${text}.${segment}`;
  }, '');
}

/** One line for people: `mcp.json:12:5 mcpServers.web.timeuot: unknown key, did you mean "timeout"?` */
export function formatIssue(issue: Issue): string {
  const place = issue.line === undefined ? '' : `:${issue.line}:${issue.column ?? 1}`;
  const path = issue.path ? ` ${issue.path}` : '';
  return `${issue.file}${place}${path}: ${issue.message}`;
}

/** Order of the text, file by file; issues without a place come first. */
export function byPosition(a: Issue, b: Issue): number {
  if (a.file !== b.file) return a.file < b.file ? -1 : 1;
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0);
}

/** Cuts a text that may be anything to a length that fits into a message. */
export function shortened(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}
