import type { BackendSpec } from '../../config/config.ts';
import type { IoDeps } from '../deps.ts';
import { openRemote } from './remote.ts';
import { openStdio } from './stdio.ts';
import type { BackendTransport } from './transport.ts';

/** How each kind of backend is reached. A new transport is one file and one line here. */
const TRANSPORTS: { readonly [K in BackendSpec['kind']]: (spec: Extract<BackendSpec, { kind: K }>, deps: IoDeps) => BackendTransport } = {
  stdio: openStdio,
  remote: openRemote,
};

/** A transport for one backend; nothing is started before its `start()`. */
export function createTransport(spec: BackendSpec, deps: IoDeps): BackendTransport {
  return spec.kind === 'stdio' ? TRANSPORTS.stdio(spec, deps) : TRANSPORTS.remote(spec, deps);
}
