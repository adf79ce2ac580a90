/** A host name or address as `listen` takes it. */
export const HOST = /^(?:[A-Za-z0-9._-]+|\[?(?:[0-9A-Fa-f]*:){2,7}[0-9A-Fa-f.]*(?:%[A-Za-z0-9._-]+)?\]?)$/;

/** `scheme://host[:port]`, as browsers send it. */
export const ORIGIN = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^\s/?#*@]+$/;

/** Without the brackets of an IPv6 address in a URL, in lower case. */
export function bareHost(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
}

/** Whether only programs on this machine can connect to the host. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^(?:::ffff:)?127(?:\.\d{1,3}){3}$/.test(host);
}

/** The form in which a browser sends an origin: lower case, without the default port. */
export function browserOrigin(origin: string): string {
  const lower = origin.toLowerCase();
  return /^https?:/.test(lower) && URL.canParse(lower) ? new URL(lower).origin : lower;
}
