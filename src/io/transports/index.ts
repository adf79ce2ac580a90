import type { BackendSpec } from '../../config/config.ts';
import type { IoDeps } from '../deps.ts';
import type { BackendTransport } from './transport.ts';

type Open<Spec extends BackendSpec> = (spec: Spec, deps: IoDeps) => BackendTransport;

/**
 * How each kind of backend is reached; loaded when the first such backend starts. A new transport is one file and one
 * line here.
 */
const TRANSPORTS: { readonly [Kind in BackendSpec['kind']]: () => Promise<Open<Extract<BackendSpec, { kind: Kind }>>> } = {
  stdio: async () => (await import('./stdio.ts')).openStdio,
  remote: async () => (await import('./remote.ts')).openRemote,
};

/** A transport for one backend; nothing is started before its `start()`. */
export async function createTransport(spec: BackendSpec, deps: IoDeps): Promise<BackendTransport> {
  const open = (await TRANSPORTS[spec.kind]()) as Open<BackendSpec>;
  return open(spec, deps);
}
