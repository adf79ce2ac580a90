/**
 * The bytes of the events that all sessions together keep for clients that come back. Each session has bounds of its own, but
 * many sessions of clients that never come back would still fill the memory.
 */
export interface ReplayBudget {
  /** @param forget gives up all events of the stream, and reports each to `drop` */
  open(forget: () => void): ReplayShare;
  /** Bytes of all events that are kept. */
  readonly bytes: number;
}

/** What one stream keeps. */
export interface ReplayShare {
  keep(bytes: number): void;
  drop(bytes: number): void;
  /** Whether a client is connected to the stream; at first none is. */
  attend(connected: boolean): void;
  /** Makes room, which may cost this stream its events as well. */
  settle(): void;
}

interface Holder {
  bytes: number;
  connected: boolean;
  readonly forget: () => void;
}

export function createReplayBudget(maxBytes: number): ReplayBudget {
  /** Streams that keep something, in the order in which they began to, or in which their connection changed. */
  const left = new Set<Holder>();
  const attended = new Set<Holder>();
  let bytes = 0;

  const placeOf = ({ connected }: Holder) => (connected ? attended : left);

  return {
    open(forget) {
      const holder: Holder = { bytes: 0, connected: false, forget };
      return {
        keep(more) {
          bytes += more;
          holder.bytes += more;
          placeOf(holder).add(holder);
        },
        drop(less) {
          bytes -= less;
          holder.bytes -= less;
          if (holder.bytes === 0) placeOf(holder).delete(holder);
        },
        attend(connected) {
          if (connected === holder.connected) return;
          placeOf(holder).delete(holder);
          holder.connected = connected;
          if (holder.bytes > 0) placeOf(holder).add(holder);
        },
        settle() {
          for (const holders of [left, attended]) {
            for (const oldest of holders) {
              if (bytes <= maxBytes) return;
              oldest.forget();
            }
          }
        },
      };
    },
    get bytes() {
      return bytes;
    },
  };
}
