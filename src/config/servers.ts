import type { Issue } from './config.ts';
import { serverPlaces } from './foreign.ts';
import { isEntry } from './foreignKeys.ts';
import { parseDocument } from './parse.ts';

/** A server as it is written: templates are not filled. */
export interface ListedServer {
  readonly name: string;
  readonly transport: 'stdio' | 'http' | 'sse' | 'http or sse' | 'none';
  /** The program and its arguments; empty for a remote server. */
  readonly words: readonly string[];
  readonly url: string | undefined;
  readonly tags: readonly string[];
  readonly profiles: readonly string[];
  readonly disabled: boolean;
  /** Where it is written, if not in the file itself. */
  readonly from?: string;
}

type Listed = { readonly ok: true; readonly servers: readonly ListedServer[] } | { readonly ok: false; readonly issues: readonly Issue[] };

/** The servers of a file of ours or of another product, however wrong they are; only the syntax must be right. */
export function listServers(file: string, text: string): Listed {
  const { document, problems, positionOf } = parseDocument(text);
  if (!document) return { ok: false, issues: problems.map(({ message, offset = 0 }) => ({ file, ...positionOf(offset), message })) };
  const value = document.value;
  const entries = serverPlaces(value).flatMap(({ path, servers }) =>
    Object.entries(servers).map(([name, entry]) => ({
      server: listEntry(name, entry),
      place: document.locate({ path: [...path, name], at: 'key', message: '' }),
    })),
  );
  entries.sort((a, b) => a.place.line - b.place.line || a.place.column - b.place.column);
  return { ok: true, servers: entries.map(({ server }) => server) };
}

/** One of them. */
export function listEntry(name: string, written: unknown): ListedServer {
  const entry = isEntry(written) ? written : {};
  const { command, args, url, type, tags, profiles, disabled, enabled } = entry;
  const words = [...texts(typeof command === 'string' ? [command] : command), ...texts(args)];
  const address = typeof url === 'string' && words.length === 0 ? url : undefined;
  return {
    name,
    transport: words.length > 0 ? 'stdio' : address === undefined ? 'none' : transportOf(type),
    words,
    url: address,
    tags: texts(tags),
    profiles: texts(profiles),
    disabled: disabled === true || disabled === 'true' || enabled === false,
  };
}

const texts = (value: unknown): string[] => (Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []);

function transportOf(type: unknown): ListedServer['transport'] {
  if (type === undefined) return 'http or sse';
  return type === 'sse' ? 'sse' : 'http';
}
