import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const modules = fileURLToPath(new URL('../node_modules/', import.meta.url));

/** Packages whose code is inside the bundle, directly or through one of them. */
const BUNDLED = [
  '@hono/node-server',
  '@opentelemetry/api',
  '@opentelemetry/exporter-trace-otlp-http',
  '@opentelemetry/resources',
  '@opentelemetry/sdk-trace-base',
  '@statelyai/inspect',
  'commander',
  'consola',
  'hono',
  'jsonc-parser',
  'prom-client',
  'rxjs',
  'undici',
  'xstate',
  'zod',
];

/** The licences of everything that the bundle contains. */
export async function notices(): Promise<string> {
  const names = await closure(BUNDLED);
  const parts = await Promise.all([...names].sort().map(notice));
  return `# Third-party notices\n\nThe published package contains code of these packages.\n\n${parts.join('\n')}`;
}

/** What @statelyai/inspect needs for transports that the bundle leaves out; see rolldown.config.ts. */
const LEFT_OUT = ['fast-safe-stringify', 'isomorphic-ws', 'partysocket', 'superjson', 'ws'];

async function closure(roots: readonly string[]): Promise<Set<string>> {
  const found = new Set<string>(LEFT_OUT);
  const visit = async (name: string): Promise<void> => {
    if (found.has(name)) return;
    found.add(name);
    for (const dependency of Object.keys((await manifest(name)).dependencies ?? {})) await visit(dependency);
  };
  for (const name of roots) await visit(name);
  for (const name of LEFT_OUT) found.delete(name);
  return found;
}

const manifest = async (name: string): Promise<{ license?: string; dependencies?: Record<string, string> }> =>
  JSON.parse(await readFile(`${modules}${name}/package.json`, 'utf8'));

async function notice(name: string): Promise<string> {
  const { license = 'see the package' } = await manifest(name);
  const file = (await readdir(`${modules}${name}`)).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file ? (await readFile(`${modules}${name}/${file}`, 'utf8')).trim() : '';
  return `## ${name} (${license})\n${text ? `\n\`\`\`\n${text}\n\`\`\`\n` : ''}`;
}
