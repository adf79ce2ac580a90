/** The layers that a setting comes from: environment over command line over file over default. Pure. */
import type { Issue, Overrides } from './config.ts';
import { oneMcpNotes } from './oneMcp.ts';
import type { GatewayShape } from './schema.ts';
import { SETTINGS, type Setting, variablesOf } from './settings.ts';
import { given } from './variables.ts';

/** From the one that wins to the one that never does. */
export const LAYERS = ['environment', 'command line', 'file', 'default'] as const;
export type Layer = (typeof LAYERS)[number];

/** What one layer says of a setting. */
export interface Word {
  readonly layer: Layer;
  /** What to look for there: `ONEMCP_PORT`, `--port`, `gateway.port`; empty for the default. */
  readonly source: string;
  /** As it is written there, in the form of JSON. */
  readonly value: unknown;
}

/** A setting with everything that was said of it. */
export interface Explained {
  readonly setting: Setting;
  /** In force. The default may be undefined. */
  readonly won: Word;
  /** What it hid, the next one first; the default is always there. */
  readonly hidden: readonly Word[];
}

export interface LayersInput {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Of the command line, already checked there. */
  readonly overrides: Overrides;
  /** What of `gateway` in the file has the right shape. */
  readonly shape: GatewayShape;
}

export interface Layered {
  readonly settings: readonly Explained[];
  /** The shape of the file under the layers above it. */
  readonly gateway: GatewayShape;
  /** The variable or flag that a setting is from; undefined: the file, or nowhere. */
  sourceOf(name: string): string | undefined;
  /** What is wrong in the environment. */
  readonly issues: readonly Issue[];
  readonly warnings: readonly Issue[];
}

type Tree = Readonly<Record<string, unknown>>;

/** Puts the layers on one another. */
export function layersOf({ env, overrides, shape }: LayersInput): Layered {
  const { values, issues, warnings } = given(env);
  const settings = SETTINGS.map((setting): Explained => {
    const words = [
      ...variablesOf(setting).map((source) => ({ layer: 'environment', source, value: values.get(source) }) as const),
      { layer: 'command line', source: setting.flag ?? '', value: setting.flag && (overrides as Tree)[setting.name] } as const,
      { layer: 'file', source: `gateway.${setting.name}`, value: setting.path && valueAt(shape, setting.path) } as const,
    ].filter(({ value }) => value !== undefined);
    const [won, ...hidden] = [...words, { layer: 'default', source: '', value: setting.default } as const];
    return { setting, won: won as Word, hidden };
  });
  const above = settings.filter(({ won }) => isAbove(won));
  const gateway = above.reduce<Tree>((tree, { setting: { path }, won }) => (path ? withValue(tree, path, won.value) : tree), shape);
  const sources = new Map(above.map(({ setting, won }) => [setting.name, won.source]));
  return {
    settings,
    gateway: gateway as GatewayShape,
    sourceOf: (name) => sources.get(name),
    issues,
    warnings: [...warnings, ...oneMcpNotes(env)],
  };
}

export interface LogSettings {
  readonly logLevel: string;
  readonly logFormat: string;
  /** `backend=debug,http=error` */
  readonly logLevels: string | undefined;
  readonly logFile: string | undefined;
}

/** How the process talks, which no file says: the environment over the command line over the default. */
export function logSettings(env: LayersInput['env'], overrides: object): LogSettings {
  const { settings } = layersOf({ env, overrides, shape: {} });
  const of = (name: string) => settings.find(({ setting }) => setting.name === name)?.won.value as string | undefined;
  return { logLevel: String(of('logLevel')), logFormat: String(of('logFormat')), logLevels: of('logLevels'), logFile: of('logFile') };
}

/** Whether a word is from a layer above the file. */
const isAbove = ({ layer }: Word): boolean => layer === 'environment' || layer === 'command line';

/** What a tree of plain objects has at a path. */
export function valueAt(tree: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? (value as Tree)[key] : undefined),
    tree,
  );
}

function withValue(tree: Tree, [key, ...rest]: readonly string[], value: unknown): Tree {
  if (key === undefined) return tree;
  return { ...tree, [key]: rest.length === 0 ? value : withValue((tree[key] ?? {}) as Tree, rest, value) };
}
