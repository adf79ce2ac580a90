import { checkKey, createQueue, type Store } from './store.ts';

/** A store that ends with the process. */
export function createMemoryStore(): Store {
  const texts = new Map<string, string>();
  const queue = createQueue();
  return {
    get: (key) => texts.get(key),
    async put(key, text) {
      checkKey(key);
      await queue.add(() => void texts.set(key, text));
    },
    delete: (key) => queue.add(() => void texts.delete(key)),
    setAside: (key) => void texts.delete(key),
    close: () => queue.close(),
  };
}
