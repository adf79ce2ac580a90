/** The requests to the API server, and what its refusals mean. */
import { readFile } from 'node:fs/promises';
import { printable } from '../lines.ts';
import { type Answer, type Ask, askLines, askWhole, type LineHandlers, type Lines } from './ask.ts';
import { fieldsOf, jsonOf, wordOf } from './fields.ts';

/** What it was asked to go on from is too old. */
export const GONE = 410;
const LIST_BYTES = 64 * 1024 * 1024;
/** An object is at most 1.5 MiB in etcd. */
const EVENT_BYTES = 4 * 1024 * 1024;

export interface KubernetesApiOptions {
  readonly apiServer: string;
  readonly namespace: string | undefined;
  readonly labelSelector: string;
  readonly tokenFile: string;
  readonly caFile: string | undefined;
}

type Query = Readonly<Record<string, string>>;

/** Both throw Errors that say what is wrong; a status other than 200 is no error. */
export interface KubernetesApi {
  readonly options: KubernetesApiOptions;
  whole(query: Query, signal: AbortSignal): Promise<Answer>;
  lines(query: Query, signal: AbortSignal, handlers: LineHandlers): Promise<Answer | Lines>;
}

/** @param timeout milliseconds for one answer */
export function createKubernetesApi(options: KubernetesApiOptions, timeout: number): KubernetesApi {
  const { apiServer, namespace, labelSelector, tokenFile, caFile } = options;
  const path = namespace === undefined ? '/api/v1/services' : `/api/v1/namespaces/${encodeURIComponent(namespace)}/services`;

  const prepare = async (query: Query, signal: AbortSignal, maxBytes: number): Promise<Ask> => {
    if (!URL.canParse(apiServer)) throw new Error('the address of the Kubernetes API server is no URL; write https://…');
    const url = new URL(apiServer.replace(/\/+$/, '') + path);
    url.search = new URLSearchParams({ ...(labelSelector !== '' && { labelSelector }), ...query }).toString();
    const token = await textIn(tokenFile, 'the token of the service account', 'is automountServiceAccountToken on?');
    if (!/^[\x21-\x7e]+$/.test(token)) throw new Error(`the token of the service account, ${tokenFile}, is no token`);
    const ca = caFile === undefined ? undefined : await textIn(caFile, 'the certificate of the API server', 'check its path');
    return { url, headers: { authorization: `Bearer ${token}` }, ca, signal, timeout, maxBytes };
  };

  return {
    options,
    whole: async (query, signal) => {
      const ask = await prepare(query, signal, LIST_BYTES);
      return askWhole(ask).catch((error) => Promise.reject(unreachable(ask, error)));
    },
    lines: async (query, signal, handlers) => {
      const ask = await prepare(query, signal, EVENT_BYTES);
      return askLines(ask, handlers).catch((error) => Promise.reject(unreachable(ask, error)));
    },
  };
}

async function textIn(file: string, what: string, advice: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    throw new Error(`${what}, ${file}, cannot be read (${(error as NodeJS.ErrnoException).code}): ${advice}`);
  }
}

function unreachable({ url }: Ask, error: unknown): Error {
  const { code, message } = error as NodeJS.ErrnoException;
  const server = `the Kubernetes API server ${url.origin}`;
  if (code !== undefined && /CERT|SIGNATURE|SELF_SIGNED|ISSUER|TLS|SSL/.test(code))
    return new Error(`${server} has no certificate that can be trusted (${code}): check the file with its authority`);
  if (code?.startsWith('HPE_')) return new Error(`${server} answered with something that is not HTTP (${code}): check its address`);
  return new Error(`${server} cannot be asked: ${code ?? printable(message, 300)}`);
}

/** @param verb what was asked for, as a Role names it */
export function refusal({ options }: KubernetesApi, verb: 'list' | 'watch', { status, text }: Answer): Error {
  const { namespace, tokenFile } = options;
  const where = namespace === undefined ? 'in all namespaces' : `in the namespace ${namespace}`;
  const said = wordOf(fieldsOf(jsonOf(text)).message);
  const words = said === undefined ? '' : `; it says: ${printable(said, 300)}`;
  if (status === 401) return new Error(`the Kubernetes API server does not accept the token in ${tokenFile} (401)${words}`);
  if (status === 403) {
    const role = namespace === undefined ? 'ClusterRole' : 'Role';
    return new Error(
      `the service account may not ${verb} services ${where} (403): give it a ${role} with the verbs get, list and watch for services${words}`,
    );
  }
  if (status === 200) return new Error('the Kubernetes API server answered with something that is no list of services: check its address');
  return new Error(`the Kubernetes API server answered ${status} when it was asked to ${verb} services ${where}${words}`);
}
