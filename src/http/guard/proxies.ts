/** Who asks, when proxies stand between: believed is only what trusted proxies say. */
import { BlockList, isIP } from 'node:net';

/** The headers of a request as Node.js has them: in lower case, several of one name joined by commas. */
export type RequestHeaders = Readonly<Record<string, string | string[] | undefined>>;

export interface Proxies {
  /** Whether what this address says of others is believed. */
  isTrusted(address: string | undefined): boolean;
  /** The addresses that `X-Forwarded-For` or `Forwarded` leads to; undefined: they contradict each other, or are no addresses. */
  clientOf(peer: string, headers: RequestHeaders): string | undefined;
  /** The name by which the client called the first proxy; undefined: nobody says. */
  hostSaid(headers: RequestHeaders): string | undefined;
}

const WORDS: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1'],
  // RFC 1918, RFC 4193.
  private: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
};

/** Headers by which a proxy shows that it stands between. */
const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'];

/** @param trusted addresses, networks in CIDR notation, and the words `loopback` and `private`; without any there are no proxies */
export function createProxies(trusted: readonly string[]): Proxies | undefined {
  if (trusted.length === 0) return undefined;
  const list = new BlockList();
  for (const entry of trusted.flatMap((word) => (Object.hasOwn(WORDS, word) ? (WORDS[word] as readonly string[]) : [word]))) {
    const [address = '', bits] = entry.split('/');
    const family = address.includes(':') ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }

  const isTrusted = (address: string | undefined): boolean => {
    const plain = address === undefined ? undefined : plainAddress(address);
    if (plain === undefined) return false;
    if (plain.includes(':')) return list.check(plain, 'ipv6');
    // A network of mapped addresses may be meant, too.
    return list.check(plain, 'ipv4') || list.check(`::ffff:${plain}`, 'ipv6');
  };

  /** The right-most address that is not trusted: what is left of it, anybody may have written. */
  const walked = (peer: string, chain: readonly string[]): string | undefined => {
    let client: string | undefined = plainAddress(peer);
    for (let at = chain.length - 1; at >= 0 && client !== undefined && isTrusted(client); at--) client = plainAddress(chain[at] as string);
    return client;
  };

  return {
    isTrusted,
    clientOf(peer, headers) {
      const chains = [forwardedFor(headers), forwardedValues(headers, 'for')].filter((chain) => chain !== undefined);
      if (chains.length === 0) return isForwarded(headers) ? undefined : plainAddress(peer);
      const [client, ...others] = chains.map((chain) => walked(peer, chain));
      // A proxy that writes one of them passes on whatever its client wrote into the other.
      return others.every((other) => other === client) ? client : undefined;
    },
    hostSaid(headers) {
      const said = [textOf(headers['x-forwarded-host'])?.split(',').at(-1)?.trim(), forwardedValues(headers, 'host')?.at(-1) || undefined];
      const [host, ...others] = said.filter((name) => name !== undefined);
      return others.every((other) => other === host) ? host : `${host}, ${others.join(', ')}`;
    },
  };
}

/**
 * The address of whoever asks; undefined when that is nobody who can be known: somebody forwards the request whom nobody trusts, or
 * the proxies do not say it, or in no form that can be read.
 */
export function clientAddress(peer: string, headers: RequestHeaders, proxies: Proxies | undefined): string | undefined {
  if (proxies?.isTrusted(peer)) return proxies.clientOf(peer, headers);
  return isForwarded(headers) ? undefined : plainAddress(peer);
}

/** Whether a proxy stands between, trusted or not. */
export const isForwarded = (headers: RequestHeaders): boolean => FORWARDED.some((name) => headers[name] !== undefined);

/** Whether an address, as `plainAddress` has it, is one of this machine. */
export const isLoopbackAddress = (address: string): boolean => address === '::1' || /^127(?:\.\d{1,3}){3}$/.test(address);

/** `::ffff:10.0.0.1`, `10.0.0.1:4711`, `[fe80::1%eth0]:80` without what surrounds the address; undefined: it is none. */
export function plainAddress(text: string): string | undefined {
  const bare = /^\[([^\]]*)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text;
  const address = bare.replace(/%.*$/, '').replace(/^::ffff:(?=[\d.]+$)/i, '');
  return isIP(address) === 0 ? undefined : address.toLowerCase();
}

const textOf = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value.join(',') : value);

const forwardedFor = (headers: RequestHeaders): readonly string[] | undefined =>
  textOf(headers['x-forwarded-for'])
    ?.split(',')
    .map((item) => item.trim());

/** One pair of `Forwarded`: a token, or a quoted text in which commas and semicolons mean nothing. RFC 7239 §4. */
const PAIR = /([!#$%&'*+.^_`|~\w-]+)=("(?:[^"\\]|\\.)*"|[^\s",;]*)/g;

/**
 * The values of one parameter of `Forwarded`, an empty one where an element has none; undefined: there is no element that has it.
 * What is not well-formed as a whole says nothing: a quote that somebody left open would hide what the next proxy has added.
 */
function forwardedValues(headers: RequestHeaders, name: string): readonly string[] | undefined {
  const text = textOf(headers.forwarded);
  if (text === undefined) return undefined;
  if (/[^\s;,]/.test(text.replace(PAIR, ''))) return [''];
  const values = elements(text).map((element) => {
    const found = [...element.matchAll(PAIR)].find(([, key]) => key?.toLowerCase() === name)?.[2] ?? '';
    return found.startsWith('"') ? found.slice(1, -1).replace(/\\(.)/g, '$1') : found;
  });
  return values.some((value) => value !== '') ? values : undefined;
}

/** Split at commas that are not within quotes. */
const elements = (text: string): readonly string[] => text.match(/(?:"(?:[^"\\]|\\.)*"|[^",])+/g) ?? [];
