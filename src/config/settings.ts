/**
 * Every setting of the gateway in one table, made from the schema of the file, so that a new key of `gateway` or a new
 * limit is in it by itself: its place in the file, variable, flag, type, unit, default and help.
 */
import { z } from 'zod';
import { LIMITS, type LimitName, type Unit } from '../limits.ts';
import { fileSchema } from './schema.ts';

/** What a setting accepts, as far as it matters for reading it from a variable. */
export type Kind = 'text' | 'number' | 'boolean' | 'list' | 'json';

export interface Setting {
  /** Dotted, without `gateway`: `restart.initial`. */
  readonly name: string;
  /** Keys below `gateway`; undefined: it is no part of the file. */
  readonly path: readonly string[] | undefined;
  /** `ONEMCP_RESTART_INITIAL` */
  readonly variable: string;
  /** Variables of other products that mean the same. */
  readonly aliases: readonly string[];
  /** The option of `onemcp run`, if there is one. */
  readonly flag: string | undefined;
  readonly kinds: readonly Kind[];
  /** Of limits. */
  readonly unit: Unit | undefined;
  /** The words it may be, if there are only some. */
  readonly choices: readonly string[] | undefined;
  /** Undefined: there is none that is always the same. */
  readonly default: unknown;
  readonly help: string;
  /** Checks a value, wherever it is from. */
  readonly schema: z.ZodType;
}

const FLAGS: Readonly<Record<string, string>> = {
  host: '--host',
  port: '--port',
  insecureNoAuth: '--insecure-no-auth',
  profiles: '--profile',
  logLevel: '--log-level',
  logFormat: '--log-format',
  logLevels: '--log-levels',
  logFile: '--log-file',
};

/** Of 1MCP, but for those that mean something else, which are in `oneMcp.ts`; of OpenTelemetry, the rest of which is in `traces.ts`. */
const ALIASES: Readonly<Record<string, readonly string[]>> = {
  host: ['ONE_MCP_HOST'],
  port: ['ONE_MCP_PORT'],
  logLevel: ['ONE_MCP_LOG_LEVEL'],
  allowedOrigins: ['ONE_MCP_CORS_ORIGINS'],
  'reload.quiet': ['ONE_MCP_CONFIG_RELOAD_DEBOUNCE'],
  'traces.endpoint': ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'],
};

const DEFAULTS: Readonly<Record<string, unknown>> = {
  trustedHosts: [],
  trustedProxies: [],
  allowedOrigins: [],
  profiles: [],
  passthroughExtensions: {},
};

/** How the process talks; the file says nothing of it. */
const RUN = {
  logLevel: z.enum(['error', 'warn', 'info', 'debug']).meta({ description: 'The least that is logged.', default: 'info' }),
  logFormat: z.enum(['pretty', 'json']).meta({ description: 'How logs are written to stderr.', default: 'pretty' }),
  logLevels: z.string().meta({ description: 'Levels of single tags, the first words of events: backend=debug,http=error.' }),
  logFile: z.string().meta({ description: 'A file that gets the log as well, as JSON lines; see log.maxBytes and log.files.' }),
};

/** `restart.initial` → `ONEMCP_RESTART_INITIAL` */
export const variableOf = (name: string): string =>
  `ONEMCP_${name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll('.', '_')
    .toUpperCase()}`;

/** In the order of the schema. */
export const SETTINGS: readonly Setting[] = [
  ...rowsOf(unwrapped(fileSchema.shape.gateway) as z.ZodObject, []),
  ...Object.entries(RUN).map(([name, schema]) => settingOf(name, schema, undefined)),
];

/** Its variable, then those that mean the same; the first that is set counts. */
export const variablesOf = ({ variable, aliases }: Setting): readonly string[] => [variable, ...aliases];

/** The setting that somebody names: `restart.initial`, `gateway.restart.initial`, a variable or a flag. */
export function findSetting(key: string): Setting | undefined {
  const name = key.replace(/^gateway\./, '');
  return SETTINGS.find((setting) => setting.name === name || setting.flag === key || variablesOf(setting).includes(key));
}

/** An object in the file is a group of settings, not one. */
function rowsOf(group: z.ZodObject, path: readonly string[]): Setting[] {
  return Object.entries(group.shape).flatMap(([key, schema]) => {
    const here = [...path, key];
    const inner = unwrapped(schema);
    return inner instanceof z.ZodObject ? rowsOf(inner, here) : [settingOf(here.join('.'), schema as z.ZodType, here)];
  });
}

function settingOf(name: string, schema: z.ZodType, path: readonly string[] | undefined): Setting {
  const { description = '', default: written } = (schema.meta() ?? {}) as { description?: string; default?: unknown };
  const inner = unwrapped(schema);
  return {
    name,
    path,
    variable: variableOf(name),
    aliases: ALIASES[name] ?? [],
    flag: FLAGS[name],
    kinds: kindsOf(schema),
    unit: Object.hasOwn(LIMITS, name) ? LIMITS[name as LimitName].unit : undefined,
    choices: inner instanceof z.ZodEnum ? inner.options.map(String) : undefined,
    default: written ?? DEFAULTS[name],
    help: description,
    schema,
  };
}

function kindsOf(schema: unknown): Kind[] {
  const inner = unwrapped(schema);
  if (inner instanceof z.ZodUnion) return [...new Set(inner.options.flatMap(kindsOf))];
  if (inner instanceof z.ZodNumber) return ['number'];
  if (inner instanceof z.ZodBoolean) return ['boolean'];
  if (inner instanceof z.ZodLiteral) return [[...inner.values].some((value) => typeof value === 'boolean') ? 'boolean' : 'text'];
  if (inner instanceof z.ZodArray) return kindsOf(inner.element).every((kind) => kind === 'text') ? ['list'] : ['json'];
  return inner instanceof z.ZodString || inner instanceof z.ZodEnum ? ['text'] : ['json'];
}

/** Whether a key may be left out does not matter here. */
function unwrapped(schema: unknown): unknown {
  return schema instanceof z.ZodOptional || schema instanceof z.ZodDefault ? unwrapped(schema.unwrap()) : schema;
}
