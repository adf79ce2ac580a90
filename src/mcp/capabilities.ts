/** What of a client's capabilities a connection to a backend may declare. MCP basic/lifecycle §Capability Negotiation. */
import { isObject } from '../json.ts';
import type { Json } from '../world.ts';

/** MCP Apps. https://github.com/modelcontextprotocol/ext-apps */
export const UI_EXTENSION = 'io.modelcontextprotocol/ui';

/** Clients of one class share a connection: a server must not see more in any of them than all of them can do. */
export interface CapabilityClass {
  /** Such as `elicitation.form+sampling`; empty for clients that can do nothing. */
  readonly key: string;
  readonly capabilities: Json;
}

/** Whether a client can be asked in a mode; `{}` means forms. MCP client/elicitation §Capabilities. */
export function elicits({ elicitation }: Json, mode: 'form' | 'url'): boolean {
  if (!isObject(elicitation)) return false;
  if (mode === 'url') return isObject(elicitation.url);
  return isObject(elicitation.form) || !isObject(elicitation.url);
}

/** The class of a client: what several clients can have in common. `roots` without `listChanged`, which is one client's alone. */
export function classOf(capabilities: Json, extensions: readonly string[]): CapabilityClass {
  const { sampling, roots } = capabilities;
  const keys: string[] = [];
  const declared: Json = {};
  const form = elicits(capabilities, 'form');
  const url = elicits(capabilities, 'url');
  if (form) keys.push('elicitation.form');
  if (url) keys.push('elicitation.url');
  if (form || url) declared.elicitation = url ? { ...(form && { form: {} }), url: {} } : {};
  if (isObject(sampling)) {
    const tools = isObject(sampling.tools);
    keys.push('sampling', ...(tools ? ['sampling.tools'] : []));
    declared.sampling = tools ? { tools: {} } : {};
  }
  if (isObject(roots)) {
    keys.push('roots');
    declared.roots = {};
  }
  const shared = routable(capabilities, extensions);
  if (shared) {
    declared.extensions = shared;
    keys.push(...Object.keys(shared).sort());
  }
  return { key: keys.join('+'), capabilities: declared };
}

/** What a connection of one client alone declares: everything that reaches the client through us, as it said it. */
export function ownCapabilities(capabilities: Json, extensions: readonly string[]): Json {
  const declared: Json = {};
  for (const name of ['elicitation', 'sampling', 'roots']) if (isObject(capabilities[name])) declared[name] = capabilities[name];
  const shared = routable(capabilities, extensions);
  return { ...declared, ...(shared && { extensions: shared }) };
}

/** The extensions that we can carry: MCP Apps, and those the configuration names. */
function routable({ extensions: declared }: Json, allowed: readonly string[]): Json | undefined {
  if (!isObject(declared)) return undefined;
  const carried = Object.entries(declared).filter(([name]) => name === UI_EXTENSION || allowed.includes(name));
  return carried.length > 0 ? Object.fromEntries(carried) : undefined;
}
