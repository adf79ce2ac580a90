import { readFile } from 'node:fs/promises';
import type { VaultSettings } from '../../config/config.ts';
import { type SecretProvider, tooLarge } from './provider.ts';
import { askVault, VaultError } from './vaultHttp.ts';

interface Login {
  readonly token: string;
  /** Of the clock `now`. */
  readonly until: number;
}

/** Logins by where and as whom: kept while their tokens are good. */
export type VaultTokens = Map<string, Promise<Login>>;

export interface VaultOptions extends VaultSettings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly maxBytes: number;
  readonly tokens: VaultTokens;
  /** Milliseconds of any clock that never goes back. */
  readonly now?: () => number;
}

/** Part of the life of a token after which the next reading logs in again. */
const FRESH = 0.7;
/** A secret with one field needs no `#field`; of others this one is meant. */
const USUAL_FIELD = 'value';
/** Bytes of an answer besides one value: other fields, metadata. */
const REST_OF_ANSWER = 1024 * 1024;

type Fields = Readonly<Record<string, unknown>>;

/**
 * Secrets of the KV engine (version 2) of a HashiCorp Vault: `path#field`. A path is read once for each provider, so that the
 * fields of one secret are of one version. https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2
 */
export function createVaultProvider(options: VaultOptions): SecretProvider {
  const { mount, maxBytes } = options;
  const paths = new Map<string, Promise<Fields | undefined>>();

  const fieldsOf = async (path: string, signal: AbortSignal): Promise<Fields | undefined> => {
    const { status, body } = await withToken(options, signal, (token) =>
      askVault({ ...options, path: `${mount}/data/${path}`, token, maxBytes: maxBytes + REST_OF_ANSWER, signal }),
    );
    const data = (body as { data?: { data?: unknown } } | undefined)?.data?.data;
    // 404 with data: it was deleted.
    if (status === 404 || data === null) return undefined;
    if (typeof data !== 'object') throw new Error(`what is at ${mount}/${path} is no secret of the KV engine, version 2`);
    return data as Fields;
  };

  return {
    scheme: 'vault',
    atOnce: 8,
    polled: true,
    async read(name, signal) {
      const [path = '', field] = name.split('#', 2);
      const known = paths.get(path);
      const reading = known ?? fieldsOf(path, signal);
      paths.set(path, reading);
      const fields = await reading;
      return fields && fieldOf(fields, field, maxBytes);
    },
    advice: (name) => `put it into Vault at ${mount}/${name.replace('#', ', as the field ')}`,
  };
}

function fieldOf(fields: Fields, field: string | undefined, maxBytes: number): string | undefined {
  const names = Object.keys(fields);
  if (field === undefined && names.length !== 1 && !Object.hasOwn(fields, USUAL_FIELD))
    throw new Error(`the secret has ${names.length} fields, and none is "${USUAL_FIELD}"; write path#field`);
  const wanted = field ?? (Object.hasOwn(fields, USUAL_FIELD) ? USUAL_FIELD : (names[0] as string));
  if (!Object.hasOwn(fields, wanted)) return undefined;
  const value = fields[wanted];
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') throw new Error('the field is no text');
  const text = String(value);
  if (Buffer.byteLength(text) > maxBytes) throw tooLarge(maxBytes);
  return text;
}

/** Asks with a token; one of an earlier login that is refused may have expired or been revoked: then once more. */
async function withToken<T>(options: VaultOptions, signal: AbortSignal, ask: (token: string) => Promise<T>): Promise<T> {
  const { kubernetes, tokens } = options;
  if (!kubernetes) return ask(await givenToken(options));
  const key = JSON.stringify([options.address, options.namespace, kubernetes]);
  const { now = () => performance.now() } = options;
  const logIn = () => {
    const login = loggedIn({ ...options, now }, kubernetes, signal);
    tokens.set(key, login);
    login.catch(() => tokens.get(key) === login && tokens.delete(key));
    return login;
  };
  const kept = tokens.get(key);
  const earlier = kept && (await kept);
  if (!kept || !earlier || earlier.until <= now()) return ask((await logIn()).token);
  try {
    return await ask(earlier.token);
  } catch (error) {
    if (!(error instanceof VaultError) || error.status !== 403) throw error;
    const newer = tokens.get(key);
    return ask((await (newer === kept || !newer ? logIn() : newer)).token);
  }
}

async function givenToken({ tokenFile, env }: VaultOptions): Promise<string> {
  if (tokenFile !== undefined) return tokenIn(tokenFile);
  if (!env.VAULT_TOKEN)
    throw new Error('there is no token for Vault; set VAULT_TOKEN, or "tokenFile" or "kubernetes" in gateway.secrets.vault');
  return asHeader(env.VAULT_TOKEN, 'the variable VAULT_TOKEN');
}

/** https://developer.hashicorp.com/vault/api-docs/auth/kubernetes#login */
async function loggedIn(
  { now, ...options }: VaultOptions & { readonly now: () => number },
  { role, mount, tokenFile }: NonNullable<VaultSettings['kubernetes']>,
  signal: AbortSignal,
): Promise<Login> {
  const path = `auth/${mount}/login`;
  const began = now();
  const { body } = await askVault({ ...options, path, body: { role, jwt: await tokenIn(tokenFile) }, maxBytes: REST_OF_ANSWER, signal });
  const auth = (body as { auth?: { client_token?: unknown; lease_duration?: unknown } } | undefined)?.auth;
  if (typeof auth?.client_token !== 'string') throw new Error(`Vault answered the login at ${path} without a token`);
  const life = typeof auth.lease_duration === 'number' && auth.lease_duration > 0 ? auth.lease_duration * 1000 : Number.POSITIVE_INFINITY;
  return { token: asHeader(auth.client_token, `the answer to the login at ${path}`), until: began + life * FRESH };
}

async function tokenIn(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(({ code }: NodeJS.ErrnoException) => {
    throw new Error(`the token file ${file} cannot be read: ${code}`);
  });
  return asHeader(text.trim(), `the token file ${file}`);
}

function asHeader(token: string, where: string): string {
  if (!/^[\x21-\x7e]+$/.test(token)) throw new Error(`${where} holds no token`);
  return token;
}
