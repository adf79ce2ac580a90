/**
 * The normalised configuration: what the pipeline (parse → check → template) hands to the rest. Pure types.
 */
import type { Limits } from '../limits.ts';
import type { Isolation, Items } from '../world.ts';

/**
 * Text that may contain secret values. Prints as `***` however it is shown; `reveal()` is called by `io/`,
 * where the value is needed, and by the checks of `config/`.
 */
export interface Secret {
  reveal(): string;
  toString(): string;
  toJSON(): string;
}

/** A plain string, or one that contains a resolved `${SECRET:…}`. */
export type MaybeSecret = string | Secret;

interface BackendBase {
  /** Key in `mcpServers`. */
  readonly name: string;
  /** Segment in exposed names and URIs: `[A-Za-z0-9][A-Za-z0-9-]{0,31}`. */
  readonly namespace: string;
  readonly tags: readonly string[];
  /** The gateway is unhealthy while this backend is not usable. */
  readonly critical: boolean;
  /**
   * Who shares a connection: all clients (`shared`), one client session (`session`), one user (`principal`). `auto` is
   * `shared`, with the features of the client where there can be only one or where messages show whose they are.
   */
  readonly isolation: Isolation;
  /** Lets the backend ask for context of other servers in `sampling/createMessage`. */
  readonly samplingContext: boolean;
  /** After which ends it is started again: any, all but an exit with code 0, or none. */
  readonly restart: 'always' | 'on-failure' | 'never';
  /** Names of backends that must be connected before this one starts. */
  readonly dependsOn: readonly string[];
  /** Starts when the first request needs it. */
  readonly lazy: boolean;
  /**
   * How a changed one takes over: its successor is connected before it ends (`swap`), or it has ended before its successor
   * starts (`stop-first`), for programs that hold a port or a lock.
   */
  readonly handoff: 'swap' | 'stop-first';
  /**
   * Which calls are sent again after a failure: those that were certainly not executed and those that only read (`safe`),
   * also calls of tools that say of themselves that they are idempotent or read-only (`idempotent`), or none.
   */
  readonly retry: 'never' | 'safe' | 'idempotent';
  /** Milliseconds; each falls back to the gateway limit of the same name. */
  readonly startTimeout: number;
  readonly requestTimeout: number;
  readonly requestTotalTimeout: number;
  readonly idleTimeout: number;
  readonly queueTimeout: number;
  /** Milliseconds for starts until the first connection: at least `startTimeout`. */
  readonly installTimeout: number;
  readonly maxConcurrency: number;
  readonly maxQueue: number;
}

export interface StdioBackendSpec extends BackendBase {
  readonly kind: 'stdio';
  /** Program to execute, never a shell line. */
  readonly command: MaybeSecret;
  readonly args: readonly MaybeSecret[];
  /** Added to the minimal environment of `io/process.ts`. */
  readonly env: Readonly<Record<string, MaybeSecret>>;
  /** Absolute. */
  readonly cwd: string;
  /** Bytes; 0: unlimited. */
  readonly maxMemory: number;
}

export interface RemoteBackendSpec extends BackendBase {
  readonly kind: 'remote';
  readonly url: MaybeSecret;
  readonly headers: Readonly<Record<string, MaybeSecret>>;
  /** `auto`: Streamable HTTP, falling back to legacy HTTP+SSE. */
  readonly type: 'http' | 'sse' | 'auto';
}

export type BackendSpec = StdioBackendSpec | RemoteBackendSpec;

/** What an alert can be about. */
export type AlertType =
  | 'backend_failed'
  | 'crash_loop'
  | 'needs_authorization'
  | 'config_rejected'
  | 'gateway_degraded'
  | 'gateway_unhealthy'
  | 'flapping';

/** Where alerts are sent. */
export interface WebhookSpec {
  /** An address is often all that a sender has to know. */
  readonly url: Secret;
  readonly format: 'json' | 'slack';
  /** Key of the signature; undefined: nothing is signed. */
  readonly secret: Secret | undefined;
  /** Undefined: all that do not only repeat others. */
  readonly types: readonly AlertType[] | undefined;
  readonly headers: Readonly<Record<string, MaybeSecret>>;
}

/** Where traces are sent. */
export interface TracesSpec {
  /** The whole address of an OTLP/HTTP receiver of traces. */
  readonly endpoint: MaybeSecret;
  /** How many of the traces that begin here are kept, from 0 to 1; who is sent a trace keeps it if its sender does. */
  readonly sample: number;
  readonly headers: Readonly<Record<string, MaybeSecret>>;
  readonly serviceName: string;
  /** Further attributes of the resource. */
  readonly resource: Readonly<Record<string, string>>;
}

export interface Config {
  /** Absolute path, or a label such as `<memory>`. */
  readonly file: string;
  /** Enabled backends, in file order. */
  readonly backends: readonly BackendSpec[];
  /** Names of entries with `disabled: true`, in file order. */
  readonly disabled: readonly string[];
  readonly host: string;
  readonly port: number;
  /** Extra `Host` names that are accepted besides loopback and `host`. */
  readonly trustedHosts: readonly string[];
  /** Origins accepted besides loopback ones. */
  readonly allowedOrigins: readonly string[];
  /** Serve on a non-loopback address although there is no authentication. */
  readonly insecureNoAuth: boolean;
  /** `always`: `server__tool`; `never`: original names, for a transparent single backend. */
  readonly prefix: 'always' | 'never';
  /** What becomes of the dependants of a backend that fails: nothing, or they are restarted after it. OTP's words. */
  readonly strategy: 'one_for_one' | 'rest_for_one';
  /** Absolute folder for what outlives a run; undefined: nothing is written. */
  readonly stateDir: string | undefined;
  /** What `initialize` says of the instructions of the backends: nothing, whose tools have which prefix, or all. */
  readonly instructions: 'off' | 'names' | 'full';
  /** Whether `/health` speaks of single servers: to programs of this machine only (`auto`), to everybody, or to nobody. */
  readonly healthDetails: 'auto' | 'full' | 'minimal';
  /** Serves HTTP+SSE of version 2024-11-05 at `/sse` and `/messages`. */
  readonly legacySse: boolean;
  /** Counts what happens and shows it at `/metrics`. */
  readonly metrics: boolean;
  /** Names of backends by the extension whose capability and methods go to them. */
  readonly passthroughExtensions: Readonly<Record<string, string>>;
  /** Who is told of critical events; undefined: nobody. */
  readonly webhooks?: readonly WebhookSpec[] | undefined;
  /** Undefined: no traces are sent. */
  readonly traces?: TracesSpec | undefined;
  readonly limits: Limits;
  /** Values that must never be printed: resolved secrets. */
  readonly secrets: readonly string[];
}

/** What a new configuration changes. Backends by name; specifications are those of the new one. */
export interface Plan {
  readonly start: readonly BackendSpec[];
  readonly stop: readonly string[];
  /** Replaced by a new generation. */
  readonly swap: readonly BackendSpec[];
  /** Something changed that restarts nothing. */
  readonly retag: readonly BackendSpec[];
  readonly unchanged: readonly string[];
  /** All names, in the order of the new configuration. */
  readonly order: readonly string[];
  /** Changed gateway options that only a restart of the gateway applies, such as `gateway.port`. */
  readonly needsRestart: readonly string[];
}

/** One problem in one place. `line` and `column` count from 1. */
export interface Issue {
  readonly file: string;
  readonly line?: number;
  readonly column?: number;
  /** Dotted path: `mcpServers.web.timeuot`. */
  readonly path?: string;
  /** What is wrong and what to do, without the location. */
  readonly message: string;
}

export type Loaded = (
  | { readonly ok: true; readonly config: Config; readonly warnings: readonly Issue[] }
  | { readonly ok: false; readonly issues: readonly Issue[] }
) & {
  /** Texts of the other files that it is made of, by absolute path; undefined: it cannot be read. */
  readonly others?: ReadonlyMap<string, string | undefined>;
};

/** What a reading of the configuration changes, or why it changes nothing. */
export type Reloaded =
  | { readonly ok: true; readonly plan: Plan; readonly warnings: readonly Issue[] }
  | { readonly ok: false; readonly issues: readonly Issue[] };

/** What a reload would change, with the tools that the servers it stops or replaces have now, where they are known. */
export type Planned =
  | (Reloaded & { readonly ok: true; readonly revision: number; readonly tools: Readonly<Record<string, Items['tools']>> })
  | (Reloaded & { readonly ok: false });

/** Where a configuration comes from. */
export interface ConfigSource {
  /** Reads it anew, or another one of that name. Never rejects. */
  load(other?: string): Promise<Loaded>;
  /** Calls back when there may be something new to read; returns the unsubscriber. */
  watch?(onChange: () => void): () => void;
}

/** Where the values of templates come from. Only this and what it is made of knows the environment. */
export interface Sources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Reads secrets, or makes a reader of what `gateway.secrets` says; a reader throws when there is no such secret. */
  readonly secrets: SecretReader | ((settings: SecretSettings) => SecretReader);
}

export interface SecretReader {
  /** @param reference `name`, or `scheme:name` for one provider, or `vault:path#field` */
  read(reference: string): Promise<string> | string;
}

export type SecretScheme = 'file' | 'store' | 'env' | 'exec' | 'vault';

/** `gateway.secrets`, with defaults and in the units of the limits. */
export interface SecretSettings {
  /** Who is asked for a name without a scheme, in this order. */
  readonly providers: readonly SecretScheme[];
  /** Folders of secret files, absolute, in order. */
  readonly folders: readonly string[];
  /** Folder of the encrypted store, absolute; undefined: there is none. */
  readonly stateDir: string | undefined;
  readonly exec: ExecSettings | undefined;
  readonly vault: VaultSettings | undefined;
  /** Milliseconds for one provider to read one secret. */
  readonly timeout: number;
  /** Bytes of one secret. */
  readonly maxBytes: number;
  /** Milliseconds between two looks at providers that do not tell of changes; 0: none. */
  readonly poll: number;
  /** The same for files, on file systems that do not tell of changes. */
  readonly filePoll: number;
}

/** A program that prints a secret. */
export interface ExecSettings {
  /** The program and its arguments; each `{name}` is replaced by the name of the secret. */
  readonly command: readonly string[];
  /** Added to a minimal environment. */
  readonly env: Readonly<Record<string, MaybeSecret>>;
  /** Absolute. */
  readonly cwd: string;
}

/** A HashiCorp Vault with the KV engine, version 2. */
export interface VaultSettings {
  /** `http(s)://host:port`, without a slash at its end. */
  readonly address: string;
  /** Of the KV engine. */
  readonly mount: string;
  readonly namespace: string | undefined;
  /** Absolute path of a file with the token; undefined: `VAULT_TOKEN`. */
  readonly tokenFile: string | undefined;
  /** Logs in with the token of a Kubernetes service account instead. */
  readonly kubernetes: { readonly role: string; readonly mount: string; readonly tokenFile: string } | undefined;
}

/** Options of the command line; they win over the file, the environment wins over them. */
export interface Overrides {
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly insecureNoAuth?: boolean | undefined;
}
