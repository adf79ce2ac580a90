import { resolve } from 'node:path';
import type { Issue } from '../config/config.ts';
import { formatIssue } from '../config/issue.ts';
import { OnemcpError } from '../errors.ts';
import { askControl, type ControlRequest } from '../io/controlClient.ts';
import { controlPaths } from '../io/controlSocket.ts';
import { escapeControls } from '../observe/escape.ts';
import { placeOf } from './place.ts';
import { EXIT, type ProcessPorts } from './process.ts';

export interface ControlFlags {
  /** Where the control socket is; default: found by the configuration file. */
  readonly socket?: string | undefined;
  readonly json?: boolean | undefined;
}

/** Which gateway is asked, and by whom. */
export interface Asking {
  /** The configuration file that it serves, as the user wrote it. */
  readonly file: string;
  readonly flags: ControlFlags;
  readonly ports: ProcessPorts;
}

/** Asks the gateway. @throws OnemcpError what it answered, or `connection_failed` when there is none */
export type Ask = <T>(request: ControlRequest) => Promise<T>;

/** Runs a command that needs the running gateway; what goes wrong is one sentence and exit code 1. */
export async function withGateway({ file, flags, ports }: Asking, command: (ask: Ask) => Promise<number>): Promise<number> {
  try {
    const sockets = await socketsOf({ file, flags, ports });
    return await command((request) => ask(sockets, request, resolve(ports.cwd, file)));
  } catch (error) {
    return explainFailure(error, ports);
  }
}

/** Says what went wrong, and gives the exit code of it. @throws whatever is no error of ours */
export function explainFailure(error: unknown, { stderr }: Pick<ProcessPorts, 'stderr'>): number {
  if (!(error instanceof OnemcpError)) throw error;
  for (const issue of (error.data?.issues ?? []) as readonly Issue[]) say(stderr, formatIssue(issue));
  say(stderr, `onemcp: ${error.message}`);
  return EXIT.failed;
}

/** Text of others must not command the terminal; line ends are ours. */
export const say = (stream: ProcessPorts['stderr'], text: string): void =>
  void stream.write(`${text.split('\n').map(escapeControls).join('\n')}\n`);

/** Where the gateway of a file may be found. The file is only looked at: it may be broken, or gone. */
export async function socketsOf({ file, flags, ports }: Asking): Promise<readonly string[]> {
  const { cwd } = ports;
  if (flags.socket !== undefined) return [resolve(cwd, flags.socket)];
  const { path, stateDir } = await placeOf(file, ports);
  return controlPaths({ ...ports, file: path, stateDir });
}

/** Asks the gateway at one of these sockets. @param file absolute path of its configuration */
export async function ask<T>(sockets: readonly string[], request: ControlRequest, file: string): Promise<T> {
  const { status, body } = await askControl(sockets, request).catch((error: unknown) => {
    throw withAdvice(error, file);
  });
  if (status < 400) return body as T;
  const { code, message, issues } = body as { code: OnemcpError['code']; message: string; issues?: readonly Issue[] };
  throw new OnemcpError(code, message, issues && { issues });
}

/** An error that says that no gateway runs also says how to start one. */
export const withAdvice = (error: unknown, file: string): unknown =>
  isAbsent(error)
    ? new OnemcpError(error.code, `no gateway runs for ${file} (${error.message}); start one: onemcp run ${file}`, error.data)
    : error;

/** Whether an error says that no gateway runs. */
export const isAbsent = (error: unknown): error is OnemcpError => error instanceof OnemcpError && error.data?.reason === 'no-gateway';
