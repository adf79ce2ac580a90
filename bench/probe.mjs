/**
 * Preloaded (`--expose-gc --import`) into a process whose memory is measured, never into one whose speed is: on a
 * message over IPC it collects garbage and answers with its memory figures, so that garbage is not taken for growth.
 */
import { setTimeout as sleep } from 'node:timers/promises';

process.on('message', async () => {
  for (let pass = 0; pass < 3; pass++) {
    globalThis.gc();
    await sleep(100);
  }
  process.send(process.memoryUsage());
});
// The listener holds the channel open, and the process with it: its shutdown must not depend on being measured.
process.channel?.unref();
