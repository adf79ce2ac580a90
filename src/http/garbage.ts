import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Has memory collected by V8 when much of it was given up at once. */
export interface Garbage {
  /** So many bytes outside the heap of V8 are not needed any more. */
  add(bytes: number): void;
}

/** A collection costs a few milliseconds for each 10 MiB of the heap; a large heap is left to V8. */
const MOST_HEAP = 192 * 1024 * 1024;

/**
 * V8 collects by the growth of its heap, and hardly counts what is outside: answers that nobody reads would be held several
 * times over between two collections. Node has no call for it but the flag `--expose-gc`, which may be set at any time.
 *
 * @param every bytes after which there is a collection
 */
export function createGarbage(every: number, collect = collector()): Garbage {
  let bytes = 0;
  return {
    add(more) {
      bytes += more;
      if (bytes < every) return;
      bytes = 0;
      collect();
    },
  };
}

function collector(): () => void {
  let gc: (() => void) | undefined;
  return () => {
    if (process.memoryUsage().heapUsed > MOST_HEAP) return;
    if (!gc) {
      setFlagsFromString('--expose-gc');
      gc = runInNewContext('gc') as () => void;
      setFlagsFromString('--no-expose-gc');
    }
    // Not in the middle of writing the answer that made room for itself.
    setImmediate(gc);
  };
}
