/** Outlets in memory, whose other side is played by the test. */
import type { Outlet, Payload, Sink } from '../../src/http/outlet.ts';

export interface FakeSink extends Sink {
  queued: number;
  ended: number;
  dropped: number;
}

/** An outlet whose other side reads nothing unless `queued` is set back. */
const textOf = (payload: Payload): string => (typeof payload === 'string' ? payload : Buffer.from(payload).toString());

export function fakeOutlet() {
  const written: string[] = [];
  const sink: FakeSink = {
    write(payload) {
      written.push(textOf(payload));
      sink.queued += payload.length;
    },
    queued: 0,
    ended: 0,
    dropped: 0,
    end: () => void sink.ended++,
    drop: () => void sink.dropped++,
    onClose: undefined,
    onDrain: undefined,
  };
  const outlet: Outlet = { whole: () => {}, stream: () => sink, isGone: () => false };
  return { outlet, sink, written };
}

/** One event of a stream. */
export interface Event {
  readonly id: string | undefined;
  readonly event: string | undefined;
  readonly retry: string | undefined;
  readonly data: string | undefined;
}

/** The events in a text; comments are left out. */
export function eventsIn(text: string): Event[] {
  const blocks = text.split('\n\n').filter((block) => block !== '' && !block.startsWith(':'));
  return blocks.map((block) => {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1];
    return { id: field('id'), event: field('event'), retry: field('retry'), data: field('data') };
  });
}

/** A client that reads at once, on a connection that the test may cut. */
export function reader() {
  const { outlet, sink } = fakeOutlet();
  let text = '';
  let lost = false;
  sink.write = (more) => {
    if (!lost) text += textOf(more);
  };
  const end = sink.end;
  sink.end = () => {
    end();
    sink.onClose?.(true);
  };
  return {
    outlet,
    sink,
    get events() {
      return eventsIn(text);
    },
    /** The data of its events, parsed, without the priming event. */
    get messages() {
      return eventsIn(text)
        .map(({ data }) => data)
        .filter((data) => data !== undefined && data !== '')
        .map((data) => JSON.parse(data as string) as { method?: string; params?: Record<string, unknown>; id?: unknown });
    },
    get lastId() {
      return eventsIn(text).findLast(({ id }) => id)?.id;
    },
    get isOpen() {
      return !lost && sink.ended === 0;
    },
    /** What is written from now on gets lost, though nobody has noticed yet. */
    stall() {
      lost = true;
    },
    /** The connection breaks. */
    cut() {
      lost = true;
      sink.onClose?.(false);
    },
  };
}
