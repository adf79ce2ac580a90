/** The import rules of ARCHITECTURE.md: which folder may know which. */
const shared = '^src/(errors|limits|world|json)\\.ts$';

/**
 * @param {string} folder a folder of src/, or a file of it with its ending
 * @param {string[]} may what else in src/ it may import
 * @param {string[]} packages npm packages it may import
 * @param {string[] | 'any'} node Node's own modules it may import
 */
const only = (folder, may, packages = [], node = []) => ({
  name: folder,
  severity: 'error',
  from: { path: self(folder) },
  to: {
    pathNot: [
      shared,
      self(folder),
      ...may.map((path) => `^src/${path}`),
      ...packages.map((name) => `^node_modules/(@types/)?${name}/`),
      ...(node === 'any' ? [] : node.map((name) => `^(node:)?${name}$`)),
    ],
    ...(node === 'any' && { dependencyTypesNot: ['core'] }),
  },
});
const self = (folder) => `^src/${folder}${folder.endsWith('.ts') ? '$' : '/'}`;
const configTypes = 'config/config.ts$';

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } } },
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    only('errors.ts', []),
    only('limits.ts', []),
    only('world.ts', [configTypes]),
    only('json.ts', []),
    only('config', [], ['zod', 'jsonc-parser'], ['fs', 'fs/promises', 'path']),
    only('machines', [configTypes], ['xstate']),
    only('mcp', [configTypes], [], ['crypto', 'util']),
    only('io', [configTypes], ['@modelcontextprotocol/sdk', 'undici'], 'any'),
    only('actors', ['machines/', 'io/', configTypes, 'mcp/catalog.ts$'], ['xstate'], ['timers/promises']),
    only(
      'observe',
      [configTypes, 'config/issue.ts$', 'mcp/(view|callStats|client|tracing).ts$'],
      ['rxjs', 'consola', 'prom-client', '@statelyai/inspect', 'xstate', '@opentelemetry'],
      ['util', 'stream', 'crypto'],
    ),
    only(
      'http',
      ['mcp/', 'auth/', 'observe/', configTypes],
      ['hono', '@hono/node-server'],
      ['http', 'net', 'crypto', 'stream', 'v8', 'vm'],
    ),
    only(
      'cli',
      [
        'gateway.ts$',
        'alerts.ts$',
        'config/',
        'io/(secrets|sources)/',
        'io/(control(Socket|Client)|mcpClient|systemd|logFile).ts$',
        'http/controlOps.ts$',
        'mcp/metaKeys.ts$',
        'observe/(escape|log|logLevels|table|text|status|why).ts$',
      ],
      ['commander'],
      ['path', 'url', 'fs', 'fs/promises', 'readline/promises', 'stream'],
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.json'],
    },
  },
};
