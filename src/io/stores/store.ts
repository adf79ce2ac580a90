/** Texts that outlive a run of the gateway, by key: letters, digits, `-` and `_`. */
export interface Store {
  /**
   * The text of a key; undefined when there is none, or none that can be trusted. Synchronous: it is asked before
   * anything runs that could use the time.
   */
  get(key: string): string | undefined;
  /**
   * Replaces a text: whoever reads sees the old one or the new one, whatever happens meanwhile. Changes of one store are
   * made one after the other, in the order in which they were asked for.
   * @throws Error with the `code` of the operating system, such as `ENOSPC`; the old text stays
   */
  put(key: string, text: string): Promise<void>;
  /** Forgets a text; one that is not there is forgotten already. @throws like `put` */
  delete(key: string): Promise<void>;
  /** Gets a text out of the way that makes no sense, where possible so that people can still look at it. Never throws. */
  setAside(key: string): void;
  /** Resolves when everything asked for is done. Later changes are refused. */
  close(): Promise<void>;
}

/** @throws Error for keys that could mean a path */
export function checkKey(key: string): void {
  if (!/^[A-Za-z0-9_-]{1,128}$/.test(key)) throw new Error(`a key is letters, digits, "-" and "_", not ${JSON.stringify(key)}`);
}

/** Does one thing after the other, and nothing after its end. */
export function createQueue() {
  let last: Promise<unknown> = Promise.resolve();
  let closed = false;
  return {
    add(step: () => Promise<void> | void): Promise<void> {
      if (closed) return Promise.reject(new Error('the store is closed'));
      const done = last.then(step);
      last = done.catch(() => {});
      return done;
    },
    async close(): Promise<void> {
      closed = true;
      await last;
    },
  };
}
