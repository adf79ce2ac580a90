/** The keys of other products' servers, and what they are in ours. */
import type { Dialect } from './foreignText.ts';
import type { Path } from './issue.ts';

export type Entry = Record<string, unknown>;

/** Something that means something else here, or nothing. `path` begins in the entry. */
export interface Note {
  readonly path: Path;
  readonly at: 'key' | 'value';
  readonly message: string;
}

export interface Surroundings extends Dialect {
  /** Whether the file is in a folder such as `.vscode`, so that programs run in the folder above. */
  readonly rooted: boolean;
  /** Absolute; relative paths begin there. */
  readonly folder: string;
  /** @throws Error why it cannot be read */
  readonly readText: (path: string) => Promise<string>;
}

/** An entry while it is translated. */
export interface Work {
  readonly out: Entry;
  readonly around: Surroundings;
  readonly isTemplate: boolean;
  note(path: Path, message: string, at?: Note['at']): void;
  /** The server cannot be started as it is described. */
  leaveOut(path: Path, reason: string): void;
}

/** What becomes of a key that is there. */
type Handler = (work: Work, value: unknown) => void;

/** Keys of ours that they use, too. */
export const SHARED: ReadonlySet<string> = new Set(['disabled', 'type', 'timeout', 'url', 'tags', 'env', 'enabledTools', 'disabledTools']);

/** `at` ours, unless that is written as well. */
const renamed =
  (key: string, ours: string): Handler =>
  ({ out }, value) => {
    delete out[key];
    if (typeof value === 'number' && value <= 0) return;
    out[ours] ??= typeof value === 'number' ? Math.round(value) : value;
  };

const without =
  (key: string, message: string): Handler =>
  ({ out, note }) => {
    delete out[key];
    note([key], message);
  };

const dropped =
  (key: string): Handler =>
  ({ out }) =>
    void delete out[key];

const hides = (what: string, key: string) => without(key, `here all ${what} of this server are shown`);

const toolNames =
  (key: string): Handler =>
  ({ out, note }, value) => {
    if (Array.isArray(value) && value.every((name) => typeof name === 'string' && name !== '')) return;
    delete out[key];
    note([key], 'this is no list of names, so all tools of this server are shown', 'value');
  };

/** Keys of other products that can have no other meaning, in whatever file they are. */
export const COMMON: Readonly<Record<string, Handler>> = {
  connectionTimeout: renamed('connectionTimeout', 'startTimeout'),
  restartOnExit({ out }, value) {
    delete out.restartOnExit;
    out.restart ??= value === false ? 'never' : 'always';
  },
  maxRestarts: without(
    'maxRestarts',
    'here a server that keeps failing is tried less and less often, but never given up (gateway.restart, gateway.probe)',
  ),
  restartDelay: without('restartDelay', 'here the delays between restarts grow (gateway.restart.initial, gateway.restart.max)'),
  stderr: without('stderr', 'here what a server writes to stderr always goes to the log'),
  oauth: without('oauth', 'onemcp does not log in to servers; send a token in "headers" as Authorization'),
  disabledResources: hides('resources', 'disabledResources'),
  enabledResources: hides('resources', 'enabledResources'),
  disabledPrompts: hides('prompts', 'disabledPrompts'),
  enabledPrompts: hides('prompts', 'enabledPrompts'),
  template({ out, note }, value) {
    delete out.template;
    const { perClient, shareable, idleTimeout, maxInstances } = isEntry(value) ? value : ({} as Entry);
    if (perClient === true || shareable === false) out.isolation ??= 'session';
    if (typeof idleTimeout === 'number' && idleTimeout > 0) out.idleTimeout ??= Math.round(idleTimeout);
    if (typeof maxInstances === 'number' && maxInstances > 0)
      note(['template', 'maxInstances'], 'here the limit is gateway.instance.max, for every server');
  },
};

/** Keys that count only in a file that is certainly not ours: in one of ours they would be mistakes. */
export const OF_THEIRS: Readonly<Record<string, Handler>> = {
  enabled({ out }, value) {
    delete out.enabled;
    if (value === false) out.disabled ??= true;
  },
  transport: renamed('transport', 'type'),
  disabled({ out, leaveOut }, value) {
    if (typeof value !== 'string') return;
    out.disabled = value.trim() === 'true';
    if (/[{}]/.test(value)) leaveOut(['disabled'], 'this condition depends on the client; write true or false');
  },
  timeout({ out, around }, value) {
    if (around.product !== '1mcp' || typeof value !== 'number') return;
    // Their word for both; the particular ones win.
    out.startTimeout ??= out.connectionTimeout ?? Math.max(1, Math.round(value));
    if (out.requestTimeout !== undefined || value <= 0) delete out.timeout;
    else out.timeout = Math.round(value);
  },
  type({ out, around }, value) {
    // VS Code's "http" tries Streamable HTTP, then HTTP+SSE, as we do without a type.
    if (around.product === 'vscode' && value === 'http') delete out.type;
  },
  url({ leaveOut }, value) {
    if (typeof value === 'string' && /^(?:unix|pipe):/i.test(value))
      leaveOut(['url'], 'sockets and pipes are not supported; write http://… or https://…');
  },
  tags({ out, around, note }, value) {
    if (around.product !== '1mcp' || !Array.isArray(value)) return;
    const tags = value.filter((tag) => typeof tag === 'string').map(tagOf);
    if (tags.every((tag, index) => tag === value[index])) return;
    out.tags = tags.filter((tag) => tag !== '');
    note(['tags'], `here tags are lower-case words: ${(out.tags as string[]).join(', ')}`, 'value');
  },
  disabledTools: toolNames('disabledTools'),
  enabledTools: toolNames('enabledTools'),
  auth: without('auth', 'onemcp does not log in to servers; send a token in "headers" as Authorization'),
  dev: without('dev', 'here a server is not restarted when its sources change'),
  sandbox: without('sandbox', 'here the program runs without a sandbox'),
  sandboxEnabled: without('sandboxEnabled', 'here the program runs without a sandbox'),
  autoApprove: without('autoApprove', 'here clients decide themselves which calls people must allow'),
  alwaysAllow: without('alwaysAllow', 'here clients decide themselves which calls people must allow'),
  gallery: dropped('gallery'),
  version: dropped('version'),
  name: dropped('name'),
  title: dropped('title'),
  description: dropped('description'),
  icon: dropped('icon'),
};

const tagOf = (tag: string): string =>
  tag
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, 64);

/** An object of JSON. */
export const isEntry = (value: unknown): value is Entry => typeof value === 'object' && value !== null && !Array.isArray(value);
