import type { LogsAnswer } from '../http/controlOps.ts';
import { type Asking, type ControlFlags, isAbsent, say, withGateway } from './control.ts';
import { EXIT } from './process.ts';
import { pause, untilSignal } from './untilSignal.ts';

export interface LogsFlags extends ControlFlags {
  readonly follow?: boolean | undefined;
  /** Shown of what was written before. */
  readonly lines?: number | undefined;
}

interface LogsAsking extends Asking {
  readonly flags: LogsFlags;
}

/** Milliseconds between two looks at a gateway that is followed. */
const INTERVAL = 300;
const LINES = 100;
/** New lines that are fetched in one look; a server that writes more than that has its older ones left out. */
const MOST_NEW = 10_000;

/** `onemcp logs [NAME] [FILE]`: what servers wrote to stderr; with `--follow` until Ctrl-C, or until the gateway has gone. */
export async function logs(name: string | undefined, asking: LogsAsking): Promise<number> {
  const { flags, ports } = asking;
  return withGateway(asking, async (ask) => {
    const read = (after: number, most: number) => {
      const query = new URLSearchParams({ after: String(after), lines: String(most), ...(name !== undefined && { server: name }) });
      return ask<LogsAnswer>({ method: 'GET', path: `/logs?${query}` });
    };
    const show = ({ lines }: LogsAnswer) => {
      for (const line of lines) say(ports.stdout, flags.json ? JSON.stringify(line) : textOf(line, name === undefined));
    };
    let answer = await read(0, flags.lines ?? LINES);
    show(answer);
    if (!flags.follow) return EXIT.ok;
    const { signal, dispose } = untilSignal(ports);
    try {
      for (await pause(INTERVAL, signal); !signal.aborted; await pause(INTERVAL, signal)) {
        answer = await read(answer.last, MOST_NEW);
        show(answer);
      }
    } catch (error) {
      if (!isAbsent(error)) throw error;
      say(ports.stderr, 'the gateway has gone');
    } finally {
      dispose();
    }
    return EXIT.ok;
  });
}

const textOf = ({ ts, server, line }: LogsAnswer['lines'][number], withName: boolean): string =>
  `${new Date(ts).toTimeString().slice(0, 8)} ${withName ? `${server}: ` : ''}${line}`;
