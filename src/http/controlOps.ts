import type { PlanVariables, Reloaded } from '../config/config.ts';
import type { ServerStatus, StatusDocument } from '../observe/status.ts';
import type { WhyDocument } from '../observe/why.ts';
import type { Operation } from '../world.ts';

/** What became of an operation. */
export interface OperationResult {
  /** False: it was carried out, and the server is not as it was meant to be. */
  readonly ok: boolean;
  /** One line for people. */
  readonly message: string;
  readonly server: ServerStatus | undefined;
}

/** Lines that servers wrote to stderr, and the number to ask on from. */
export interface LogsAnswer {
  readonly last: number;
  /** `ts` as in ISO 8601. */
  readonly lines: readonly { readonly ts: string; readonly server: string; readonly line: string }[];
}

/** Which lines: the newest `most` after number `after`, of one server if it is named. */
export interface LogsQuery {
  readonly server?: string | undefined;
  readonly after: number;
  readonly most: number;
}

/** What an operator can ask of a running gateway. */
export interface ControlOps {
  readonly status: () => StatusDocument;
  /** @throws OnemcpError `unknown_server` */
  readonly why: (name: string) => WhyDocument;
  /**
   * Carries an operation out and, unless `wait` is false, resolves when it has come to its end, good or bad.
   * @throws OnemcpError `unknown_server`
   */
  readonly operate: (operation: Operation, options: { readonly wait: boolean; readonly signal: AbortSignal }) => Promise<OperationResult>;
  /** What servers wrote to stderr. @throws OnemcpError `unknown_server` */
  readonly logs?: ((query: LogsQuery) => LogsAnswer) | undefined;
  /** Reads the configuration again and applies it; nothing changes if there is anything wrong with it. */
  readonly reload?: (() => Promise<Reloaded>) | undefined;
  /**
   * Sends no alerts about a server, the `gateway` or the `configuration` for `ms`; does again when that is undefined. Missing
   * without webhooks. @throws OnemcpError `unknown_server`
   */
  readonly muteAlerts?: ((name: string, ms: number | undefined) => { readonly message: string }) | undefined;
  /** What a reload would do; of another file than the one that is served, or under other variables, if they are given. */
  readonly plan?: ((file: string | undefined, variables?: PlanVariables) => Promise<Reloaded>) | undefined;
}
