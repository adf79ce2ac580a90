/** `gateway.discovery`: its shape, and what it says with defaults. */
import { readFile } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import { z } from 'zod';
import type { DiscoverySettings } from './config.ts';
import type { Findings } from './issue.ts';
import { found } from './units.ts';

type Failure = { readonly input?: unknown };

const HERE = ['gateway', 'discovery'];
const SOCKET = '/var/run/docker.sock';
const LABEL = 'onemcp';
const SELECTOR = 'onemcp.io/server=true';
const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

const text = z.string({ error: 'expected text' }).min(1, { error: 'expected text, found an empty string' });

const folders = ({ input }: Failure) => `expected the path of a folder, or a list of such paths, found ${found(input)}`;
const confd = z
  .union([z.string().min(1, { error: folders }), z.array(z.string().min(1, { error: folders }))], { error: folders })
  .optional()
  .describe('A folder, or a list of folders, of files (*.json, *.jsonc) with further servers, relative to the folder of this file.');

/** True, or how it is done. */
const switchOr = <T extends z.ZodType>(what: string, options: T) =>
  z.union([z.boolean(), options], {
    error: ({ input }) => {
      const [inside] = (typeof input === 'object' && input !== null && options.safeParse(input).error?.issues) || [];
      if (inside && inside.path.length > 0) return `${inside.path.join('.')}: ${inside.message}`;
      return `expected true, or an object that says how ${what} is asked, found ${found(input)}`;
    },
  });

const docker = switchOr(
  'Docker',
  z.strictObject({
    socket: text.optional().meta({ description: 'Socket of the Docker Engine API.', default: SOCKET }),
    label: text
      .regex(/^[A-Za-z0-9][A-Za-z0-9._/-]*$/, { error: 'expected the beginning of labels, such as "onemcp"' })
      .optional()
      .meta({ description: 'What the labels that describe a server begin with.', default: LABEL }),
  }),
)
  .optional()
  .meta({ description: 'Looks for servers in the labels of Docker containers: true, or { socket, label }.', default: false });

const kubernetes = switchOr(
  'Kubernetes',
  z.strictObject({
    namespace: text
      .optional()
      .describe(
        'Namespace whose Services are looked at; "*": all. Default: the one that the gateway runs in, or all outside of a cluster.',
      ),
    labelSelector: text.optional().meta({ description: 'Which Services are servers, by their labels.', default: SELECTOR }),
    apiServer: z
      .string()
      .regex(/^https?:\/\/[^/?#@\s]+\/?$/, {
        error: ({ input }) => `expected an address such as "https://10.0.0.1:6443", found ${found(input)}`,
      })
      .optional()
      .describe('Address of the API server. Default: that of the cluster the gateway runs in.'),
    tokenFile: text.optional().meta({ description: 'File with the token that the API server wants.', default: `${ACCOUNT}/token` }),
    caFile: text.optional().describe('File with the certificates that are trusted. Default: that of the service account in a cluster.'),
  }),
)
  .optional()
  .meta({
    description: 'Looks for servers in Kubernetes Services: true, or { namespace, labelSelector, apiServer, tokenFile, caFile }.',
    default: false,
  });

/** Its options that are no limits. */
export const discoveryOptions = { confd, docker, kubernetes };

type Env = Readonly<Record<string, string | undefined>>;

interface Shape {
  readonly confd?: z.infer<typeof confd>;
  readonly docker?: z.infer<typeof docker>;
  readonly kubernetes?: z.infer<typeof kubernetes>;
}

interface Surroundings {
  readonly env: Env;
  /** Folder of the file, absolute. */
  readonly folder: string;
}

/** What is said of discovery, with defaults; undefined: nothing is looked for. */
export async function discoverySettings(gateway: object, around: Surroundings, findings: Findings): Promise<DiscoverySettings | undefined> {
  const shape = shapeOf(gateway);
  const settings: DiscoverySettings = {
    confd: confdOf(gateway).map((folder) => resolve(around.folder, folder)),
    docker: shape.docker ? dockerSettings(shape.docker, around) : undefined,
    kubernetes: shape.kubernetes ? await kubernetesSettings(shape.kubernetes, around, findings) : undefined,
  };
  return settings.confd.length > 0 || settings.docker || settings.kubernetes ? settings : undefined;
}

const shapeOf = (gateway: object): Shape => ((gateway as { readonly discovery?: unknown }).discovery ?? {}) as Shape;

/** The folders of `confd` as they are written. */
export const confdOf = (gateway: object): readonly string[] => foldersOf(shapeOf(gateway).confd);

/** The same of the one option. */
export const foldersOf = (written: unknown): readonly string[] =>
  (Array.isArray(written) ? written : [written]).filter((folder) => typeof folder === 'string' && folder !== '');

function dockerSettings(shape: NonNullable<Shape['docker']>, { folder }: Surroundings): DiscoverySettings['docker'] {
  const { socket = SOCKET, label = LABEL } = shape === true || shape === false ? {} : shape;
  return { socketPath: resolve(folder, socket), label };
}

async function kubernetesSettings(
  written: NonNullable<Shape['kubernetes']>,
  { env, folder }: Surroundings,
  { problems }: Findings,
): Promise<DiscoverySettings['kubernetes']> {
  const shape = written === true || written === false ? {} : written;
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = env;
  const cluster = host && `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
  const apiServer = shape.apiServer ?? cluster;
  if (!apiServer) {
    const message = 'the gateway does not run in a cluster, so the API server is not known; set "apiServer"';
    problems.push({ path: [...HERE, 'kubernetes'], at: 'value', message });
    return undefined;
  }
  const namespace = shape.namespace ?? (await readFile(join(ACCOUNT, 'namespace'), 'utf8').catch(() => '*')).trim();
  const caFile = shape.caFile ?? (shape.apiServer === undefined ? join(ACCOUNT, 'ca.crt') : undefined);
  return {
    apiServer: apiServer.replace(/\/$/, ''),
    namespace: namespace === '*' ? undefined : namespace,
    labelSelector: shape.labelSelector ?? SELECTOR,
    tokenFile: resolve(folder, shape.tokenFile ?? join(ACCOUNT, 'token')),
    caFile: caFile === undefined || isAbsolute(caFile) ? caFile : resolve(folder, caFile),
  };
}
