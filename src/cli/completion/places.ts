import type { Command, Option } from 'commander';

/** What can follow a command. */
export interface Place {
  /** The words of the command, each after a blank; empty for the program itself. */
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly Flag[];
  /** What the first argument is: the name of a server, or one of some words. */
  readonly argument: 'server' | readonly string[] | undefined;
}

export interface Flag {
  /** `--port`, and `-h` where there is a short one. */
  readonly names: readonly string[];
  readonly description: string;
  /** Undefined: it takes no value. */
  readonly value: 'any' | 'server' | readonly string[] | undefined;
}

/** Commands whose first argument is a server of the configuration. */
const OF_A_SERVER: ReadonlySet<string> = new Set([
  ...['why', 'start', 'stop', 'restart', 'drain', 'resume'],
  ...['remove', 'enable', 'disable', 'logs', 'login', 'logout'],
]);

/** Every command of a program, those in others too, as far as help shows them. */
export function placesOf(command: Command, path = ''): readonly Place[] {
  const help = command.createHelp();
  const commands = help.visibleCommands(command);
  const own: Place = {
    path,
    commands: commands.map((sub) => ({ name: sub.name(), description: sub.description() })),
    options: help.visibleOptions(command).map(flagOf),
    argument: argumentOf(command, path),
  };
  return [own, ...command.commands.filter((sub) => commands.includes(sub)).flatMap((sub) => placesOf(sub, `${path} ${sub.name()}`))];
}

function argumentOf(command: Command, path: string): Place['argument'] {
  if (path === ' completion') return ['bash', 'zsh', 'fish'];
  return OF_A_SERVER.has(path.slice(1)) ? 'server' : command.registeredArguments[0]?.argChoices;
}

function flagOf({ long, short, description, required, optional, argChoices }: Option): Flag {
  const names = [long, short].filter((name) => name !== undefined && name !== null);
  const takes = required || optional;
  const value = argChoices ?? (long === '--server' ? 'server' : 'any');
  return { names, description, value: takes ? value : undefined };
}

/** Places with the words that lead to them from others: all but the program itself. */
export const inner = (places: readonly Place[]): readonly Place[] => places.filter(({ path }) => path !== '');

/** A text in single quotes for bash and zsh. */
export const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
