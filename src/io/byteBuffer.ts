const EMPTY: Buffer = Buffer.alloc(0);

/**
 * Collects chunks into one buffer. A lone chunk is kept as it is; more are copied into a buffer that doubles: a list of
 * chunks would cost a hundred times its bytes when a peer sends them one by one.
 *
 * A class because there is one for each answer, and an object literal with a getter is slow to make.
 */
export class ByteBuffer {
  length = 0;
  #bytes = EMPTY;
  /** `#bytes` is a chunk of somebody else. */
  #borrowed = false;

  push(chunk: Buffer): void {
    if (this.length === 0) {
      this.#bytes = chunk;
      this.length = chunk.length;
      this.#borrowed = true;
      return;
    }
    const needed = this.length + chunk.length;
    if (this.#borrowed || needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.length, 4096));
      this.#bytes.copy(larger, 0, 0, this.length);
      this.#bytes = larger;
      this.#borrowed = false;
    }
    chunk.copy(this.#bytes, this.length);
    this.length = needed;
  }

  /** What was collected; the buffer is empty afterwards. */
  take(): Buffer {
    const taken = this.#bytes.subarray(0, this.length);
    this.#bytes = EMPTY;
    this.length = 0;
    return taken;
  }
}
