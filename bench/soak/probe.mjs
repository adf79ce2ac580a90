/**
 * Preloaded into the gateway of a soak: on a message over IPC it collects garbage and answers with what it holds, so that
 * garbage is not taken for growth. `getActiveResourcesInfo` counts timers, sockets, pipes and processes of the event loop.
 */
process.on('message', () => {
  globalThis.gc?.();
  const resources = process.getActiveResourcesInfo();
  const { rss, heapUsed } = process.memoryUsage();
  const timers = resources.filter((kind) => kind === 'Timeout' || kind === 'Immediate').length;
  process.send({ rss, heap: heapUsed, timers, handles: resources.length - timers });
});
// The listener holds the channel open, and the process with it: its shutdown must not depend on being measured.
process.channel?.unref();
