import type { Findings } from './issue.ts';

const NAMESPACE = /^[A-Za-z0-9][A-Za-z0-9-]{0,31}$/;
const LONGEST = 32;

interface Named {
  readonly name: string;
  /** The `namespace` option. */
  readonly explicit: string | undefined;
}

/** The namespace made from a server name; empty when nothing of the name can be used. */
export function slug(name: string): string {
  if (NAMESPACE.test(name)) return name;
  const trim = (text: string) => text.replace(/^-+|-+$/g, '');
  return trim(trim(name.replace(/[^A-Za-z0-9]+/g, '-')).slice(0, LONGEST));
}

/**
 * The namespace of each server. Exposed names are compared by clients that may ignore case, so namespaces that differ
 * only in case are the same.
 */
export function namespaces(servers: readonly Named[], { problems, warnings }: Findings): ReadonlyMap<string, string> {
  const chosen = new Map<string, string>();
  const owners = new Map<string, string>();
  for (const { name, explicit } of servers) {
    const path = ['mcpServers', name];
    const namespace = explicit ?? slug(name);
    if (namespace === '') {
      problems.push({ path, at: 'key', message: 'no namespace can be made from this name; add "namespace" with letters and digits' });
      continue;
    }
    const owner = owners.get(namespace.toLowerCase());
    if (owner !== undefined) {
      const message = `${JSON.stringify(owner)} and ${JSON.stringify(name)} have the same namespace "${namespace}"; give one of them another "namespace"`;
      problems.push({
        path: explicit === undefined ? path : [...path, 'namespace'],
        at: explicit === undefined ? 'key' : 'value',
        message,
      });
      continue;
    }
    owners.set(namespace.toLowerCase(), name);
    chosen.set(name, namespace);
    if (explicit === undefined && namespace !== name) {
      const message = `${JSON.stringify(name)} cannot be a namespace, so its tools are named ${namespace}__…; set "namespace" to choose another`;
      warnings.push({ path, at: 'key', message });
    }
  }
  return chosen;
}
