/** The shape of the file. Also the source of `config.schema.json`, so every key has a description. */
import { z } from 'zod';
import { LIMITS, type LimitName } from '../limits.ts';
import type { AlertType } from './config.ts';
import { discoveryOptions } from './discovery.ts';
import { FEATURE_NAMES, FEATURES, type FeatureName } from './features.ts';
import { HOST, ORIGIN } from './hosts.ts';
import { ALL_PROFILES, PROFILE } from './profiles.ts';
import { secretsSchema } from './secrets.ts';
import { complaint, DURATION, found, kindOf, SIZE, smallest } from './units.ts';

type Failure = { readonly input?: unknown };

const LONGEST_NAME = 64;

const text = (emptyAdvice: string) => z.string().min(1, { error: () => `expected text, found an empty string; ${emptyAdvice}` });

/** Values of `env` and `headers` may be credentials: their kind is shown, never they themselves. */
const quoted = (failure: Failure) => `expected a string, found ${kindOf(failure.input)}; write it as a string, in double quotes`;
const strings = z.record(z.string(), z.string({ error: quoted }));

const TAG = /^[a-z0-9][a-z0-9._-]{0,63}$/;
const tag = z.string().regex(TAG, {
  error: ({ input }) => {
    const lower = String(input).toLowerCase();
    const advice = TAG.test(lower) ? `; write "${lower}"` : '';
    return `a tag has 1 to 64 lower-case letters, digits, ".", "_" and "-", and starts with a letter or digit; found ${found(input)}${advice}`;
  },
});

const profileError = ({ input }: Failure) =>
  `a profile has 1 to 64 letters, digits, ".", "_" and "-", and starts with a letter or digit; found ${found(input)}`;
const profile = z.string().regex(PROFILE, { error: profileError });
const activeProfile = z
  .string()
  .refine((name) => name === ALL_PROFILES || PROFILE.test(name), { error: (failure) => `${profileError(failure)}; "*" stands for all` });

const namespace = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9-]{0,31}$/, {
  error: ({ input }) => `a namespace has 1 to 32 letters, digits and "-", and starts with a letter or digit; found ${found(input)}`,
});

const command = z.union(
  [text('name a program'), z.array(z.string()).min(1, { error: 'the list is empty; its first item is the program' })],
  {
    error: ({ input }) =>
      Array.isArray(input)
        ? 'expected only strings in the list; write numbers in double quotes'
        : `expected a string or a list of strings, found ${kindOf(input)}`,
  },
);

/** A limit of the gateway; `abort` keeps one mistake from being reported by two checks. */
function limit(name: LimitName) {
  const unit = LIMITS[name].unit;
  const error = ({ input }: Failure) => complaint(input, name);
  const number = z.number({ error }).int({ error, abort: true }).min(smallest(name), { error, abort: true });
  const text = z.string({ error }).regex(unit === 'ms' ? DURATION : SIZE, { error, abort: true });
  const shape: z.ZodType<number | string> = unit === 'count' ? number : z.union([number, text], { error });
  return shape.refine((written) => complaint(written, name) === undefined, { error }).optional();
}

const limitOption = (name: LimitName) => limit(name).meta({ description: LIMITS[name].help, default: LIMITS[name].default });

/** The table of switches. */
const features = () =>
  Object.fromEntries(
    FEATURE_NAMES.map((name) => {
      const { help, default: value } = FEATURES[name];
      return [name, z.boolean().optional().meta({ description: help, default: value })];
    }),
  ) as Record<FeatureName, z.ZodOptional<z.ZodBoolean>>;

/**
 * The table of limits as nested objects: `restart.initial` is `{ restart: { initial } }`.
 * @param others options that are no limits, by the object they stand in
 */
function limits(others: Readonly<Record<string, Record<string, z.ZodType>>> = {}): Record<string, z.ZodType> {
  const groups: Record<string, Record<string, z.ZodType>> = { ...others };
  const flat: Record<string, z.ZodType> = {};
  for (const name of Object.keys(LIMITS) as LimitName[]) {
    const [group, key] = name.split('.') as [string, string?];
    const schema = limitOption(name);
    if (key === undefined) flat[group] = schema;
    else groups[group] = { ...groups[group], [key]: schema };
  }
  return { ...flat, ...Object.fromEntries(Object.entries(groups).map(([group, shape]) => [group, z.strictObject(shape).optional()])) };
}

const limitsOfSecrets = {
  timeout: limitOption('secrets.timeout'),
  maxBytes: limitOption('secrets.maxBytes'),
  poll: limitOption('secrets.poll'),
};

/** One value of `mcpServers`. Which keys go together is checked in `backend.ts`: there the advice can be better. */
export const serverSchema = z
  .strictObject({
    command: command.optional().describe('Program to start, or a list of the program and its arguments. Never a shell line.'),
    args: z.array(z.string()).optional().describe('Arguments of the program.'),
    env: strings.optional().describe('Environment variables of the program, besides a minimal environment.'),
    cwd: text('leave the key out for the folder of this file')
      .optional()
      .describe('Working directory, relative to the folder of this file. Default: that folder.'),
    url: text('write http://… or https://…').optional().describe('Address of a remote server.'),
    headers: strings.optional().describe('HTTP headers sent to a remote server.'),
    type: z
      .enum(['stdio', 'http', 'streamable-http', 'streamableHttp', 'sse'])
      .optional()
      .describe('Transport. Default: stdio for a command; Streamable HTTP, then SSE, for a url.'),
    tags: z.array(tag).optional().describe('Words by which clients choose servers.'),
    profiles: z
      .array(profile)
      .optional()
      .describe('It runs only while one of these profiles is active (gateway.profiles); without profiles it runs always.'),
    disabled: z.boolean().optional().meta({ description: 'Keep the entry but do not use it.', default: false }),
    critical: z.boolean().optional().meta({ description: 'The gateway is unhealthy while this server is not usable.', default: false }),
    isolation: z.enum(['auto', 'shared', 'session', 'principal']).optional().meta({
      description:
        'Who shares a connection: auto; shared: all clients; session: each client session has its own, with all features of the client; principal: each user has one.',
      default: 'auto',
    }),
    samplingContext: z
      .boolean()
      .optional()
      .meta({ description: 'Let this server ask for the context of other servers when it samples (includeContext).', default: false }),
    enabledTools: z
      .array(text('name a tool'))
      .optional()
      .describe('The only tools of this server that clients see, by the names it gives them. Default: all.'),
    disabledTools: z
      .array(text('name a tool'))
      .optional()
      .describe('Tools of this server that no client sees or can call, by the names it gives them.'),
    namespace: namespace.optional().describe('Prefix of the names of its tools. Default: made from the name of the server.'),
    restart: z.enum(['always', 'on-failure', 'never']).optional().meta({
      description: 'When it is started again after its end: always; on-failure: unless it exited with code 0; never.',
      default: 'always',
    }),
    dependsOn: z.array(z.string()).optional().describe('Names of servers that must be connected before this one starts.'),
    lazy: z.boolean().optional().meta({ description: 'Start it when the first request needs it.', default: false }),
    handoff: z.enum(['swap', 'stop-first']).optional().meta({
      description:
        'How a changed server takes over. swap: the new one is connected before the old one ends; stop-first: the old one has ended before the new one starts.',
      default: 'swap',
    }),
    retry: z.enum(['never', 'safe', 'idempotent']).optional().meta({
      description:
        'Which calls are sent again after a failure. safe: those that were certainly not executed, and reads; idempotent: also calls of tools with idempotentHint or readOnlyHint; never: none.',
      default: 'safe',
    }),
    install: z
      .strictObject({ timeout: limit('installTimeout').describe(`${LIMITS.installTimeout.help} Default: that of the gateway.`) })
      .optional()
      .describe('Says that the program fetches packages when it starts for the first time. npx, uvx, docker and their like are known.'),
    idleTimeout: limit('idleTimeout').describe(`${LIMITS.idleTimeout.help} Default: that of the gateway.`),
    maxMemory: limit('maxMemory').describe(`${LIMITS.maxMemory.help} Default: that of the gateway.`),
    maxConcurrency: limit('maxConcurrency').describe(`${LIMITS.maxConcurrency.help} Default: that of the gateway.`),
    maxQueue: limit('maxQueue').describe(`${LIMITS.maxQueue.help} Default: that of the gateway.`),
    queueTimeout: limit('queueTimeout').describe(`${LIMITS.queueTimeout.help} Default: that of the gateway.`),
    startTimeout: limit('startTimeout').describe(`${LIMITS.startTimeout.help} Default: that of the gateway.`),
    requestTimeout: limit('requestTimeout').describe(`${LIMITS.requestTimeout.help} Default: that of the gateway.`),
    requestTotalTimeout: limit('requestTotalTimeout').describe(`${LIMITS.requestTotalTimeout.help} Default: that of the gateway.`),
    timeout: limit('requestTimeout').describe('Another word for requestTimeout, known from other clients. A number is milliseconds.'),
  })
  .describe('One MCP server: a local program (command) or a remote server (url).');

const hostName = z.string().regex(HOST, {
  error: ({ input }) => `expected a host name without scheme, port or path, found ${found(input)}`,
});

const origin = z.string().regex(ORIGIN, {
  error: ({ input }) => `expected an origin such as "https://app.example.com", without a path, found ${found(input)}`,
});

const NETWORKS = [z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()];
const proxy = z.string().refine((text) => /^(loopback|private)$/i.test(text) || NETWORKS.some((kind) => kind.safeParse(text).success), {
  error: ({ input }) => `expected an address, a network such as "10.0.0.0/8", "loopback" or "private"; found ${found(input)}`,
});

const publicUrl = z.string().refine(isPublicUrl, {
  error: 'expected an address such as "https://mcp.example.com", with http or https, without user, query and fragment',
});

function isPublicUrl(text: string): boolean {
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text) || /[?#\s]/.test(text)) return false;
  const { username, password } = new URL(text);
  return username === '' && password === '';
}

const portError = ({ input }: Failure) => `expected a port number from 0 to 65535, found ${found(input)}`;
const port = z
  .number({ error: portError })
  .int({ error: portError, abort: true })
  .min(0, { error: portError, abort: true })
  .max(65_535, { error: portError });

const ALERT_TYPES = [
  'backend_failed',
  'crash_loop',
  'needs_authorization',
  'config_rejected',
  'gateway_degraded',
  'gateway_unhealthy',
  'flapping',
] as const satisfies readonly AlertType[];

const webhook = z
  .strictObject({
    url: text('write http://… or https://…').describe('Address that alerts are sent to by POST.'),
    format: z.enum(['json', 'slack']).optional().meta({
      description: 'Body of an alert. json: the whole document; slack: a text, for Slack and what understands its webhooks.',
      default: 'json',
    }),
    secret: text('leave the key out to sign nothing').optional().describe('Key of the signature in the header Onemcp-Signature.'),
    types: z
      .array(z.enum(ALERT_TYPES))
      .min(1, { error: 'the list is empty; leave the key out for all types' })
      .optional()
      .describe('Which alerts it gets; their recoveries come along. Default: all that do not only repeat another one.'),
    headers: strings.optional().describe('HTTP headers sent along.'),
  })
  .describe('One receiver of alerts.');

const webhooks = z.array(webhook).optional().describe('Who is told when something critical happens, and when it is over.');

const sampleError = ({ input }: Failure) => `expected a number from 0 (none) to 1 (all), found ${found(input)}`;

const traces = {
  endpoint: text('write http://… or https://…')
    .optional()
    .describe('Address that traces are sent to (OTLP/HTTP), with its path: http://collector:4318/v1/traces. Default: there are no traces.'),
  sample: z
    .number({ error: sampleError })
    .min(0, { error: sampleError, abort: true })
    .max(1, { error: sampleError, abort: true })
    .optional()
    .meta({
      description: 'How many of the traces that begin here are kept, from 0 to 1. Who sends a trace along decides of it.',
      default: 1,
    }),
  headers: strings.optional().describe('HTTP headers sent along with traces.'),
};

const stateDirError = ({ input }: Failure) => `expected the path of a folder, or false to keep nothing, found ${found(input)}`;

const gateway = z.strictObject({
  host: text('leave the key out for 127.0.0.1').optional().meta({ description: 'Address to listen on.', default: '127.0.0.1' }),
  port: port.optional().meta({ description: 'Port to listen on; 0 takes a free one.', default: 3050 }),
  trustedHosts: z.array(hostName).optional().describe('Names in the Host header that are accepted besides loopback ones and host.'),
  trustedProxies: z
    .array(proxy)
    .optional()
    .describe(
      'Proxies whose X-Forwarded-For, X-Forwarded-Host and Forwarded are believed: addresses, networks such as 10.0.0.0/8, loopback (this machine), private (private networks).',
    ),
  publicUrl: publicUrl
    .optional()
    .describe('Address by which clients reach the gateway, where that is not its own: that of a proxy. Its name is a trusted one.'),
  allowedOrigins: z.array(origin).optional().describe('Browser origins that are accepted besides loopback ones.'),
  insecureNoAuth: z
    .boolean()
    .optional()
    .meta({ description: 'Listen on an address other machines can reach, although there is no authentication.', default: false }),
  profiles: z
    .array(activeProfile)
    .optional()
    .describe('Active profiles: servers that name profiles run only with one of these; "*" stands for all.'),
  naming: z
    .strictObject({
      prefix: z
        .enum(['always', 'never'])
        .optional()
        .meta({ description: 'always: server__tool; never: original names, first server wins.', default: 'always' }),
    })
    .optional()
    .describe('How tools and prompts are named.'),
  strategy: z.enum(['one_for_one', 'rest_for_one']).optional().meta({
    description:
      'What becomes of the servers that depend on one that failed. one_for_one: nothing; rest_for_one: they are restarted after it.',
    default: 'one_for_one',
  }),
  stateDir: z
    .union([z.string().min(1, { error: stateDirError }), z.literal(false)], { error: stateDirError })
    .optional()
    .describe(
      'Folder for what outlives a run, such as the lists of the servers, relative to the folder of this file; false: nothing is written. Default: $XDG_STATE_HOME/onemcp, or ~/.local/state/onemcp.',
    ),
  instructions: z.enum(['off', 'names', 'full']).optional().meta({
    description:
      'What clients are told at initialize. off: nothing; names: the servers and the prefixes of their tools; full: also the instructions of each server.',
    default: 'full',
  }),
  health: z
    .strictObject({
      details: z.enum(['auto', 'full', 'minimal']).optional().meta({
        description:
          'What /health says of single servers. auto: everything to programs of this machine, only counts to others; full, minimal: the same to everybody.',
        default: 'auto',
      }),
    })
    .optional()
    .describe('What is told of the health of the gateway.'),
  features: z.strictObject(features()).optional().describe('Functions of the gateway that can be switched off.'),
  passthroughExtensions: z
    .record(z.string().min(1), z.string())
    .optional()
    .describe(
      'Extensions of the protocol that onemcp does not know, each with the name of the one server it goes to: both sides are told of the capability, and requests of clients whose method begins with the name of the extension and a slash are relayed.',
    ),
  ...limits({ alerts: { webhooks }, discovery: discoveryOptions, traces }),
  secrets: secretsSchema(limitsOfSecrets).optional().describe(`Where \${SECRET:name} is looked for.`),
});

/** The whole file. */
export const fileSchema = z.strictObject({
  $schema: z.string().optional().describe('Address of the JSON schema of this file, for editors.'),
  extends: z
    .union([z.string().min(1), z.array(z.string().min(1))])
    .optional()
    .describe('Files that this one is laid over, relative to its folder: objects are merged key by key, null takes a key away.'),
  mcpServers: z
    .record(z.string().min(1).max(LONGEST_NAME), serverSchema, {
      error: ({ code, input }) =>
        code === 'invalid_key'
          ? `a server name has 1 to ${LONGEST_NAME} characters`
          : `expected an object of servers by name, found ${kindOf(input)}`,
    })
    .describe('The MCP servers by name.'),
  serverDefaults: serverSchema
    .omit({ command: true, args: true, url: true, type: true, namespace: true, dependsOn: true })
    .optional()
    .describe('Options that every server has unless it says otherwise.'),
  gateway: gateway.optional().describe('Options of the gateway itself.'),
});

export type FileShape = z.infer<typeof fileSchema>;
export type ServerShape = z.infer<typeof serverSchema>;
export type WebhookShape = z.infer<typeof webhook>;
export type GatewayShape = z.infer<typeof gateway>;

/** The JSON schema of the file, for editors. It asks for no key: a file that is laid over others may leave out any. */
export function jsonSchema(): object {
  const {
    $schema,
    required: _,
    ...rest
  } = z.toJSONSchema(fileSchema, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ jsonSchema: node }) => {
      if (node.maximum === Number.MAX_SAFE_INTEGER) delete node.maximum;
    },
  });
  return { $schema, title: 'onemcp configuration', ...rest, allowTrailingCommas: true };
}
