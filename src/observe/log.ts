import type { Writable } from 'node:stream';
import { type ConsolaInstance, createConsola, type LogObject } from 'consola';
import { mapTexts } from '../json.ts';
import { escapeControls } from './escape.ts';

export { escapeControls };

export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export const LOG_FORMATS = ['pretty', 'json'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** One line worth reading: a stable dotted event name and plain fields. */
export type Log = (level: LogLevel, event: string, fields?: Readonly<Record<string, unknown>>) => void;

export interface LogOptions {
  readonly format: LogFormat;
  readonly level: LogLevel;
  /** Of single tags: the first words of events. */
  readonly levels?: Readonly<Record<string, LogLevel>> | undefined;
  /** Gets every line, too, as JSON whatever the format of the stream is. */
  readonly file?: ((line: string) => void) | undefined;
  /** Always stderr in the product: stdout belongs to JSON-RPC. */
  readonly stream: Writable;
  readonly colors: boolean;
  /** Replaces every known secret with `***`. */
  readonly redact: (text: string) => string;
}

export interface Logger {
  readonly log: Log;
  /** Text for people only, such as the table at the start; left out of JSON logs. */
  readonly print: (text: string) => void;
}

const CONSOLA_LEVELS: Readonly<Record<LogLevel, number>> = { error: 0, warn: 1, info: 3, debug: 4 };

/** Bytes that may wait for a log pipe that nobody reads; beyond, lines are dropped and counted. */
const MAX_QUEUED = 1024 * 1024;

/** The one place that writes to a stream: consola as the face, one line an event, secrets and terminal escapes removed. */
export function createLogger({ format, level, levels = {}, file, stream, colors, redact }: LogOptions): Logger {
  let dropped = 0;
  stream.on('error', () => {}); // a closed log pipe must not end the gateway

  const write = (line: string) => {
    if (stream.writableLength > MAX_QUEUED) return void dropped++;
    if (dropped > 0) {
      stream.write(
        `${format === 'json' ? JSON.stringify({ ts: new Date().toISOString(), level: 'warn', event: 'log.dropped', lines: dropped }) : `${dropped} log lines were dropped`}\n`,
      );
      dropped = 0;
    }
    stream.write(`${line}\n`);
  };
  const json = jsonLine(redact);
  const line = format === 'json' ? json : prettyLine(colors, redact);
  const consola: ConsolaInstance = createConsola({
    level: Math.max(CONSOLA_LEVELS[level], ...Object.values(levels).map((other) => CONSOLA_LEVELS[other])),
    throttle: 0,
    reporters: [
      {
        log(entry) {
          const text = line(entry);
          write(text);
          file?.(format === 'json' ? text : json(entry));
        },
      },
    ],
  });

  return {
    log(at, event, fields = {}) {
      if (CONSOLA_LEVELS[at] <= CONSOLA_LEVELS[levels[tagOf(event)] ?? level]) consola[at](event, fields);
    },
    print: (text) => {
      if (format === 'pretty' && CONSOLA_LEVELS[level] >= CONSOLA_LEVELS.info) for (const row of redact(text).split('\n')) write(row);
    },
  };
}

const tagOf = (event: string): string => event.split('.', 1)[0] as string;

type Fields = Readonly<Record<string, unknown>>;

const partsOf = ({ args }: LogObject): [event: string, fields: Fields] => {
  const [event, fields] = args as [string, Fields | undefined];
  return [event, fields ?? {}];
};

/** Each text for itself: to replace a part of the whole line might break its JSON. */
function jsonLine(redact: (text: string) => string): (entry: LogObject) => string {
  return (entry) => {
    const [event, fields] = partsOf(entry);
    const clean = mapTexts({ event, ...fields }, redact) as Fields;
    return escapeControls(JSON.stringify({ ts: entry.date.toISOString(), level: entry.type, ...clean }));
  };
}

const ICONS: Readonly<Record<string, readonly [icon: string, color: number]>> = {
  error: ['✖', 31],
  warn: ['⚠', 33],
  info: ['●', 36],
  debug: ['·', 90],
};

function prettyLine(colors: boolean, redact: (text: string) => string): (entry: LogObject) => string {
  // In this order: an escaped secret would no longer be recognised.
  const clean = (text: string) => escapeControls(redact(text));
  const paint = (code: number, text: string) => (colors ? `\u001b[${code}m${text}\u001b[0m` : text);
  return (entry) => {
    // The text names the backend already, so its field is left to machines.
    const [event, { message, backend, line, ...fields }] = partsOf(entry);
    const [icon, color] = ICONS[entry.type] ?? ['●', 36];
    const time = entry.date.toTimeString().slice(0, 8);
    const rest = Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .map(
        ([key, value]) =>
          `${key}=${typeof value === 'string' && /^[\w./:@-]+$/.test(value) ? value : JSON.stringify(mapTexts(value, redact))}`,
      );
    const about = backend === undefined ? event : `${backend}: ${line ?? event}`;
    const text = message === undefined ? about : String(message);
    return `${paint(90, time)} ${paint(color, icon)} ${clean(text)}${rest.length > 0 ? ` ${paint(90, clean(rest.join(' ')))}` : ''}`;
  };
}
