import { createHmac, timingSafeEqual } from 'node:crypto';
import { OnemcpError } from '../errors.ts';
import type { Json, Kind } from '../world.ts';
import type { ListView, Route } from './view.ts';

/** Where a page starts: after this item, or after where it would stand if it has vanished since. */
interface Position extends Route {
  /** Place of its backend in the configuration, for the case that the backend has vanished too. */
  readonly place: number;
}

/** Our own cursors: stateless, signed, and valid while backends come and go. MCP server/utilities/pagination. */
export interface Cursors {
  encode(kind: Kind, position: Position): string;
  /** @throws OnemcpError `invalid_params` for a cursor of another list, or one that we did not make */
  decode(kind: Kind, cursor: unknown): Position | undefined;
}

const MAC_BYTES = 8;

/** @param key secret of this gateway; replicas that share it accept each other's cursors */
export function createCursors(key: Buffer): Cursors {
  const mac = (payload: string) => createHmac('sha256', key).update(payload).digest().subarray(0, MAC_BYTES);
  return {
    encode(kind, { backend, name, place }) {
      const payload = Buffer.from(JSON.stringify([kind, backend, name, place])).toString('base64url');
      return `${payload}.${mac(payload).toString('base64url')}`;
    },
    decode(kind, cursor) {
      if (cursor === undefined || cursor === null) return undefined;
      const [payload = '', signature = ''] = typeof cursor === 'string' ? cursor.split('.') : [];
      const given = Buffer.from(signature, 'base64url');
      if (given.length === MAC_BYTES && timingSafeEqual(given, mac(payload))) {
        const [cursorKind, backend, name, place] = JSON.parse(Buffer.from(payload, 'base64url').toString()) as [
          Kind,
          string,
          string,
          number,
        ];
        if (cursorKind === kind) return { backend, name, place };
      }
      throw new OnemcpError('invalid_params', 'Invalid cursor: use the nextCursor of the previous page, or none to start again');
    },
  };
}

export interface Page {
  readonly items: readonly Json[];
  readonly next: Position | undefined;
}

export interface PageOptions {
  /** Names of all backends, in configuration order. */
  readonly backends: readonly string[];
  readonly position: Position | undefined;
  /** Most items. */
  readonly size: number;
  /** Most bytes of all items, as JSON text; one item is always given. */
  readonly bytes: number;
}

/**
 * The page after a position. A list is in the order of its backends, then of their own ids, so a position stays good
 * whatever vanishes from the list or comes to it: no item is listed twice, and none that stays is skipped.
 */
export function pageAfter({ items, routes }: ListView, options: PageOptions): Page {
  const { backends, position } = options;
  const from = position ? startAfter(routes, position, backends) : 0;
  const end = pageEnd(items, from, options);
  if (end === items.length) return { items: from === 0 ? items : items.slice(from), next: undefined };
  const last = [...routes.values()][end - 1] as Route;
  return { items: items.slice(from, end), next: { ...last, place: backends.indexOf(last.backend) } };
}

/** Index of the first item after a position. */
function startAfter(routes: ListView['routes'], position: Position, backends: readonly string[]): number {
  let index = 0;
  for (const owner of routes.values()) {
    if (standsAfter(owner, position, backends)) break;
    index++;
  }
  return index;
}

/** Index after the last item of a page. */
function pageEnd(items: readonly Json[], from: number, { size, bytes }: PageOptions): number {
  const most = Math.min(from + size, items.length);
  let left = bytes;
  for (let end = from; end < most; end++) {
    left -= Buffer.byteLength(JSON.stringify(items[end]));
    if (left < 0 && end > from) return end;
  }
  return most;
}

/** Whether an item stands after a position. */
function standsAfter({ backend, name }: Route, position: Position, backends: readonly string[]): boolean {
  const place = backends.indexOf(backend);
  const known = backends.indexOf(position.backend);
  if (known < 0) return place >= position.place;
  return place > known || (place === known && name > position.name);
}
