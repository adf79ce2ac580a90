import { OnemcpError } from '../errors.ts';
import type { BackendSession, Json } from '../world.ts';
import { type CallStats, methodIndex } from './callStats.ts';
import { enter, enterLater } from './enter.ts';
import type { Failure } from './failure.ts';
import type { Call, Context, Method } from './method.ts';
import { prepare, type RelayOptions } from './relay.ts';
import { isUnsent, mayRepeat } from './retry.ts';
import type { Route } from './view.ts';

/** A method that is relayed to the backend it belongs to. */
export interface Relayed<R extends Route> {
  readonly name: string;
  /** Whose request it is. */
  route(call: Call, context: Context): R | Promise<R>;
  /** Fields of the parameters that the backend knows otherwise. */
  changes(call: Call, route: R, context: Context): Json;
  /** A session with a place taken on the lane, if the usual way to one is not right. */
  enter?(backend: string, call: Call, context: Context): BackendSession;
  /** Sends it, if it is not sent as it is. */
  send?(session: BackendSession, route: R, call: Call, context: Context): Promise<Json>;
  /** Makes the backend's result the client's. */
  finish(result: Json, route: R, call: Call, context: Context): Json;
  /** The result that stands for a failure, or throws what the client gets. */
  fail(failure: Failure & { readonly route: R | undefined }, call: Call, context: Context): Json;
}

/**
 * Relays a request: to its backend, when it has a place on its lane and a connection; once more if the connection was
 * lost and that is safe. One function, for every further promise would cost every call a turn.
 */
export function relayed<R extends Route>(spec: Relayed<R>): Method {
  const way = spec.enter ?? enter;
  const counted = methodIndex(spec.name);
  return {
    name: spec.name,
    async handle(call, context) {
      const began = context.lanes.unrouted ? context.now() : 0;
      let route: R | undefined;
      let first: unknown;
      let repeated = false;
      try {
        const found = spec.route(call, context);
        route = found instanceof Promise ? await found : found;
        const { backend } = route;
        const lane = context.lanes.of(backend);
        const options = prepare(backend, call, context, spec.changes(call, route, context));
        for (;;) {
          const entered = first === undefined ? way(backend, call, context) : (spec.enter ?? enterLater)(backend, call, context);
          const session = entered instanceof Promise ? await entered : entered;
          repeated = first !== undefined;
          if (repeated && lane.stats) lane.stats.repeats++;
          const span = call.span === undefined ? undefined : call.span.toBackend(backend, route.name, call);
          let result: Json;
          try {
            result = await (spec.send ? spec.send(session, route, call, context) : session.request(call.method, call.params, options));
          } catch (error) {
            span?.failed(call.signal.aborted ? CANCELLED : error);
            if (repeated || !isRepeatable(error, route, { call, context, options })) throw error;
            first = error;
            continue;
          } finally {
            lane.leave();
          }
          span?.answered(result.isError === true);
          const finished = spec.finish(result, route, call, context);
          lane.stats?.answered(counted, context.now() - began, result.isError === true);
          return finished;
        }
      } catch (error) {
        // What was sent once and could not be sent again has failed for the reason it failed first.
        const shown = first === undefined || repeated || isUnsent(first) ? error : first;
        const unsent = isUnsent(error) && (first === undefined || isUnsent(first));
        return failed(spec, { error: shown, backend: route?.backend, route, repeated, unsent }, { call, context, began });
      }
    },
  };
}

interface Arrived {
  readonly call: Call;
  readonly context: Context;
  /** Monotonic milliseconds. */
  readonly began: number;
}

/** What the client gets for a failure; it is counted as an error if the client gets one. */
function failed<R extends Route>(spec: Relayed<R>, failure: Parameters<Relayed<R>['fail']>[0], { call, context, began }: Arrived): Json {
  const stats = statsOf(failure, context);
  let error: unknown = failure.error;
  call.span?.cause(error);
  try {
    const answer = spec.fail(failure, call, context);
    if (answer.isError !== true) error = undefined;
    return answer;
  } finally {
    stats?.failed(methodIndex(spec.name), context.now() - began, call.signal.aborted ? CANCELLED : error);
  }
}

/** Whatever else went wrong with what its client took back. */
const CANCELLED = new OnemcpError('cancelled', 'the call was cancelled');

/** Where a failed call is counted: at its backend, also one that could not be asked where a name leads. */
function statsOf({ error, backend }: Failure, { lanes, world }: Context): CallStats | undefined {
  if (lanes.unrouted === undefined) return undefined;
  const server = backend ?? (error instanceof OnemcpError ? error.data?.server : undefined);
  return server !== undefined && world().backends.has(server) ? lanes.of(server).stats : lanes.unrouted;
}

interface Sent {
  readonly call: Call;
  readonly context: Context;
  readonly options: RelayOptions;
}

function isRepeatable(error: unknown, { backend, name }: Route, { call, context, options }: Sent): boolean {
  const view = context.world().backends.get(backend);
  if (!view || call.signal.aborted || !(error instanceof OnemcpError)) return false;
  const { method } = call;
  const annotations = method === 'tools/call' ? view.items.tools.find((tool) => tool.name === name)?.annotations : undefined;
  return mayRepeat({ method, error, retry: view.retry, annotations, asked: options.upward.asked });
}
