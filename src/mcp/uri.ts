/**
 * The URI codec: which URI a client sees for a resource of a backend, and back. Bijective and textual: nothing is
 * parsed or normalised, so a backend receives its own URI byte for byte.
 */

const HIERARCHICAL = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/(.*)$/s;
const UNTOUCHED = /^(https?|data):/i;
/** `file://namespace/…` would be an invalid URL or a UNC path, so it is wrapped; so are our own. */
const WRAPPED = /^(file|onemcp)$/i;
const OWN = 'onemcp://';

/** `scheme://namespace/rest`; `onemcp://namespace/original` where that would be wrong; `http(s):` and `data:` unchanged. */
export function exposeUri(namespace: string, uri: string): string {
  if (UNTOUCHED.test(uri)) return uri;
  const parts = HIERARCHICAL.exec(uri);
  if (!parts || WRAPPED.test(parts[1] as string)) return `${OWN}${namespace}/${uri}`;
  return `${parts[1]}://${namespace}/${parts[2]}`;
}

/** The same for a URI template (RFC 6570); one whose scheme or authority starts with a variable is wrapped. */
export function exposeTemplate(namespace: string, template: string): string {
  const parts = HIERARCHICAL.exec(template);
  if (parts && !(parts[2] as string).startsWith('{+')) return exposeUri(namespace, template);
  return UNTOUCHED.test(template) ? template : `${OWN}${namespace}/${template}`;
}

/** An exposed URI taken apart: whose it is, and what its owner calls it. */
export interface ResolvedUri {
  readonly backend: string;
  readonly uri: string;
}

/**
 * Undoes `exposeUri`. URI parsers lower-case the authority of some schemes, so namespaces are compared without case.
 * @param backends names of backends by their namespace in lower case
 */
export function resolveUri(exposed: string, backends: ReadonlyMap<string, string>): ResolvedUri | undefined {
  const parts = HIERARCHICAL.exec(exposed);
  if (!parts || UNTOUCHED.test(exposed)) return undefined;
  const [, scheme, rest] = parts as unknown as [string, string, string];
  // `file://namespace/…` is never exposed: it is the file of a host that only looks like a namespace.
  if (/^file$/i.test(scheme)) return undefined;
  const slash = rest.indexOf('/');
  if (slash < 1) return undefined;
  const backend = backends.get(rest.slice(0, slash).toLowerCase());
  if (backend === undefined) return undefined;
  const inner = rest.slice(slash + 1);
  return { backend, uri: scheme.toLowerCase() === 'onemcp' ? inner : `${scheme}://${inner}` };
}

/**
 * Whether a URI could come from a URI template, in time linear in their lengths: each expression stands for any text.
 * No regular expression is ever built from text of a backend.
 */
export function templateMatches(template: string, uri: string): boolean {
  const literals = template.split(/\{[^{}]*\}/);
  const first = literals[0] as string;
  const last = literals[literals.length - 1] as string;
  if (literals.length === 1) return template === uri;
  if (!uri.startsWith(first) || !uri.endsWith(last) || uri.length < first.length + last.length) return false;
  let at = first.length;
  const end = uri.length - last.length;
  for (const literal of literals.slice(1, -1)) {
    const found = uri.indexOf(literal, at);
    if (found < 0 || found + literal.length > end) return false;
    at = found + literal.length;
  }
  return true;
}
