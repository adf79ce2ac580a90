import { createHmac, timingSafeEqual } from 'node:crypto';
import { OnemcpError } from '../errors.ts';
import type { Json, Kind } from '../world.ts';

/** Where a page starts: after this exposed id, or from the beginning. */
interface Position {
  readonly after: string;
  /** How many items stood before it, for the case that it has vanished. */
  readonly index: number;
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
    encode(kind, { after, index }) {
      const payload = Buffer.from(JSON.stringify([kind, after, index])).toString('base64url');
      return `${payload}.${mac(payload).toString('base64url')}`;
    },
    decode(kind, cursor) {
      if (cursor === undefined || cursor === null) return undefined;
      const [payload = '', signature = ''] = typeof cursor === 'string' ? cursor.split('.') : [];
      const given = Buffer.from(signature, 'base64url');
      if (given.length === MAC_BYTES && timingSafeEqual(given, mac(payload))) {
        const [cursorKind, after, index] = JSON.parse(Buffer.from(payload, 'base64url').toString()) as [Kind, string, number];
        if (cursorKind === kind) return { after, index };
      }
      throw new OnemcpError('invalid_params', 'Invalid cursor: use the nextCursor of the previous page, or none to start again');
    },
  };
}

export interface Page {
  readonly items: readonly Json[];
  readonly next: Position | undefined;
}

/**
 * The page after a position. The order of a list only changes where backends are configured anew, so the item that ended
 * the last page tells where to go on; if just this item has vanished, its old index does.
 */
export function pageAfter(items: readonly Json[], id: string, position: Position | undefined, size: number): Page {
  const found = position ? items.findIndex((item) => item[id] === position.after) : -1;
  const from = position ? (found >= 0 ? found + 1 : Math.min(position.index, items.length)) : 0;
  const page = items.slice(from, from + size);
  const end = from + page.length;
  const last = page[page.length - 1];
  return { items: page, next: last && end < items.length ? { after: last[id] as string, index: end } : undefined };
}
