import type { JsonRpcMessage } from '../world.ts';

/** Notifications that wait for a stream: what is said twice waits once, and what is worth nothing later does not wait. */
export interface Waiting {
  readonly size: number;
  /** @returns whether it waits */
  add(message: JsonRpcMessage, text: string): boolean;
  /** What waits, which waits no more. */
  take(): readonly string[];
}

/** @param most notifications besides `list_changed`; one more is dropped */
export function createWaiting(most: number): Waiting {
  let byKey: Map<string, string> | undefined;
  return {
    get size() {
      return byKey?.size ?? 0;
    },
    add(message, text) {
      const key = keyOf(message);
      if (key === undefined) return false;
      byKey ??= new Map();
      if (key !== message.method && byKey.size >= most && !byKey.has(key)) return false;
      byKey.set(key, text);
      return true;
    },
    take() {
      const texts = [...(byKey?.values() ?? [])];
      byKey = undefined;
      return texts;
    },
  };
}

/** What makes two notifications the same; undefined for what does not wait, such as log messages and requests. */
function keyOf({ method = '', params }: JsonRpcMessage): string | undefined {
  if (method.endsWith('/list_changed')) return method;
  if (method === 'notifications/resources/updated') return `${method} ${params?.uri}`;
  if (method === 'notifications/elicitation/complete') return `${method} ${params?.elicitationId}`;
  return undefined;
}
