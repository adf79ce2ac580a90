import type { Outlet } from './outlet.ts';
import { type EventStream, type EventStreamHandlers, openEventStream } from './sse.ts';

/** All open event streams: one timer keeps them alive, and a shutdown ends them together. */
export interface Streams {
  open(outlet: Outlet, handlers?: EventStreamHandlers): EventStream;
  readonly size: number;
  endAll(): void;
}

/** @param keepAlive milliseconds between comments */
export function createStreams({ keepAlive, queueBytes }: { keepAlive: number; queueBytes: number }): Streams {
  const open = new Set<EventStream>();
  let timer: NodeJS.Timeout | undefined;
  return {
    get size() {
      return open.size;
    },
    open(outlet, handlers) {
      const stream = openEventStream(outlet, {
        ...handlers,
        queueBytes,
        onEnd: () => {
          open.delete(stream);
          if (open.size === 0) {
            clearInterval(timer);
            timer = undefined;
          }
          handlers?.onEnd?.();
        },
      });
      open.add(stream);
      timer ??= setInterval(() => {
        for (const each of open) each.keepAlive();
      }, keepAlive).unref();
      return stream;
    },
    endAll() {
      for (const stream of [...open]) stream.end();
    },
  };
}
