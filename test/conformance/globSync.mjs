/**
 * Preloaded into the suite where Node has no `fs.globSync` (before 22). The suite imports it for a command that is not used here, but
 * then does not even load. A newer Node from npm would be no better: its `node_modules/.bin/node` would take over every script of npm.
 */
import { register } from 'node:module';

const asUrl = (source) => `data:text/javascript,${encodeURIComponent(source)}`;
const fs = asUrl(`export * from 'node:fs'; export { default } from 'node:fs'; export const globSync = undefined;`);
register(
  asUrl(`export const resolve = (name, context, next) =>
    name === 'fs' && context.parentURL?.includes('/@modelcontextprotocol/conformance/')
      ? { url: ${JSON.stringify(fs)}, shortCircuit: true }
      : next(name, context);`),
);
