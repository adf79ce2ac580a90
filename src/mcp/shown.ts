/** Which tools of a backend clients see: those that its configuration does not hide. */
import type { BackendView, Json } from '../world.ts';

export type ToolFilter = Pick<BackendView, 'enabledTools' | 'disabledTools'>;

/** Whether a tool, by the name its backend gives it, is there for clients. */
export const isShown = ({ enabledTools, disabledTools }: ToolFilter, name: string): boolean =>
  (enabledTools === undefined || enabledTools.includes(name)) && !disabledTools?.includes(name);

/**
 * The tools of a backend that are shown, memoised: the same list of tools, and filters that let the same of them through, give the
 * same array, and one that hides nothing gives the list itself.
 */
export function createShown(): (backend: BackendView) => readonly Json[] {
  const known = new WeakMap<readonly Json[], Map<string, readonly Json[]>>();
  return ({ items: { tools }, enabledTools, disabledTools }) => {
    if (enabledTools === undefined && disabledTools === undefined) return tools;
    let byFilter = known.get(tools);
    if (!byFilter) {
      byFilter = new Map();
      known.set(tools, byFilter);
    }
    const key = JSON.stringify([enabledTools, disabledTools]);
    let shown = byFilter.get(key);
    if (!shown) {
      shown = same(
        tools.filter(({ name }) => isShown({ enabledTools, disabledTools }, name as string)),
        [tools, ...byFilter.values()],
      );
      byFilter.set(key, shown);
    }
    return shown;
  };
}

/** The one of the others that has the same tools; all have them in the same order. */
const same = (tools: readonly Json[], others: readonly (readonly Json[])[]): readonly Json[] =>
  others.find((other) => other.length === tools.length && other.every((tool, index) => tool === tools[index])) ?? tools;
