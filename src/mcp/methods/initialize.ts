import type { BackendView, Json, World } from '../../world.ts';
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
    capabilities: capabilitiesOf(world),
    serverInfo: context.serverInfo,
    ...(instructions && { instructions }),
  };
}

/**
 * Capabilities are negotiated once, so what may still come is advertised too: a server not seen yet counts as able to do
 * everything.
 */
function capabilitiesOf({ backends }: World): Json {
  const views = [...backends.values()];
  const may = (capability: string) => views.some(({ info }) => info === undefined || info.capabilities[capability] !== undefined);
  return {
    ...(may('tools') && { tools: { listChanged: true } }),
    ...(may('prompts') && { prompts: { listChanged: true } }),
    ...(may('resources') && { resources: { listChanged: true } }),
    ...(may('completions') && { completions: {} }),
  };
}

const MAX_EACH = 4096;
const MAX_TOTAL = 16_384;

/** The instructions of all known backends under their own headings, in configuration order. */
function instructionsOf({ backends }: World, { naming }: Context): string {
  let text = '';
  for (const view of backends.values()) {
    const section = sectionOf(view, naming.prefix === 'always');
    if (section && text.length + section.length <= MAX_TOTAL) text += section;
  }
  return text.trimEnd();
}

function sectionOf({ namespace, info }: BackendView, prefixed: boolean): string | undefined {
  const text = info?.instructions?.trim();
  if (!text) return undefined;
  const cut =
    text.length > MAX_EACH
      ? `${text.slice(0, text.lastIndexOf('\n', MAX_EACH) > 0 ? text.lastIndexOf('\n', MAX_EACH) : MAX_EACH)}\n…(truncated)`
      : text;
  return `# ${namespace}${prefixed ? ` (tools: ${namespace}__…)` : ''}\n${cut}\n\n`;
}
