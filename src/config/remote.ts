import type { MaybeSecret, RemoteBackendSpec } from './config.ts';
import type { Desk, Entry } from './entry.ts';
import { revealed } from './fillings.ts';
import type { Path } from './issue.ts';

type RemoteParts = Pick<RemoteBackendSpec, 'kind' | 'url' | 'headers' | 'type'>;

/** RFC 9110 §5.6.2: a token. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** What `fetch` accepts: visible characters, spaces and tabs of ISO-8859-1. */
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** The parts of a backend that is reached by HTTP; `undefined` after a problem. */
export async function remoteParts({ shape, path }: Entry, desk: Desk): Promise<RemoteParts | undefined> {
  const urlPath = [...path, 'url'];
  const url = shape.url === undefined ? undefined : await desk.fillings.text(shape.url, urlPath);
  const headers = await headersOf(shape.headers ?? {}, [...path, 'headers'], desk);
  if (url === undefined) return undefined;
  const complaint = urlComplaint(revealed(url));
  if (complaint !== undefined) {
    desk.problems.push({ path: urlPath, at: 'value', message: complaint });
    return undefined;
  }
  return { kind: 'remote', url, headers, type: typeOf(shape.type) };
}

function typeOf(written: Entry['shape']['type']): RemoteBackendSpec['type'] {
  if (written === undefined || written === 'stdio') return 'auto';
  return written === 'sse' ? 'sse' : 'http';
}

/** Says nothing of the URL beyond its scheme: it may hold a token. */
export function urlComplaint(text: string): string | undefined {
  if (!URL.canParse(text)) return 'this is not a URL; write http://… or https://…';
  const { protocol, username, password } = new URL(text);
  if (protocol !== 'http:' && protocol !== 'https:') return `scheme "${protocol}" is not supported; write http://… or https://…`;
  if (username !== '' || password !== '') return 'a URL cannot hold a user name or password; send them in "headers" as Authorization';
  return undefined;
}

/** HTTP headers with their templates filled; what is wrong with them is noted. */
export async function headersOf(
  written: Readonly<Record<string, string>>,
  path: Path,
  desk: Pick<Desk, 'fillings' | 'problems'>,
): Promise<Record<string, MaybeSecret>> {
  const headers: Record<string, MaybeSecret> = {};
  const seen = new Set<string>();
  const filled = await Promise.all(
    Object.entries(written).map(async ([name, template]) => [name, await desk.fillings.named(name, template, [...path, name])] as const),
  );
  for (const [name, value] of filled) {
    const report = (at: 'key' | 'value', message: string) => desk.problems.push({ path: [...path, name], at, message });
    if (!HEADER_NAME.test(name)) report('key', 'this is not the name of an HTTP header');
    if (seen.has(name.toLowerCase())) report('key', 'this header is already there: case does not count; keep one of them');
    seen.add(name.toLowerCase());
    if (value === undefined) continue;
    if (!HEADER_VALUE.test(revealed(value))) report('value', 'contains a line break or a character that an HTTP header cannot hold');
    headers[name] = value;
  }
  return headers;
}
