#!/usr/bin/env node
import module from 'node:module';
import { tmpdir } from 'node:os';
import { isatty } from 'node:tty';
import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import type { AlertTestFlags, MuteFlags } from './cli/alert.ts';
import { clientCommands } from './cli/client/commands.ts';
import type { ControlFlags } from './cli/control.ts';
import type { ExplainFlags } from './cli/explain.ts';
import type { ImportFlags } from './cli/import.ts';
import type { InitFlags } from './cli/init.ts';
import type { ListFlags } from './cli/list.ts';
import type { LogsFlags } from './cli/logs.ts';
import { asOurRun, type OneMcpFlags, withCommand } from './cli/oneMcp.ts';
import type { OperateFlags } from './cli/operate.ts';
import type { PlanFlags } from './cli/plan.ts';
import type { ProcessPorts } from './cli/process.ts';
import type { RunFlags } from './cli/run.ts';
import type { AddFlags, FileFlags } from './cli/servers.ts';
import type { StatusFlags } from './cli/status.ts';
import { VERSION } from './cli/version.ts';
import { ALL_PROFILES, PROFILE } from './config/profiles.ts';
import { inUnit } from './config/units.ts';

// Newer Nodes keep compiled code between starts.
(module as { enableCompileCache?: () => void }).enableCompileCache?.();

const terminals = [0, 1, 2].filter((fd) => isatty(fd));
const hasLostTerminal = () => terminals.some((fd) => !isatty(fd));
/** SIGHUP asks for a reload, but for the one that a closed terminal sends: then nobody is there any more. */
const isFarewell = () => process.platform === 'win32' || hasLostTerminal();

/** Takes secrets out of what is said of an unexpected error, once there are some. */
let redact = (text: string) => text;

const ports: ProcessPorts = {
  env: process.env,
  cwd: process.cwd(),
  platform: process.platform,
  uid: process.getuid?.(),
  tmpdir: tmpdir(),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  onSignal(listener) {
    const hangup = () => isFarewell() && listener('SIGHUP');
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, listener);
    process.on('SIGHUP', hangup);
    return () => {
      for (const signal of ['SIGTERM', 'SIGINT'] as const) process.off(signal, listener);
      process.off('SIGHUP', hangup);
    };
  },
  onHangup(listener) {
    const hangup = () => isFarewell() || listener();
    process.on('SIGHUP', hangup);
    return () => process.off('SIGHUP', hangup);
  },
  hide(known) {
    redact = known;
  },
  exit: (code) => process.exit(code),
};

function portNumber(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new InvalidArgumentError('A port is a whole number from 0 to 65535.');
  return port;
}

function lineCount(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('It is a whole number from 0.');
  return Number(text);
}

function ordinal(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('It is a whole number from 1.');
  return Number(text);
}

/** Beyond it a Node.js timer fires at once. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** `30s` in milliseconds. */
function duration(text: string): number {
  const ms = inUnit(text, 'ms') ?? 0;
  if (ms > 0 && ms <= LONGEST_TIMER) return ms;
  throw new InvalidArgumentError('A duration is a number with a unit, such as 500ms, 30s or 5m; at most 596h.');
}

/** The configuration that is meant where no file is named. */
const FILE = process.env.ONEMCP_CONFIG || process.env.ONE_MCP_CONFIG || './mcp.json';

const program = new Command('onemcp')
  .description('One supervised MCP endpoint in front of all your MCP servers.')
  .version(VERSION)
  .showSuggestionAfterError()
  .showHelpAfterError('(onemcp --help shows all commands)')
  // Usage errors have an exit code of their own; help and --version are successes.
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2));

/** For every command that reads a configuration. The variable wins over it, as variables do. */
const overlay = () =>
  new Option('--env <name>', 'lay mcp.<name>.json over mcp.json; as ONEMCP_ENV does').argParser((name: string) => {
    process.env.ONEMCP_ENV ||= name;
    return name;
  });

/** An option that may be given more than once. */
const several = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

/** For commands for which it matters which servers run. The variable wins over it. */
const profile = () =>
  new Option('--profile <name>', 'run the servers of this profile, too; may be repeated').argParser(
    (name: string, before: readonly string[] | undefined) => {
      if (name === ALL_PROFILES || PROFILE.test(name)) return several(name, before);
      throw new InvalidArgumentError('A profile has 1 to 64 letters, digits, ".", "_" and "-"; "*" stands for all.');
    },
  );
interface ProfileFlags {
  readonly profile?: readonly string[] | undefined;
}
const withProfiles = <F extends object>({ profile: profiles, ...flags }: F & ProfileFlags) => ({ ...flags, profiles });

program
  .command('run')
  .alias('serve')
  .description('start the servers of a configuration and serve them as one')
  .argument('[file]', 'configuration file', FILE)
  .addOption(overlay())
  .addOption(profile())
  .option('-P, --port <number>', 'port to listen on (0: any free one)', portNumber)
  .option('-H, --host <address>', 'address to listen on')
  .option('--insecure-no-auth', 'allow an address that is not loopback, although there is no authentication')
  .option('--stdio', 'serve one client on stdin and stdout instead of a port')
  .option('--no-control', 'open no control socket: the commands that look at or operate the gateway do not find it')
  .option('--inspect [mode]', 'show every machine live at /inspect; "stately" bridges to the hosted Stately inspector')
  // Without defaults: those are below the environment and the file.
  .addOption(new Option('--log-format <format>', 'how logs are written to stderr (default: "pretty")').choices(['pretty', 'json']))
  .addOption(new Option('--log-level <level>', 'the least that is logged (default: "info")').choices(['error', 'warn', 'info', 'debug']))
  .option('--log-levels <tag=level,...>', 'levels of single tags, the first words of events, such as backend=debug,http=error')
  .option('--log-file <path>', 'write the log to this file, too, as JSON lines; rotated, and opened anew at SIGHUP')
  // Known from 1MCP.
  .addOption(new Option('-c, --config <file>').hideHelp())
  .addOption(new Option('-t, --transport <type>').choices(['stdio', 'http', 'sse']).hideHelp())
  .addOption(new Option('--enable-async-loading [value]').hideHelp())
  .addHelpText('after', '\nExample:\n  onemcp run mcp.json --port 3050\n')
  .action(async (_: string, given: RunFlags & OneMcpFlags & ProfileFlags, command: Command) => {
    const { files, flags } = asOurRun(command.args, withProfiles(given));
    const [file = FILE, another] = files;
    if (another !== undefined) command.error(`error: name one configuration file, not ${files.join(' and ')}`);
    if (typeof flags.inspect === 'string' && flags.inspect !== 'stately') command.error('error: --inspect takes nothing or "stately"');
    const { run } = await import('./cli/run.ts');
    await finish(() => run(file, flags, ports));
  });

program
  .command('check')
  .description('check a configuration without starting anything')
  .argument('[file]', 'configuration file', FILE)
  .addOption(overlay())
  .addOption(profile())
  .addHelpText('after', '\nExample:\n  onemcp check mcp.json\n')
  .action(async (file: string, flags: ProfileFlags) => {
    const { check } = await import('./cli/check.ts');
    await finish(() => check(file, ports, { profiles: flags.profile }));
  });

const alert = program.command('alert').description('look after the webhooks that are told of critical events');

alert
  .command('test')
  .description('send a test alert to the webhooks of a configuration; no gateway has to run')
  .argument('[file]', 'configuration file', FILE)
  .addOption(overlay())
  .option('--target <number>', 'only this one of the webhooks, counted from 1', ordinal)
  .addHelpText('after', '\nExample:\n  onemcp alert test mcp.json --target 1\n')
  .action(async (file: string, flags: AlertTestFlags) => {
    const { alertTest } = await import('./cli/alert.ts');
    await finish(() => alertTest(file, flags, ports));
  });

program
  .command('config')
  .description('look at the configuration')
  .command('explain')
  .description('show where the settings of the gateway come from, and what that hides')
  .argument('[key]', 'one of them, or the beginning of some, such as port or restart')
  .argument('[file]', 'configuration file', FILE)
  .addOption(overlay())
  .addOption(profile())
  .option('--all', 'also those that nobody has set')
  .option('--json', 'print JSON')
  .option('--port <number>', 'as for run', portNumber)
  .option('--host <address>', 'as for run')
  .option('--insecure-no-auth', 'as for run')
  .addHelpText('after', '\nExamples:\n  onemcp config explain\n  onemcp config explain restart.initial mcp.json\n')
  .action(async (key: string | undefined, file: string, flags: ExplainFlags & ProfileFlags) => {
    const { explain } = await import('./cli/explain.ts');
    await finish(() => explain({ key, file, flags: withProfiles(flags), ports }));
  });

/** A command for the configuration file itself; no gateway needs to run. */
const editor = (nameAndArguments: string, description: string, example: string) =>
  program
    .command(nameAndArguments)
    .description(description)
    .option('--file <file>', 'configuration file', FILE)
    .addHelpText('after', `\nExample:\n  onemcp ${example}\n`);

editor('init', 'write a configuration to begin with', 'init --import')
  .option('--yes', 'ask nothing')
  .option('--import', 'import the servers of Claude Desktop, Cursor, VS Code and 1MCP')
  .option('--port <number>', 'port to listen on', portNumber)
  .option('--force', 'replace a file that is there, keeping it beside the new one')
  .action(async (flags: InitFlags) => {
    const { init } = await import('./cli/init.ts');
    await finish(() => init({ flags, ports }));
  });

editor('import', 'take over the servers of another product', 'import cursor ~/.cursor/mcp.json')
  .addArgument(new Argument('<product>', 'whose file it is').choices(['claude', 'cursor', 'vscode', '1mcp'] as const))
  .argument('[path]', 'the file; default: where the product keeps it')
  .addOption(
    new Option('--on-conflict <what>', 'what becomes of a server whose name is taken').choices(['rename', 'fail']).default('rename'),
  )
  .option('--dry-run', 'print the result and change nothing')
  .action(async (product: 'claude' | 'cursor' | 'vscode' | '1mcp', path: string | undefined, flags: ImportFlags) => {
    const { importFrom } = await import('./cli/import.ts');
    await finish(() => importFrom({ product, path }, flags, ports));
  });

editor(
  'add <name> [command...]',
  'add a server: a program behind "--", or a --url',
  'add files -- npx -y @modelcontextprotocol/server-filesystem .',
)
  .option('--url <url>', 'address of a remote server')
  .addOption(new Option('--type <type>', 'transport of a remote server').choices(['http', 'sse']))
  .option('--header <name=value>', 'HTTP header for a remote server; may be repeated', several)
  .option('--env <name=value>', 'environment variable of the program; may be repeated', several)
  .option('--tag <tag>', 'word by which clients choose servers; may be repeated', several)
  .option('--force', 'replace a server of that name')
  .action(async (name: string, words: readonly string[], flags: AddFlags) => {
    const { add } = await import('./cli/servers.ts');
    await finish(() => add(name, words, { flags, ports }));
  });

const CHANGES = {
  remove: 'take a server out of the configuration',
  enable: 'use a server that is disabled',
  disable: 'keep a server in the configuration but do not use it',
} as const;

for (const [change, description] of Object.entries(CHANGES) as [keyof typeof CHANGES, string][]) {
  editor(`${change} <name>`, description, `${change} github`).action(async (name: string, flags: FileFlags) => {
    const servers = await import('./cli/servers.ts');
    await finish(() => servers[change](name, { flags, ports }));
  });
}

editor('list', 'show the servers of a configuration', 'list --json')
  .option('--json', 'print JSON')
  .addOption(overlay())
  .addOption(profile())
  .action(async (flags: ListFlags & ProfileFlags) => {
    const { list } = await import('./cli/list.ts');
    await finish(() => list({ flags: withProfiles(flags), ports }));
  });

/** A command for a gateway that runs already: it is found by the configuration that it serves. */
const operator = (nameAndArguments: string, description: string, example: string, parent = program) =>
  parent
    .command(nameAndArguments)
    .description(description)
    .argument('[file]', 'configuration file of the gateway', FILE)
    .addOption(overlay())
    .option('--socket <path>', 'control socket of the gateway, if its configuration does not lead to it')
    .option('--json', 'print JSON')
    .addHelpText('after', `\nExample:\n  onemcp ${example}\n`);

operator('status', 'show the running gateway and its servers', 'status --watch')
  .option('--watch', 'go on showing it as it changes')
  .action(async (file: string, flags: StatusFlags) => {
    const { status } = await import('./cli/status.ts');
    await finish(() => status({ file, flags, ports }));
  });

operator('why <name>', 'tell why a server is as it is, and what can be done', 'why github').action(
  async (name: string, file: string, flags: ControlFlags) => {
    const { why } = await import('./cli/why.ts');
    await finish(() => why(name, { file, flags, ports }));
  },
);

program
  .command('logs')
  .description('show what servers wrote to stderr')
  .argument('[name]', 'only of this server')
  .argument('[file]', 'configuration file of the gateway', FILE)
  .addOption(overlay())
  .option('-f, --follow', 'go on with what they write from now on')
  .option('-n, --lines <number>', 'lines of before that are shown (default: 100)', lineCount)
  .option('--socket <path>', 'control socket of the gateway, if its configuration does not lead to it')
  .option('--json', 'print a JSON object a line')
  .addHelpText('after', '\nExample:\n  onemcp logs github --follow\n')
  .action(async (name: string | undefined, file: string, flags: LogsFlags) => {
    const { logs } = await import('./cli/logs.ts');
    await finish(() => logs(name, { file, flags, ports }));
  });

const OPERATIONS = {
  start: 'start a server that is stopped, asleep or down',
  stop: 'stop a server until it is started again; its calls in flight may finish',
  restart: 'replace a server by a fresh start of it; its calls in flight may finish',
  drain: 'let new requests to a server wait, until it is resumed',
  resume: 'let the requests to a drained server go on',
} as const;

for (const [op, description] of Object.entries(OPERATIONS) as [keyof typeof OPERATIONS, string][]) {
  const command = operator(`${op} <name>`, description, op === 'drain' ? 'drain github --hold 30s' : `${op} github`);
  if (op === 'drain') command.option('--hold <duration>', 'resume by itself after this time', duration);
  else if (op !== 'resume') command.option('--no-wait', 'do not wait until it has happened');
  command.action(async (name: string, file: string, flags: OperateFlags) => {
    const { operate } = await import('./cli/operate.ts');
    await finish(() => operate(op, name, { file, flags, ports }));
  });
}

const MUTES = {
  mute: 'send no alerts about a server, the "configuration" or the "gateway" for a while',
  unmute: 'send alerts about it again',
} as const;

for (const [op, description] of Object.entries(MUTES) as [keyof typeof MUTES, string][]) {
  const command = operator(`${op} <name>`, description, `alert ${op} github${op === 'mute' ? ' --for 1h' : ''}`, alert);
  if (op === 'mute') command.option('--for <duration>', 'for how long (default: 1h)', duration);
  command.action(async (name: string, file: string, flags: MuteFlags) => {
    const { alertMute } = await import('./cli/alert.ts');
    await finish(() => alertMute(op, name, { file, flags, ports }));
  });
}

operator('reload', 'let the gateway read its configuration again', 'reload').action(async (file: string, flags: ControlFlags) => {
  const { reload } = await import('./cli/reload.ts');
  await finish(() => reload({ file, flags, ports }));
});

operator('plan', 'show what a reload of the configuration would change, and change nothing', 'plan --probe')
  .option('--probe', 'start the new and changed servers beside the running ones, to see which of their tools change')
  .addOption(profile())
  .action(async (file: string, flags: PlanFlags & ProfileFlags) => {
    const { plan } = await import('./cli/plan.ts');
    await finish(() => plan({ file, flags: withProfiles(flags), ports }));
  });

const secret = program
  .command('secret')
  .description(`keep secrets for \${SECRET:name} in an encrypted store; no command ever prints a value`);
const secretCommand = (nameAndArguments: string, description: string, example: string) =>
  secret
    .command(nameAndArguments)
    .description(description)
    .argument('[file]', 'configuration file that says where the state folder is', FILE)
    .addHelpText('after', `\nExample:\n  ${example}\n`);

secretCommand(
  'set <name>',
  'store a secret: what stdin says, or what is typed in without being shown',
  'onemcp secret set api-key < key.txt',
).action(async (name: string, file: string) => {
  const { setSecret } = await import('./cli/secret.ts');
  await finish(() => setSecret(name, { file, ports }));
});

secretCommand('list', 'show the names of the stored secrets, and when they were set', 'onemcp secret list')
  .option('--json', 'print JSON')
  .action(async (file: string, flags: { readonly json?: boolean }) => {
    const { listSecrets } = await import('./cli/secret.ts');
    await finish(() => listSecrets({ file, ports }, flags));
  });

secretCommand('rm <name>', 'remove a stored secret', 'onemcp secret rm api-key').action(async (name: string, file: string) => {
  const { removeSecret } = await import('./cli/secret.ts');
  await finish(() => removeSecret(name, { file, ports }));
});

clientCommands(program, { ports, finish, duration, file: FILE });

/** An exit would restore the settings of the terminal, which aborts the process when there is none any longer (Node 20). */
function leaveBySignal(): void {
  process.removeAllListeners('SIGHUP');
  process.kill(process.pid, 'SIGHUP');
}

/** The only place that ends the process. An unexpected error is a bug: it is shown whole. */
async function finish(command: () => Promise<number>): Promise<void> {
  let code = 1;
  try {
    code = await command();
  } catch (error) {
    process.stderr.write(`onemcp: unexpected error, please report it: ${redact((error as Error)?.stack ?? String(error))}\n`);
  }
  if (hasLostTerminal()) leaveBySignal();
  // stdout and stderr may be pipes that still hold text.
  await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((resolve) => stream.write('', resolve))));
  process.exit(code);
}

process.on('uncaughtException', (error) => {
  process.stderr.write(`onemcp: unexpected error, please report it: ${redact(error?.stack ?? String(error))}\n`);
  // The reaper ends whatever was started; a supervisor of ours starts us anew.
  process.exit(1);
});

await program.parseAsync(withCommand(process.argv.slice(2)), { from: 'user' });
