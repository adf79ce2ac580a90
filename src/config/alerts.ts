import type { WebhookSpec } from './config.ts';
import type { Desk } from './entry.ts';
import { revealed } from './fillings.ts';
import type { Path } from './issue.ts';
import { headersOf, urlComplaint } from './remote.ts';
import type { GatewayShape, WebhookShape } from './schema.ts';
import { createSecret } from './secret.ts';

type AlertDesk = Pick<Desk, 'fillings' | 'problems'>;

/** Headers that are our business. */
const RESERVED = /^(?:connection|content-encoding|content-length|content-type|expect|host|transfer-encoding|upgrade|onemcp-.*)$/i;
/** A signature is as good as its key is hard to guess. */
const SHORTEST_SECRET = 16;

/** The receivers of alerts, with their templates filled; undefined: there are none. */
export async function webhooksOf(shape: GatewayShape, desk: AlertDesk): Promise<readonly WebhookSpec[] | undefined> {
  const { webhooks = [] } = ((shape as { readonly alerts?: unknown }).alerts ?? {}) as {
    readonly webhooks?: readonly WebhookShape[] | undefined;
  };
  if (webhooks.length === 0) return undefined;
  const specs = await Promise.all(webhooks.map((webhook, index) => webhookOf(webhook, ['gateway', 'alerts', 'webhooks', index], desk)));
  return specs.filter((spec) => spec !== undefined);
}

/** Undefined after a problem, which is noted. */
async function webhookOf({ url, format = 'json', secret, types, headers = {} }: WebhookShape, path: Path, desk: AlertDesk) {
  const report = (keys: Path, at: 'key' | 'value', message: string) => desk.problems.push({ path: [...path, ...keys], at, message });
  for (const name of Object.keys(headers)) {
    if (RESERVED.test(name)) report(['headers', name], 'key', 'this header is set by onemcp; remove it');
  }
  // Who knows the address of a channel can write to it: neither is printed.
  const [address, key, sent] = await Promise.all([
    desk.fillings.named('secret', url, [...path, 'url']),
    secret === undefined ? undefined : desk.fillings.named('secret', secret, [...path, 'secret']),
    headersOf(headers, [...path, 'headers'], desk),
  ]);
  if (key !== undefined && revealed(key).length < SHORTEST_SECRET) {
    report(['secret'], 'value', `a key has at least ${SHORTEST_SECRET} characters; make one with: openssl rand -hex 32`);
  }
  if (address === undefined) return undefined;
  const complaint = urlComplaint(revealed(address));
  if (complaint !== undefined) {
    report(['url'], 'value', complaint);
    return undefined;
  }
  const spec: WebhookSpec = {
    url: createSecret(revealed(address)),
    format,
    secret: key === undefined ? undefined : createSecret(revealed(key)),
    types,
    headers: sent,
  };
  return spec;
}
