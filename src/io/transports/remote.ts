import type { RemoteBackendSpec } from '../../config/config.ts';
import { OnemcpError } from '../../errors.ts';
import type { JsonRpcMessage, RequestId } from '../../world.ts';
import type { IoDeps } from '../deps.ts';
import { paceOf } from '../pace.ts';
import { openHttp } from './http.ts';
import { openSse } from './sse.ts';
import type { BackendTransport } from './transport.ts';

/** The transport of a backend with a URL; which one, its `type` says. */
export function openRemote(spec: RemoteBackendSpec, deps: IoDeps): BackendTransport {
  if (spec.type === 'http') return openHttp(spec, deps);
  return spec.type === 'sse' ? openSse(spec, deps) : openAuto(spec, deps);
}

/**
 * Statuses with which a server that knows only HTTP+SSE answers a POST of `initialize`. Others (credentials, overload, a
 * dead upstream) say nothing about the transport.
 */
const NOT_STREAMABLE: ReadonlySet<unknown> = new Set([400, 404, 405, 406, 415]);

/**
 * Streamable HTTP; when its `initialize` is refused, HTTP+SSE, where the same `initialize` is sent again. The layer above
 * notices nothing. MCP basic/transports §Backwards Compatibility.
 */
function openAuto(spec: RemoteBackendSpec, deps: IoDeps): BackendTransport {
  let initialize: JsonRpcMessage | undefined;
  let closed = false;
  const pace = paceOf(deps);
  /** The closing of the Streamable HTTP attempt. */
  let abandoned: Promise<void> | undefined;
  let inner = connect(openHttp(spec, deps, pace));

  function connect(transport: BackendTransport): BackendTransport {
    transport.onmessage = (message, origin) => outer.onmessage?.(message, origin);
    transport.onfail = (id, error) => outer.onfail?.(id, error);
    transport.onclose = (error) => outer.onclose?.(error);
    transport.onreset = () => outer.onreset?.();
    return transport;
  }

  const fallBack = (id: RequestId, refused: OnemcpError) => {
    const http = inner;
    const sse = connect(openSse(spec, deps, pace));
    inner = sse;
    deps.log('info', 'backend.trying_sse', { backend: spec.name, status: refused.data?.status });
    abandoned = http.close();
    sse.start().then(
      () => {
        if (initialize) sse.send(initialize);
      },
      (error) => {
        if (closed) return;
        const { message, data, code } = refused;
        outer.onfail?.(id, new OnemcpError(code, `${message} (and it is no HTTP+SSE endpoint either: ${error.message})`, data, error));
      },
    );
  };

  inner.onfail = (id, error) => {
    const refused = id === initialize?.id && error.code === 'http_status' && NOT_STREAMABLE.has(error.data?.status);
    if (refused) fallBack(id, error);
    else outer.onfail?.(id, error);
  };

  const outer: BackendTransport = {
    start: () => inner.start(),
    send(message) {
      if (message.method === 'initialize') initialize = message;
      inner.send(message);
    },
    forget(id) {
      if (id === initialize?.id) initialize = undefined;
      inner.forget(id);
    },
    async close(options) {
      closed = true;
      await Promise.all([abandoned, inner.close(options)]);
    },
    setProtocolVersion: (version) => inner.setProtocolVersion(version),
    onmessage: undefined,
    onfail: undefined,
    onclose: undefined,
    onreset: undefined,
    pace,
    pid: undefined,
    stderrTail: '',
  };
  return outer;
}
