/**
 * The closed union of everything that can go wrong, and the one table that says how each code looks on the wire.
 * Wire errors of a backend are a different type (`WireError`): they are relayed unchanged and never minted here.
 */

/** JSON-RPC code and HTTP status of each local error. */
const TABLE = {
  port_in_use: { rpc: -32603, http: 500 },
  parse_error: { rpc: -32700, http: 400 },
  invalid_request: { rpc: -32600, http: 400 },
  unknown_method: { rpc: -32601, http: 200 },
  invalid_params: { rpc: -32602, http: 200 },
  unknown_tool: { rpc: -32602, http: 200 },
  unknown_prompt: { rpc: -32602, http: 200 },
  unknown_resource: { rpc: -32002, http: 200 },
  forbidden_host: { rpc: -32600, http: 403 },
  forbidden_origin: { rpc: -32600, http: 403 },
  unauthorized: { rpc: -32600, http: 401 },
  unknown_session: { rpc: -32600, http: 404 },
  missing_session: { rpc: -32600, http: 400 },
  not_acceptable: { rpc: -32600, http: 406 },
  unsupported_media_type: { rpc: -32600, http: 415 },
  body_too_large: { rpc: -32600, http: 413 },
  method_not_allowed: { rpc: -32600, http: 405 },
  busy: { rpc: -32603, http: 429 },
  draining: { rpc: -32603, http: 503 },
  shutting_down: { rpc: -32603, http: 503 },
  spawn_failed: { rpc: -32603, http: 200 },
  unresponsive: { rpc: -32603, http: 200 },
  memory_exceeded: { rpc: -32603, http: 200 },
  unknown_server: { rpc: -32602, http: 404 },
  invalid_config: { rpc: -32603, http: 422 },
  backend_exited: { rpc: -32603, http: 200 },
  backend_unavailable: { rpc: -32603, http: 200 },
  connection_failed: { rpc: -32603, http: 200 },
  http_status: { rpc: -32603, http: 200 },
  session_lost: { rpc: -32603, http: 200 },
  unsupported_version: { rpc: -32603, http: 200 },
  invalid_response: { rpc: -32603, http: 200 },
  message_too_large: { rpc: -32603, http: 200 },
  timeout: { rpc: -32603, http: 200 },
  cancelled: { rpc: -32603, http: 200 },
  internal: { rpc: -32603, http: 500 },
} as const satisfies Record<string, { rpc: number; http: number }>;

export type ErrorCode = keyof typeof TABLE;
/** All of them. */
export const ERROR_CODES = Object.keys(TABLE) as readonly ErrorCode[];

/** Facts about an error that are safe to show to a client: never arguments, tokens or environment values. */
export interface ErrorData {
  readonly server?: string;
  readonly reason?: string;
  readonly retryable?: boolean;
  readonly retryAfterMs?: number;
  readonly [key: string]: unknown;
}

/** The error every part of onemcp throws. `message` is one sentence that says what is wrong and what to do. */
export class OnemcpError extends Error {
  override readonly name = 'OnemcpError';
  readonly code: ErrorCode;
  readonly data: ErrorData | undefined;

  constructor(code: ErrorCode, message: string, data?: ErrorData, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.data = data;
  }

  /** JSON-RPC 2.0 error code. */
  get rpcCode(): number {
    return TABLE[this.code].rpc;
  }

  /** HTTP status of an answer that carries only this error. */
  get httpStatus(): number {
    return TABLE[this.code].http;
  }

  /** What an inspector or a log may show: no stack, no cause. */
  toJSON(): { code: ErrorCode; message: string; data?: ErrorData } {
    return { code: this.code, message: this.message, ...(this.data && { data: this.data }) };
  }
}

/** An error object a backend answered with; relayed to the client as it is. JSON-RPC 2.0 §5.1. */
export class WireError extends Error {
  override readonly name = 'WireError';
  readonly error: { readonly code: number; readonly message: string; readonly data?: unknown };

  constructor(error: { code: number; message: string; data?: unknown }) {
    super(error.message);
    this.error = error;
  }
}

/** Any thrown value as an `OnemcpError`; an unknown one becomes `internal` with its message. */
export function asOnemcpError(thrown: unknown): OnemcpError {
  if (thrown instanceof OnemcpError) return thrown;
  if (thrown instanceof Error) return new OnemcpError('internal', thrown.message, undefined, thrown);
  return new OnemcpError('internal', String(thrown));
}

/**
 * The last lines of stderr that an error of a program carries, redacted. They are its `cause`: operators see them, what goes
 * to clients never does.
 */
export function stderrOf({ cause }: OnemcpError): string | undefined {
  const { stderr } = (cause ?? {}) as { stderr?: unknown };
  return typeof stderr === 'string' ? stderr : undefined;
}
