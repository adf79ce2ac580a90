import type { StatusDocument } from '../observe/status.ts';
import { changeLine, statusText } from '../observe/table.ts';
import { type Ask, type Asking, type ControlFlags, isAbsent, say, withGateway } from './control.ts';
import { EXIT } from './process.ts';
import { pause, untilSignal } from './untilSignal.ts';

export interface StatusFlags extends ControlFlags {
  readonly watch?: boolean | undefined;
}

/** Milliseconds between two looks of `--watch`. */
const INTERVAL = 1_000;

/** `onemcp status [FILE]`: how the gateway and its servers are, once or until a signal. */
export async function status(asking: Asking & { readonly flags: StatusFlags }): Promise<number> {
  const { flags, ports } = asking;
  return withGateway(asking, async (ask) => {
    if (flags.watch) return watch(ask, asking);
    const document = await read(ask);
    say(ports.stdout, flags.json ? JSON.stringify(document, null, 2) : statusText(document));
    return EXIT.ok;
  });
}

const read = (ask: Ask, signal?: AbortSignal): Promise<StatusDocument> => ask({ method: 'GET', path: '/status', signal });

/** A gateway that goes away is waited for: it may be restarted. */
async function watch(ask: Ask, { flags, ports }: Asking & { readonly flags: StatusFlags }): Promise<number> {
  const { signal, dispose } = untilSignal(ports);
  const show = flags.json ? jsonWatcher(ports.stdout) : ports.stdout.isTTY ? screen(ports.stdout) : lineWatcher(ports.stdout);
  try {
    for (let first = true; !signal.aborted; first = false) {
      const document = await read(ask, signal).catch((error: unknown) => {
        if (signal.aborted || (!first && isAbsent(error))) return undefined;
        throw error;
      });
      if (!signal.aborted) show(document);
      await pause(INTERVAL, signal);
    }
  } finally {
    dispose();
  }
  return EXIT.ok;
}

/** Shows what was read; undefined: no gateway is there. */
type Show = (document: StatusDocument | undefined) => void;
type Out = Asking['ports']['stdout'];

const GONE = 'the gateway has gone; waiting for it';

/** Draws over what it drew before, so that nothing flickers. */
const screen =
  (out: Out): Show =>
  (document) => {
    const lines = (document ? statusText(document) : GONE).split('\n');
    out.write(`\u001b[H${lines.map((line) => `${line}\u001b[K`).join('\r\n')}\r\n\u001b[J`);
  };

/** The table, then a line for each change. */
function lineWatcher(out: Out): Show {
  let seen: ReadonlyMap<string, number> | undefined;
  let gone = false;
  return (document) => {
    if (!document) {
      if (!gone) say(out, GONE);
      gone = true;
      seen = undefined;
      return;
    }
    gone = false;
    if (!seen) say(out, statusText(document));
    for (const { name, changes, recent } of seen ? document.servers : []) {
      const fresh = changes - (seen?.get(name) ?? 0);
      if (fresh > recent.length) say(out, `${name}: ${fresh - recent.length} changes more`);
      for (const change of fresh > 0 ? recent.slice(-fresh) : []) say(out, changeLine(name, change));
    }
    seen = new Map(document.servers.map(({ name, changes }) => [name, changes]));
  };
}

/** A document on one line whenever something but the time has changed. */
function jsonWatcher(out: Out): Show {
  let last = '';
  return (document) => {
    const text = JSON.stringify(document && { ...document, timestamp: '' });
    if (document && text !== last) say(out, JSON.stringify(document));
    last = text;
  };
}
