/** Text → `Config` or every issue of it, in the order of the text. The one way in, for `run`, `check` and reload alike. */
import { dirname, resolve } from 'node:path';
import { webhooksOf } from './alerts.ts';
import { backendOf } from './backend.ts';
import { CONF_D } from './confd.ts';
import type { BackendSpec, Config, Issue, Loaded, Overrides, Sources } from './config.ts';
import { checkDependencies } from './dependencies.ts';
import { confdOf, discoverySettings } from './discovery.ts';
import type { Desk, Entry } from './entry.ts';
import { createFillings } from './fillings.ts';
import { adopt } from './foreign.ts';
import type { Outside } from './found.ts';
import { gatewayParts, limitsOf } from './gateway.ts';
import { besideFile, gather } from './gather.ts';
import { byPosition, formatPath, type Problem } from './issue.ts';
import { layersOf } from './layers.ts';
import { namespaces } from './names.ts';
import { type Document, type Position, parseDocument } from './parse.ts';
import { unknownProfiles, withProfiles } from './profiles.ts';
import type { FileShape } from './schema.ts';
import { hiddenList } from './secret.ts';
import { secretSettings } from './secrets.ts';
import { atTheirCause, onDefaults } from './serverDefaults.ts';
import { checkShape } from './shape.ts';
import { type StackOptions, stackOf } from './stack.ts';
import { stateDirOf } from './stateDir.ts';
import { tracesOf } from './traces.ts';

export { readConfigFile } from './file.ts';
export { formatIssue } from './issue.ts';

export interface LoadOptions extends Sources, Outside {
  /** As the user wrote it: issues show it like this. A label such as `<memory>` is kept as it is. */
  readonly file: string;
  readonly text: string;
  readonly overrides?: Overrides;
  /** Folder a relative `file` is in; default: the working directory. */
  readonly base?: string;
}

/** Loads a configuration. Never throws: whatever is wrong becomes an issue. */
export async function loadConfig(options: LoadOptions): Promise<Loaded> {
  const { document: own, problems: parsing, positionOf } = parseDocument(options.text);
  if (!own) return { ok: false, issues: located(parsing, options.file, ({ offset = 0 }) => positionOf(offset)) };
  const { document: written, issues: unread, texts: others } = await stackOf(sheetOf(options, own));
  if (!written) return { ok: false, issues: [...unread, ...located(parsing, options.file, own.locate)], others };
  const { value, notes, origin } = await adopt(written.value, { ...options, ...placeOf(options) });
  const asWritten = (problem: Problem) => ({ ...problem, path: origin(problem.path) });
  const document: Document = {
    value,
    locate: (problem) => written.locate(asWritten(problem)),
    ...(written.locateFirst && { locateFirst: (problem: Problem) => written.locateFirst!(asWritten(problem)) }),
  };
  const { file: shape, problems: shaping } = checkShape(value);
  const findings = { problems: [...parsing, ...shaping], warnings: [...notes], elsewhere: [] as Issue[], remarks: [] as Issue[] };
  const out: Pick<Loaded, 'folders' | 'sources'>[] = [];
  const config = shape && (await normalised({ shape, document, options, out, ...findings }));
  const inFile = (problems: readonly Problem[]) => located(atTheirCause(problems, value).map(asWritten), options.file, written.locate);
  const issues = [...findings.elsewhere, ...inFile(findings.problems)];
  if (!config || issues.length > 0) return { ok: false, issues, others };
  return { ok: true, config, warnings: [...findings.remarks, ...inFile(findings.warnings)], others, ...out[0] };
}

/** Absolute places of the file; a label has no folder but that in which onemcp was started. */
function placeOf({ file, base = '' }: LoadOptions): { readonly file: string; readonly folder: string; readonly base: string } {
  return {
    file: isLabel(file) ? file : resolve(base, file),
    folder: isLabel(file) ? resolve(base) : dirname(resolve(base, file)),
    base: resolve(base),
  };
}

const isLabel = (file: string): boolean => /^<.*>$/.test(file);

/** A label has no overlay. */
export const sheetOf = ({ file, base = '', env }: Pick<LoadOptions, 'file' | 'base' | 'env'>, document: Document): StackOptions => ({
  file,
  document,
  base,
  environment: isLabel(file) ? undefined : env.ONEMCP_ENV?.trim(),
});

interface Work {
  readonly shape: FileShape;
  readonly document: Document;
  readonly options: LoadOptions;
  readonly problems: Problem[];
  readonly warnings: Problem[];
  readonly elsewhere: Issue[];
  /** Warnings that have no place in the file. */
  readonly remarks: Issue[];
  /** What was found outside the file. */
  readonly out: Pick<Loaded, 'folders' | 'sources'>[];
}

async function normalised({ shape, document, options, problems, warnings, elsewhere, remarks, out }: Work): Promise<Config> {
  const { overrides = {} } = options;
  const { file, folder } = placeOf(options);
  const isNamed = !isLabel(options.file);
  const layers = layersOf({ env: options.env, overrides, shape: shape.gateway ?? {} });
  elsewhere.push(...layers.issues);
  remarks.push(...layers.warnings);
  const limits = limitsOf(layers.gateway);
  const stateDir = isNamed ? stateDirOf({ written: shape.gateway?.stateDir, folder, env: options.env }) : undefined;
  const hidden = new Set<string>();
  const ownSecrets = { shape: layers.gateway.secrets, env: options.env, folder, stateDir, limits, hidden };
  const settings = await secretSettings(ownSecrets, { problems, warnings });
  const secrets = typeof options.secrets === 'function' ? options.secrets(settings) : options.secrets;
  const fillings = createFillings({ env: options.env, secrets }, problems, hidden);
  const active = [...new Set(layers.gateway.profiles ?? [])];
  const own = withProfiles(entriesOf(shape, document), active);
  const discovery = await discoverySettings(layers.gateway, { env: options.env, folder }, { problems, warnings });
  const { accepted, ...outside } = await gather({
    ...options,
    settings: discovery,
    folders: confdOf(layers.gateway).map((written) => besideFile(options.file, written)),
    base: placeOf(options).base,
    desk: {
      own: own.map((entry) => ({ ...entry, where: `${entry.place.file ?? options.file}:${entry.place.line}` })),
      active,
      defaults: shape.serverDefaults,
      limits,
      folder,
      fillingsFor: (list) => createFillings({ env: options.env, secrets }, list, hidden),
    },
  });
  out.push({ folders: outside.folders, sources: outside.sources });
  remarks.push(...outside.warnings);
  const found = accepted.flatMap(({ spec }) => spec ?? []);
  const backends = [...(await backendsOf(own, { problems, warnings, fillings, limits, folder })), ...found];
  const entries = [...own, ...accepted.flatMap(({ entry, found: { source } }) => (source === CONF_D ? [entry] : []))];
  checkDependencies(entries, { problems, warnings });
  const gateway = await gatewayParts({ layers, fillings, problems, warnings, elsewhere });
  const webhooks = await webhooksOf(layers.gateway, { fillings, problems });
  const traces = await tracesOf({ env: options.env, layers, fillings, problems, warnings, elsewhere, hidden });
  const disabled = [...own, ...accepted.map(({ entry }) => entry)].filter(({ off }) => off !== undefined);
  const inactive = disabled.flatMap(({ name, shape: { disabled }, off }) => (disabled ? [] : [[name, off as string]]));
  const source = layers.sourceOf('profiles');
  for (const problem of unknownProfiles(entries, active)) {
    if (source === undefined) warnings.push(problem);
    else remarks.push({ file: source, message: problem.message });
  }
  for (const [extension, server] of Object.entries(gateway.passthroughExtensions)) {
    if (entries.some(({ name }) => name === server)) continue;
    const message = `there is no server "${server}"; name the one that has this extension`;
    const source = layers.sourceOf('passthroughExtensions');
    if (source === undefined) problems.push({ path: ['gateway', 'passthroughExtensions', extension], at: 'value', message });
    else elsewhere.push({ file: source, path: formatPath([extension]), message });
  }
  if (backends.length === 0 && problems.length === 0 && !discovery) {
    warnings.push({ path: ['mcpServers'], at: 'key', message: 'there is no enabled server' });
  }
  return {
    file,
    backends,
    disabled: disabled.map(({ name }) => name),
    ...(inactive.length > 0 && { inactive: Object.fromEntries(inactive) }),
    ...gateway,
    ...(webhooks && { webhooks }),
    ...(discovery && { discovery }),
    ...(traces && { traces }),
    stateDir,
    limits,
    secrets: hiddenList(fillings.secrets()),
  };
}

async function backendsOf(entries: readonly Entry[], desk: Desk): Promise<BackendSpec[]> {
  const enabled = entries.filter(({ off }) => off === undefined);
  const names = namespaces(
    enabled.map(({ name, shape }) => ({ name, explicit: shape.namespace })),
    desk,
  );
  // A server without a namespace has its problem noted; its other problems are still wanted.
  const specs = await Promise.all(enabled.map((entry) => backendOf(entry, names.get(entry.name) ?? '', desk)));
  return specs.filter((spec) => spec !== undefined);
}

/** In the order of the file: JavaScript would put names like "10" first. */
function entriesOf(shape: FileShape, { value, locate, locateFirst }: Document) {
  const raw = (value as { mcpServers: Record<string, object> }).mcpServers;
  const entries = Object.entries(shape.mcpServers).map(([name, server]) => {
    const path = ['mcpServers', name];
    const place = { sheet: 0, ...(locateFirst ?? locate)({ path, at: 'key', message: '' }) };
    return { name, ...onDefaults(server, new Set(Object.keys(raw[name] ?? {})), shape.serverDefaults), path, place };
  });
  return entries.sort((a, b) => a.place.sheet - b.place.sheet || a.place.line - b.place.line || a.place.column - b.place.column);
}

/** Problems with their places in the text, in its order. */
export function located(problems: readonly Problem[], file: string, locate: (problem: Problem) => Position): Issue[] {
  const issues = problems.map((problem): Issue => {
    const path = formatPath(problem.path);
    return { file, ...locate(problem), ...(path !== '' && { path }), message: problem.message };
  });
  return issues.sort(byPosition);
}
