import type { Outlet } from './outlet.ts';
import { type EventStream, openEventStream } from './sse.ts';

/** All open event streams: one timer keeps them alive, and a shutdown ends them together. */
export interface Streams {
  open(outlet: Outlet, onEnd?: () => void): EventStream;
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
    open(outlet, onEnd) {
      const stream = openEventStream(outlet, {
        queueBytes,
        onEnd: () => {
          open.delete(stream);
          if (open.size === 0) {
            clearInterval(timer);
            timer = undefined;
          }
          onEnd?.();
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
