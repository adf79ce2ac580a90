/**
 * The normalised configuration: what the pipeline (parse → check → template) hands to the rest. Pure types.
 */
import type { Limits } from '../limits.ts';
import type { Isolation, Items } from '../world.ts';
import type { Features } from './features.ts';

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
  /** By the names that it gives its tools: the only ones that clients see, and those that they do not; undefined: all, none. */
  readonly enabledTools?: readonly string[];
  readonly disabledTools?: readonly string[];
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
  /** Names of entries that are not used, in file order: those with `disabled: true`, and those in `inactive`. */
  readonly disabled: readonly string[];
  /** Why some of `disabled` are not used although the file does not disable them; undefined: there are none. */
  readonly inactive?: Readonly<Record<string, string>>;
  readonly host: string;
  readonly port: number;
  /** Extra `Host` names that are accepted besides loopback and `host`. */
  readonly trustedHosts: readonly string[];
  /** Addresses, networks, `loopback` and `private`: proxies whose word about their clients counts. */
  readonly trustedProxies: readonly string[];
  /** The address that clients know, without a slash at its end; undefined: that of the listener. */
  readonly publicUrl: string | undefined;
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
  /** Which functions of the gateway are there. */
  readonly features: Features;
  /** Names of backends by the extension whose capability and methods go to them. */
  readonly passthroughExtensions: Readonly<Record<string, string>>;
  /** Who is told of critical events; undefined: nobody. */
  readonly webhooks?: readonly WebhookSpec[] | undefined;
  /** Where else servers are looked for; undefined: nowhere. */
  readonly discovery?: DiscoverySettings | undefined;
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
  /** The same of each folder of `conf.d`, by its absolute path. */
  readonly folders?: ReadonlyMap<string, ReadonlyMap<string, string | undefined>>;
  /** What each source outside the file gave. */
  readonly sources?: readonly SourceReport[];
};

/** `gateway.discovery`, with defaults. */
export interface DiscoverySettings {
  /** Folders of files with servers, absolute, in order. */
  readonly confd: readonly string[];
  readonly docker: { readonly socketPath: string; readonly label: string } | undefined;
  readonly kubernetes:
    | {
        readonly apiServer: string;
        /** Undefined: all. */
        readonly namespace: string | undefined;
        readonly labelSelector: string;
        readonly tokenFile: string;
        readonly caFile: string | undefined;
      }
    | undefined;
}

/** A server that was found outside the file, in the words of `mcpServers`; not checked yet. */
export interface Found {
  readonly name: string;
  readonly entry: Readonly<Record<string, unknown>>;
  /** Where, for people: a file, a container, a Service. */
  readonly place: string;
}

/** What a source that is watched has now. */
export interface FoundBy {
  readonly source: string;
  readonly servers: readonly Found[];
  /** What is wrong with it; what was found last is still there. */
  readonly problem?: string | undefined;
  /** It has not said anything yet. */
  readonly isWaiting: boolean;
}

/** What became of one source in one reading of the configuration. */
export interface SourceReport {
  /** `conf.d`, `docker`, `kubernetes`. */
  readonly name: string;
  readonly status: 'ok' | 'waiting' | 'failing';
  /** Servers that are used. */
  readonly servers: number;
  /** What is wrong with the source as a whole; its servers of before stay. */
  readonly lastError?: string | undefined;
  /** What is wrong with single servers: left out, or odd. */
  readonly notes: readonly string[];
}

/** A report, and since when its status is what it is: milliseconds since the epoch. */
export interface SourceState extends SourceReport {
  readonly since: number;
}

/** What a reading of the configuration changes, or why it changes nothing. */
export type Reloaded =
  | { readonly ok: true; readonly plan: Plan; readonly warnings: readonly Issue[] }
  | { readonly ok: false; readonly issues: readonly Issue[] };

/** What a reload would change, with the tools that the servers it stops or replaces have now, where they are known. */
export type Planned =
  | (Reloaded & { readonly ok: true; readonly revision: number; readonly tools: Readonly<Record<string, Items['tools']>> })
  | (Reloaded & { readonly ok: false });

/** Variables under which a plan is made, over those of the gateway: what `--env` and `--profile` stand for. */
export type PlanVariables = Readonly<Partial<Record<'ONEMCP_ENV' | 'ONEMCP_PROFILES', string>>>;

/** Where a configuration comes from. */
export interface ConfigSource {
  /**
   * Reads it anew, or another one of that name. Never rejects.
   * @param variables what the environment would say besides; what is read so is only looked at
   */
  load(other?: string, variables?: PlanVariables): Promise<Loaded>;
  /** Calls back when there may be something new to read; returns the unsubscriber. */
  watch?(onChange: () => void): () => void;
  /** The sources outside the file, as they were read last. */
  sources?(): readonly SourceState[];
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
  /** Active profiles. */
  readonly profiles?: readonly string[] | undefined;
}
