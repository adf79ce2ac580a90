/** Variables of 1MCP: what its users have set goes on working where it means the same here; of the rest they are told. */
import type { Issue } from './config.ts';
import { SETTINGS, variablesOf } from './settings.ts';

const PREFIX = 'ONE_MCP_';
const OFF: ReadonlySet<string> = new Set(['false', '0', '']);

/** Taken as they are, elsewhere: settings, and the file that is served. */
const SAME: ReadonlySet<string> = new Set([
  'ONE_MCP_CONFIG',
  ...SETTINGS.flatMap(variablesOf).filter((variable) => variable.startsWith(PREFIX)),
]);

/** What differs. `on`: said when it is on; `off`: when it is off; where nothing is said, it means the same. */
const DIFFERENT: Readonly<Record<string, { readonly on?: string; readonly off?: string }>> = {
  ONE_MCP_ENABLE_ASYNC_LOADING: { off: 'servers start in the background here; this is always on' },
  ONE_MCP_ENABLE_CONFIG_RELOAD: { off: 'the file is always watched here; an edit of it is applied' },
  ONE_MCP_ENABLE_ENV_SUBSTITUTION: { off: 'templates are always filled here; write $${ for a literal "${"' },
  ONE_MCP_ENABLE_CLIENT_NOTIFICATIONS: { off: 'clients are always told of changed lists here' },
  ONE_MCP_ENABLE_AUTH: { on: 'there is no authentication here yet; put something in front of the gateway that authenticates' },
  ONE_MCP_TRANSPORT: { on: 'not read here; write onemcp run --stdio, or leave it out for HTTP' },
  ONE_MCP_CONFIG_DIR: { on: 'not read here; name the file: onemcp run FILE, or ONEMCP_CONFIG' },
  ONE_MCP_LOG_FILE: { on: 'not read here: logs go to stderr; redirect it: onemcp run 2>FILE' },
  ONE_MCP_HEALTH_INFO_LEVEL: { on: 'not read here; set ONEMCP_HEALTH_DETAILS to auto, full or minimal' },
  ONE_MCP_SESSION_TTL: { on: 'not read here; set ONEMCP_SESSION_IDLE or ONEMCP_SESSION_ABSOLUTE, such as 24h' },
};

/** One note for each variable of 1MCP that is set and does something else here, or nothing. */
export function oneMcpNotes(env: Readonly<Record<string, string | undefined>>): Issue[] {
  return Object.entries(env).flatMap(([name, value]): Issue[] => {
    if (!name.startsWith(PREFIX) || SAME.has(name) || value === undefined) return [];
    const isOff = OFF.has(value.trim().toLowerCase());
    const { on, off } = Object.hasOwn(DIFFERENT, name) ? DIFFERENT[name]! : { on: 'a variable of 1MCP that onemcp does not read' };
    const message = isOff ? off : on;
    return message === undefined ? [] : [{ file: name, message }];
  });
}
