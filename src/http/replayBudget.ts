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

/** @param streamBytes what a stream counts besides, while it keeps something */
export function createReplayBudget(maxBytes: number, streamBytes = 0): ReplayBudget {
  const budget = new Budget(maxBytes, streamBytes);
  return {
    open: (forget) => new Share(budget, forget),
    get bytes() {
      return budget.bytes;
    },
  };
}

class Budget {
  /** Streams that keep something, in the order in which they began to, or in which their connection changed. */
  readonly left = new Set<Share>();
  readonly attended = new Set<Share>();
  readonly maxBytes: number;
  readonly streamBytes: number;
  bytes = 0;

  constructor(maxBytes: number, streamBytes: number) {
    this.maxBytes = maxBytes;
    this.streamBytes = streamBytes;
  }
}

/** A class, because there are thousands. */
class Share implements ReplayShare {
  readonly #budget: Budget;
  readonly #forget: () => void;
  #bytes = 0;
  #connected = false;

  constructor(budget: Budget, forget: () => void) {
    this.#budget = budget;
    this.#forget = forget;
  }

  keep(more: number): void {
    const budget = this.#budget;
    if (this.#bytes === 0) budget.bytes += budget.streamBytes;
    budget.bytes += more;
    this.#bytes += more;
    this.#place().add(this);
  }

  drop(less: number): void {
    const budget = this.#budget;
    budget.bytes -= less;
    this.#bytes -= less;
    if (this.#bytes > 0) return;
    budget.bytes -= budget.streamBytes;
    this.#place().delete(this);
  }

  attend(connected: boolean): void {
    if (connected === this.#connected) return;
    this.#place().delete(this);
    this.#connected = connected;
    if (this.#bytes > 0) this.#place().add(this);
  }

  settle(): void {
    const budget = this.#budget;
    for (const shares of [budget.left, budget.attended]) {
      for (const oldest of shares) {
        if (budget.bytes <= budget.maxBytes) return;
        oldest.#forget();
      }
    }
  }

  #place(): Set<Share> {
    return this.#connected ? this.#budget.attended : this.#budget.left;
  }
}
