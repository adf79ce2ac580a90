/** One request to the HTTP API of Vault. What it answers is never shown: it may hold what was asked for. */

export interface VaultRequest {
  /** Without a slash at its end. */
  readonly address: string;
  readonly namespace: string | undefined;
  /** After `/v1/`, not encoded. */
  readonly path: string;
  readonly token?: string;
  /** Sent with POST; without it the request is a GET. */
  readonly body?: object;
  /** Bytes of the answer. */
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

/** Vault was reached, and refused. */
export class VaultError extends Error {
  override readonly name = 'VaultError';
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/**
 * @returns status 200 to 299, or 404 for what is not there
 * @throws VaultError for other statuses; Error when Vault cannot be reached or does not speak its protocol
 */
export async function askVault(request: VaultRequest): Promise<{ readonly status: number; readonly body: unknown }> {
  const { address, namespace, path, token, body, signal, maxBytes } = request;
  const answer = await fetch(`${address}/v1/${path.split('/').map(encodeURIComponent).join('/')}`, {
    method: body ? 'POST' : 'GET',
    headers: {
      'x-vault-request': 'true',
      ...(token !== undefined && { 'x-vault-token': token }),
      ...(namespace !== undefined && { 'x-vault-namespace': namespace }),
      ...(body && { 'content-type': 'application/json' }),
    },
    ...(body && { body: JSON.stringify(body) }),
    // The token goes to nobody else.
    redirect: 'manual',
    signal,
  }).catch((error: unknown) => {
    throw unreachable(address, error, signal);
  });
  const { status } = answer;
  const text = await textOf(answer, maxBytes).catch((error: unknown) => {
    throw error instanceof VaultError ? error : unreachable(address, error, signal);
  });
  const parsed = parsedOf(text);
  if (status === 404 && isEmptyAnswer(parsed)) return { status, body: parsed };
  if (status < 200 || status > 299) throw new VaultError(status, refusal(request, status));
  if (parsed === undefined) throw new VaultError(status, `${address} answered with something that is no JSON: is it a Vault?`);
  return { status, body: parsed };
}

/** Of a secret that is not there, or was deleted. A path that nothing is mounted at has errors. */
const isEmptyAnswer = (body: unknown): boolean => {
  if (typeof body !== 'object' || body === null) return false;
  const { errors = [] } = body as { errors?: unknown };
  return Array.isArray(errors) && errors.length === 0;
};

function refusal({ address, path, token }: VaultRequest, status: number): string {
  const mount = path.split('/data/')[0] ?? path;
  if (status === 400)
    return token === undefined
      ? `Vault did not accept the login at ${path} (400); check the role`
      : `Vault did not understand the request for ${path} (400)`;
  if (status === 401 || status === 403) {
    const advice =
      token === undefined
        ? 'check the role and its service account'
        : 'the token may have expired, or its policy does not allow to read this';
    return `Vault refused ${path} (${status}); ${advice}`;
  }
  if (status === 404) return `Vault has nothing mounted for ${path} (404); check gateway.secrets.vault.mount, which is "${mount}" now`;
  if (status === 429) return 'Vault is asked too often (429), or is a standby';
  if (status === 503) return `Vault is sealed or under maintenance (503)`;
  if (status >= 300 && status < 400)
    return `${address} sends elsewhere (${status}), which is not followed, for the token would go along; set the final address`;
  return `Vault failed (${status})`;
}

function unreachable(address: string, error: unknown, { aborted }: AbortSignal): Error {
  if (aborted) return new Error(`Vault at ${address} did not answer in time`);
  const { code } = ((error as Error).cause ?? error) as NodeJS.ErrnoException;
  return new Error(`Vault at ${address} cannot be reached${code === undefined ? '' : `: ${code}`}`);
}

async function textOf(answer: Response, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of answer.body ?? []) {
    length += (chunk as Uint8Array).length;
    // Leaving the loop cancels the rest.
    if (length > maxBytes) throw new VaultError(answer.status, `Vault answered with more than ${maxBytes} bytes`);
    chunks.push(chunk as Uint8Array);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parsedOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
