import { isObject } from '../../json.ts';
import type { BackendView, Json, World } from '../../world.ts';
import { UI_EXTENSION } from '../capabilities.ts';
import { instructionsOf } from '../instructions.ts';
import type { Context } from '../method.ts';

/** Versions a client may choose, newest first. */
export const CLIENT_VERSIONS: readonly string[] = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'];

/**
 * The result of `initialize`, from what is known now: it never waits for a backend. An unknown version is answered with
 * our newest, whatever the backends speak. MCP basic/lifecycle.
 */
export function initializeResult(params: Json, context: Context): Json & { protocolVersion: string } {
  const asked = params.protocolVersion;
  const protocolVersion = typeof asked === 'string' && CLIENT_VERSIONS.includes(asked) ? asked : (CLIENT_VERSIONS[0] as string);
  const world = context.world();
  const instructions = instructionsOf(world, context);
  return {
    protocolVersion,
    capabilities: capabilitiesOf(world, protocolVersion, context),
    serverInfo: context.serverInfo,
    ...(instructions && { instructions }),
  };
}

/**
 * Capabilities are negotiated once, so what may still come is advertised too: a server not seen yet counts as able to do
 * everything.
 */
function capabilitiesOf({ backends }: World, protocolVersion: string, { extensions }: Context): Json {
  const views = [...backends.values()];
  const may = (able: (capabilities: Json) => boolean) => views.some(({ info }) => info === undefined || able(info.capabilities));
  const has = (capability: string) => may((capabilities) => capabilities[capability] !== undefined);
  const subscribe = may(({ resources }) => isObject(resources) && resources.subscribe === true);
  const carried = carriedExtensions(views, extensions);
  return {
    ...(has('tools') && { tools: { listChanged: true } }),
    ...(has('prompts') && { prompts: { listChanged: true } }),
    ...(has('resources') && { resources: { listChanged: true, ...(subscribe && { subscribe: true }) } }),
    ...(has('logging') && { logging: {} }),
    // The capability came with 2025-03-26.
    ...(protocolVersion !== '2024-11-05' && has('completions') && { completions: {} }),
    ...(carried && { extensions: carried }),
  };
}

/** The extensions of all servers that we can carry: arrays of settings are united, otherwise the first server wins. */
function carriedExtensions(views: readonly BackendView[], passed: Context['extensions']): Json | undefined {
  const carried: Record<string, Json> = {};
  for (const { name: backend, info } of views) {
    if (!isObject(info?.capabilities.extensions)) continue;
    for (const [name, settings] of Object.entries(info.capabilities.extensions)) {
      if (name !== UI_EXTENSION && passed[name] !== backend) continue;
      carried[name] = united(carried[name] ?? {}, isObject(settings) ? settings : {});
    }
  }
  return Object.keys(carried).length > 0 ? carried : undefined;
}

function united(known: Json, more: Json): Json {
  const settings: Json = { ...more, ...known };
  for (const [name, value] of Object.entries(known)) {
    if (Array.isArray(value) && Array.isArray(more[name])) settings[name] = [...new Set([...value, ...(more[name] as unknown[])])];
  }
  return settings;
}
