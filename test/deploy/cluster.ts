/** What a cluster does to a pod, in small: a kubelet that probes, and a Service that gives connections to ready pods. */
import { request } from 'node:http';
import { connect as connectTo, createServer, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { onTestFinished } from 'vitest';

/** An address of this machine that is not loopback, as a pod has one; undefined where there is none. */
export const podAddress = (): string | undefined =>
  Object.values(networkInterfaces())
    .flat()
    .find((one) => one?.family === 'IPv4' && !one.internal)?.address;

/** One probe of a kubelet: a new connection, the pod's address as the Host. 0: nobody answers. */
export const probe = (port: number, path: string, host = '127.0.0.1', address = '10.244.1.23'): Promise<number> =>
  new Promise((resolve) => {
    const sent = request(
      {
        host,
        port,
        path,
        agent: false,
        timeout: 1_000,
        headers: { host: `${address}:3050`, 'user-agent': 'kube-probe/1.31', accept: '*/*' },
      },
      (answer) => {
        answer.resume();
        answer.once('close', () => resolve(answer.statusCode ?? 0));
      },
    );
    sent.once('timeout', () => sent.destroy());
    sent.once('error', () => resolve(0));
    sent.end();
  });

/** Probes a pod on and on; the counts by `path status`. */
export function kubelet(port: number, interval: number) {
  const counts = new Map<string, number>();
  const seen: { readonly path: string; readonly status: number; readonly at: number }[] = [];
  const look = async (path: string) => {
    const status = await probe(port, path);
    seen.push({ path, status, at: performance.now() });
    counts.set(`${path} ${status}`, (counts.get(`${path} ${status}`) ?? 0) + 1);
  };
  const timer = setInterval(() => {
    for (const path of ['/health/live', '/health/ready']) void look(path);
  }, interval);
  const stop = () => clearInterval(timer);
  onTestFinished(stop);
  return { counts, seen, stop };
}

export interface Service {
  readonly url: string;
  /** The ports of pods that get new connections; open ones stay where they are, as with kube-proxy. */
  endpoints: number[];
}

/** A Service: every new connection goes to the next endpoint. */
export async function createService(...endpoints: number[]): Promise<Service> {
  const sockets = new Set<Socket>();
  let turn = 0;
  const server = createServer((client) => {
    const port = service.endpoints[turn++ % service.endpoints.length];
    if (port === undefined) return client.destroy();
    const pod = connectTo(port, '127.0.0.1');
    for (const [one, other] of [
      [client, pod],
      [pod, client],
    ] as const) {
      sockets.add(one);
      one.once('close', () => {
        sockets.delete(one);
        other.destroySoon();
      });
      one.on('error', () => other.destroy());
      one.pipe(other);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const service: Service = { url: `http://127.0.0.1:${port}`, endpoints };
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return service;
}
