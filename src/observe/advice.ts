import type { BackendSpec } from '../config/config.ts';
import type { ErrorCode, OnemcpError } from '../errors.ts';
import type { BackendView } from '../world.ts';

export interface AdviceFacts {
  readonly view: BackendView;
  readonly spec: BackendSpec | undefined;
}

/** What a human can do about a backend as it is now: one paragraph. Nothing, if there is nothing to do. */
export function advice({ view, spec }: AdviceFacts): string {
  const { name, held, waitsFor, next, asleep, state } = view;
  const parts = [
    held && `An operator keeps requests from it. Let them go on with: onemcp resume ${name}`,
    waitsFor.length > 0 &&
      `It starts as soon as ${names(waitsFor)} ${waitsFor.length === 1 ? 'is' : 'are'} connected; look there first: onemcp why ${waitsFor[0]}`,
    next?.lastError &&
      `The old one goes on serving while its successor fails. ${adviceFor(next.lastError, { view, spec })} To give the change up, undo it in the configuration.`,
    asleep && `It sleeps until the first request needs it. Start it now with: onemcp start ${name}`,
    state === 'stopped' && !asleep && `It is stopped and stays so. Start it with: onemcp start ${name}`,
    isDown(view) && view.lastError && adviceFor(view.lastError, { view, spec }),
    state === 'failed' && `It is only probed now and then. When the cause is gone, do not wait: onemcp restart ${name}`,
  ];
  return parts.filter(Boolean).join(' ');
}

const isDown = ({ state }: BackendView): boolean =>
  state === 'error' || state === 'retrying' || state === 'failed' || state === 'starting' || state === 'idle';

/** What to do about an error of a backend, by its code. */
export const adviceFor = (error: OnemcpError, facts: AdviceFacts): string => BY_CODE[error.code](error, facts);

type Advise = (error: OnemcpError, facts: AdviceFacts) => string;

const byHand: Advise = (_, { spec }) =>
  spec?.kind === 'stdio'
    ? `Run it by hand to see what it says: ${commandLine(spec)}`
    : 'Look at the log of that server, and at its url in the configuration.';

const bug: Advise = () => 'This should not happen: please report it with the log of the gateway.';
const transient: Advise = () => 'Nothing needs to be done: it passes by itself.';

/** One row a code. The first part can be the last error of a backend, the second part never should be. */
const BY_CODE: Readonly<Record<ErrorCode, Advise>> = {
  spawn_failed: ({ cause }, { spec }) => {
    if (spec?.kind !== 'stdio') return 'Install its command, or write its absolute path.';
    const command = String(spec.command);
    if ((cause as { code?: unknown } | undefined)?.code !== 'ENOENT')
      return `See whether the gateway's user may run it: ${commandLine(spec)}`;
    return `Install "${command}", or write its absolute path as "command" (shown by: which ${quoted(command)}). The gateway looks in its own PATH, which may differ from yours, and starts it in ${spec.cwd}, which has to exist.`;
  },
  backend_exited: (error, facts) => {
    const { exitCode, signal } = error.data ?? {};
    if (signal === 'SIGKILL')
      return `Something killed it, often for lack of memory (see dmesg, or the log of your system). ${byHand(error, facts)}`;
    if (exitCode === 0)
      return `It ended by itself without an error: an MCP server has to stay until its stdin ends. ${byHand(error, facts)}`;
    if (exitCode === 127) return `Its command runs another that is not installed. ${byHand(error, facts)}`;
    return `Its last lines on stderr say why it ended. ${byHand(error, facts)}`;
  },
  timeout: (error, { view, spec }) => {
    const option = view.connects === 0 && spec?.kind === 'stdio' ? '"startTimeout" or "installTimeout"' : '"startTimeout"';
    return `If it is only slow, raise ${option} of this server; if it hangs: ${byHand(error, { view, spec })}`;
  },
  unresponsive: (error, facts) =>
    `It no longer answered and was killed; it probably hangs. A debugger or its own log has to say where. ${byHand(error, facts)}`,
  memory_exceeded: () => 'It used more memory than "maxMemory" of this server allows and is replaced; raise that, or find its leak.',
  connection_failed: ({ data }, { view }) => {
    if (data?.reason === 'tls')
      return 'Its certificate is not trusted: check the url, or name your authority in NODE_EXTRA_CA_CERTS for the gateway.';
    if (data?.reason === 'dns') return 'Its host name is unknown: check the url in the configuration, and the network.';
    return view.kind === 'remote'
      ? 'Check that it runs and that the url in the configuration is right: curl should reach it from this machine.'
      : 'Check that it runs.';
  },
  http_status: ({ data }) => {
    const status = Number(data?.status);
    if (status === 401 || status === 403)
      return 'It wants other credentials: check "headers" of this server, and that the token in them is valid; then: onemcp reload';
    if (status === 404) return 'Nothing is at this address: check the path of its "url", often /mcp or /sse.';
    if (data?.reason === 'redirect')
      return 'Write the final address as its "url": redirects are not followed, for credentials would go along.';
    if (status === 429) return 'It is asked too often; the gateway waits as long as it says.';
    return status >= 500 ? 'The fault is on its side: look at its log.' : 'Check its "url" and "headers" in the configuration.';
  },
  unauthorized: () => 'It wants other credentials: check "headers" of this server in the configuration.',
  session_lost: () => 'It forgot its session, most likely because it was restarted; it gets a new one by itself.',
  unsupported_version: () => 'It speaks a version of MCP that onemcp does not know: update it, or onemcp.',
  invalid_response: (error, facts) =>
    error.data?.reason === 'web-page'
      ? 'A web page is at this address: check the path of its "url", often /mcp or /sse.'
      : error.data?.reason === 'init-error'
        ? `It refused to start a session; what it said is in the error. ${byHand(error, facts)}`
        : `What it answers is not MCP: check that this is an MCP server and up to date. ${byHand(error, facts)}`,
  message_too_large: () =>
    'It sends more than is accepted: make its answers smaller, or raise "message.maxBytes" or "message.fatalBytes" of the gateway.',
  backend_unavailable: transient,
  cancelled: transient,
  shutting_down: transient,
  draining: transient,
  busy: () => 'It has more to do than it can: wait, or raise "maxConcurrency" or "maxQueue" of this server.',
  internal: bug,

  invalid_config: () => 'Correct the configuration: onemcp check',
  port_in_use: bug,
  parse_error: bug,
  invalid_request: bug,
  unknown_method: bug,
  invalid_params: bug,
  unknown_tool: bug,
  unknown_prompt: bug,
  unknown_resource: bug,
  unknown_server: bug,
  forbidden_host: bug,
  forbidden_origin: bug,
  unknown_session: bug,
  missing_session: bug,
  not_acceptable: bug,
  unsupported_media_type: bug,
  body_too_large: bug,
  method_not_allowed: bug,
};

/** What to type to run a program as the gateway does. Values of its environment may be secret: none is shown. */
export function commandLine({ command, args, env, cwd }: Extract<BackendSpec, { kind: 'stdio' }>): string {
  const variables = Object.keys(env).map((key) => `${key}=***`);
  return [`cd ${quoted(cwd)} &&`, ...variables, ...[command, ...args].map((word) => quoted(String(word)))].join(' ');
}

/** For a POSIX shell. */
const quoted = (word: string): string => (/^[\w@%+=:,./*-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

const names = (list: readonly string[]): string => list.map((name) => `"${name}"`).join(', ');
