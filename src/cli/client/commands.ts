import type { Command } from 'commander';
import type { ProcessPorts } from '../process.ts';
import type { CallFlags } from './call.ts';
import type { ListCommand, ListFlags } from './list.ts';

/** What the commands need of `main.ts`. */
export interface CommandPorts {
  readonly ports: ProcessPorts;
  /** Runs a command and ends the process with its exit code. */
  readonly finish: (command: () => Promise<number>) => Promise<void>;
  /** `30s` in milliseconds. @throws InvalidArgumentError */
  readonly duration: (text: string) => number;
}

const LISTS: Readonly<Record<ListCommand, string>> = {
  tools: 'list the tools of all servers, as clients see them',
  prompts: 'list the prompts of all servers and their arguments',
  resources: 'list the resources and resource templates of all servers',
};

const EXITS = '\nExit codes: 0 done, 1 no gateway runs or it answered with an error, 2 the command line is wrong, 130 interrupted';
const CALL_EXITS = EXITS.replace(', 130', ', 3 the tool says that it failed, 130');

const DEFAULT_FILE = './mcp.json';

/** The commands that use a running gateway as its client. */
export function clientCommands(program: Command, common: CommandPorts): void {
  for (const [what, description] of Object.entries(LISTS) as [ListCommand, string][]) listCommand(program, { what, description }, common);
  callCommands(program, common);
  completionCommands(program, common);
}

function listCommand(program: Command, { what, description }: { what: ListCommand; description: string }, common: CommandPorts): void {
  const command = program
    .command(what)
    .description(description)
    .argument('[file]', 'configuration file of the gateway', DEFAULT_FILE)
    .option('--server <name>', 'only those of this server')
    .option('--json', 'print them as the gateway lists them')
    .addHelpText('after', `\nExamples:\n  onemcp ${what}\n  onemcp ${what} --server github --json\n${EXITS}\n`)
    .action(async (file: string, flags: ListFlags) => {
      const { list } = await import('./list.ts');
      await common.finish(() => list(what, { file, flags, ports: common.ports }));
    });
  endpoint(command, common);
}

function callCommands(program: Command, common: CommandPorts): void {
  const { ports, finish } = common;
  const visiting = ({ file, ...flags }: CallFlags & { readonly file: string }) => ({ file, flags, ports });
  type Flags = Parameters<typeof visiting>[0];

  asking(program.command('call <tool> [arguments...]').description('call a tool and print its result'), common)
    .option('--args <json>', 'its arguments as a JSON object, as @FILE, or as - for stdin; key=value goes over them')
    .option('--output <file>', 'save images, audio and other files of the result; - is stdout')
    .addHelpText(
      'after',
      `
TOOL is server/tool, the exposed server__tool, or a name that only one server has. Values are converted as the tool wants them:
texts need no quotes, a list is given by its key several times or as JSON, an object as JSON.

Examples:
  onemcp call github/search_issues query=crash labels=bug labels=ui limit=5
  onemcp call github/search_issues --args '{"query":"crash","limit":5}' --json
${CALL_EXITS}
`,
    )
    .action(async (tool: string, texts: string[], flags: Flags) => {
      const { call } = await import('./call.ts');
      await finish(() => call(tool, texts, visiting(flags)));
    });

  asking(program.command('get-prompt <prompt> [arguments...]').description('print the messages of a prompt'), common)
    .option('--args <json>', 'its arguments as a JSON object, as @FILE, or as - for stdin; key=value goes over them')
    .addHelpText('after', `\nExample:\n  onemcp get-prompt github/review number=17\n${EXITS}\n`)
    .action(async (prompt: string, texts: string[], flags: Flags) => {
      const { getPrompt } = await import('./call.ts');
      await finish(() => getPrompt(prompt, texts, visiting(flags)));
    });

  asking(program.command('read <uri>').description('print the contents of a resource'), common)
    .option('--output <file>', 'save the contents; - is stdout')
    .addHelpText('after', `\nExamples:\n  onemcp read db://shop/orders/17\n  onemcp read db://shop/logo --output logo.png\n${EXITS}\n`)
    .action(async (uri: string, flags: Flags) => {
      const { read } = await import('./read.ts');
      await finish(() => read(uri, visiting(flags)));
    });
}

const asking = (command: Command, common: CommandPorts): Command =>
  endpoint(
    command.option('--file <file>', 'configuration file of the gateway', DEFAULT_FILE).option('--json', 'print the whole result as JSON'),
    common,
  );

/** Where the gateway is, and how long it may take. */
function endpoint(command: Command, { duration }: CommandPorts): Command {
  return command
    .option('--timeout <duration>', 'cancel what takes longer', duration)
    .option('--socket <path>', 'control socket of the gateway, if its configuration does not lead to it')
    .option('--url <address>', 'an MCP endpoint instead, such as http://127.0.0.1:3050/mcp')
    .option('--header <header>', 'a header for it, "Name: value"; may be given several times', (value: string, before: string[] = []) => [
      ...before,
      value,
    ]);
}

function completionCommands(program: Command, { ports, finish }: CommandPorts): void {
  program
    .command('completion')
    .description('print a script that lets a shell complete commands, options and names of servers')
    .argument('<shell>', 'bash, zsh or fish')
    .addHelpText(
      'after',
      `
Examples:
  onemcp completion bash > ~/.local/share/bash-completion/completions/onemcp
  onemcp completion zsh > "$fpath[1]/_onemcp"
  onemcp completion fish > ~/.config/fish/completions/onemcp.fish

Exit codes: 0 done, 2 the command line is wrong
`,
    )
    .action(async (shell: string) => {
      const { completion } = await import('../completion.ts');
      await finish(async () => completion(shell, program, ports));
    });
  program
    .command('completion-names', { hidden: true })
    .argument('[file]', 'configuration file', DEFAULT_FILE)
    .action(async (file: string) => {
      const { completionNames } = await import('../completionNames.ts');
      await finish(() => completionNames(file, ports));
    });
}
