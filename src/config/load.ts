/** Text → `Config` or every issue of it, in the order of the text. The one way in, for `run`, `check` and reload alike. */
import { dirname, resolve } from 'node:path';
import { backendOf } from './backend.ts';
import type { BackendSpec, Config, Issue, Loaded, Overrides, Sources } from './config.ts';
import { checkDependencies } from './dependencies.ts';
import type { Desk, Entry } from './entry.ts';
import { createFillings } from './fillings.ts';
import { gatewayParts, limitsOf } from './gateway.ts';
import { byPosition, formatPath, type Problem } from './issue.ts';
import { namespaces } from './names.ts';
import { type Document, type Position, parseDocument } from './parse.ts';
import type { FileShape } from './schema.ts';
import { hiddenList } from './secret.ts';
import { secretSettings } from './secrets.ts';
import { checkShape } from './shape.ts';
import { stateDirOf } from './stateDir.ts';

export { readConfigFile } from './file.ts';
export { formatIssue } from './issue.ts';

export interface LoadOptions extends Sources {
  /** As the user wrote it: issues show it like this. A label such as `<memory>` is kept as it is. */
  readonly file: string;
  readonly text: string;
  readonly overrides?: Overrides;
  /** Folder a relative `file` is in; default: the working directory. */
  readonly base?: string;
}

/** Loads a configuration. Never throws: whatever is wrong becomes an issue. */
export async function loadConfig(options: LoadOptions): Promise<Loaded> {
  const { document, problems: parsing, positionOf } = parseDocument(options.text);
  if (!document) return { ok: false, issues: located(parsing, options.file, ({ offset = 0 }) => positionOf(offset)) };
  const { file: shape, problems: shaping } = checkShape(document.value);
  const findings = { problems: [...parsing, ...shaping], warnings: [] as Problem[], elsewhere: [] as Issue[] };
  const config = shape && (await normalised({ shape, document, options, ...findings }));
  const issues = [...findings.elsewhere, ...located(findings.problems, options.file, document.locate)];
  if (!config || issues.length > 0) return { ok: false, issues };
  return { ok: true, config, warnings: located(findings.warnings, options.file, document.locate) };
}

interface Work {
  readonly shape: FileShape;
  readonly document: Document;
  readonly options: LoadOptions;
  readonly problems: Problem[];
  readonly warnings: Problem[];
  readonly elsewhere: Issue[];
}

async function normalised({ shape, document, options, problems, warnings, elsewhere }: Work): Promise<Config> {
  const { base = '', overrides = {} } = options;
  const isLabel = /^<.*>$/.test(options.file);
  const file = isLabel ? options.file : resolve(base, options.file);
  const limits = limitsOf(shape.gateway ?? {});
  const folder = isLabel ? resolve(base) : dirname(file);
  const stateDir = isLabel ? undefined : stateDirOf({ written: shape.gateway?.stateDir, folder, env: options.env });
  const hidden = new Set<string>();
  const own = { shape: shape.gateway?.secrets, env: options.env, folder, stateDir, limits, hidden };
  const settings = await secretSettings(own, { problems, warnings });
  const secrets = typeof options.secrets === 'function' ? options.secrets(settings) : options.secrets;
  const fillings = createFillings({ env: options.env, secrets }, problems, hidden);
  const entries = entriesOf(shape, document);
  const backends = await backendsOf(entries, { problems, warnings, fillings, limits, folder });
  checkDependencies(entries, { problems, warnings });
  const gateway = await gatewayParts({ shape: shape.gateway ?? {}, overrides, fillings, problems, warnings, elsewhere });
  const disabled = entries.filter((entry) => entry.shape.disabled).map(({ name }) => name);
  for (const [extension, server] of Object.entries(gateway.passthroughExtensions)) {
    if (entries.some(({ name }) => name === server)) continue;
    const message = `there is no server "${server}"; name the one that has this extension`;
    problems.push({ path: ['gateway', 'passthroughExtensions', extension], at: 'value', message });
  }
  if (backends.length === 0 && problems.length === 0) {
    warnings.push({ path: ['mcpServers'], at: 'key', message: 'there is no enabled server' });
  }
  return {
    file,
    backends,
    disabled,
    ...gateway,
    stateDir,
    limits,
    secrets: hiddenList(fillings.secrets()),
  };
}

async function backendsOf(entries: readonly Entry[], desk: Desk): Promise<BackendSpec[]> {
  const enabled = entries.filter((entry) => !entry.shape.disabled);
  const names = namespaces(
    enabled.map(({ name, shape }) => ({ name, explicit: shape.namespace })),
    desk,
  );
  // A server without a namespace has its problem noted; its other problems are still wanted.
  const specs = await Promise.all(enabled.map((entry) => backendOf(entry, names.get(entry.name) ?? '', desk)));
  return specs.filter((spec) => spec !== undefined);
}

/** In the order of the file: JavaScript would put names like "10" first. */
function entriesOf(shape: FileShape, { value, locate }: Document): Entry[] {
  const raw = (value as { mcpServers: Record<string, object> }).mcpServers;
  const entries = Object.entries(shape.mcpServers).map(([name, server]) => {
    const path = ['mcpServers', name];
    const place = locate({ path, at: 'key', message: '' });
    return { name, shape: server, written: new Set(Object.keys(raw[name] ?? {})), path, place };
  });
  return entries.sort((a, b) => a.place.line - b.place.line || a.place.column - b.place.column);
}

function located(problems: readonly Problem[], file: string, locate: (problem: Problem) => Position): Issue[] {
  const issues = problems.map((problem): Issue => {
    const path = formatPath(problem.path);
    return { file, ...locate(problem), ...(path !== '' && { path }), message: problem.message };
  });
  return issues.sort(byPosition);
}
