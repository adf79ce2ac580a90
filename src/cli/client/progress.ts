import { escapeControls } from '../../observe/escape.ts';
import type { Json } from '../../world.ts';
import type { Output } from '../process.ts';
import { cut } from './print.ts';

export interface ProgressLine {
  /** Params of a `notifications/progress`. */
  readonly show: (params: Json) => void;
  /** Removes the line. */
  readonly end: () => void;
}

/** Milliseconds between two looks at the clock; what is done before the first shows nothing. */
const TICK = 1_000;
const CLEAR = '\r\u001b[K';

/** One line on a terminal that says how far something is; nothing anywhere else. */
export function progressLine(out: Output, what: string): ProgressLine {
  if (!out.isTTY) return { show: () => {}, end: () => {} };
  const began = performance.now();
  let latest: Json | undefined;
  let drawn = false;
  const draw = () => {
    drawn = true;
    const seconds = Math.floor((performance.now() - began) / 1000);
    const text = [what, `${seconds}s`, latest && progressText(latest)].filter(Boolean).join('  ');
    out.write(`${CLEAR}${cut(escapeControls(text), (out.columns || 80) - 1)}`);
  };
  const timer = setInterval(draw, TICK);
  return {
    show(params) {
      latest = params;
      draw();
    },
    end() {
      clearInterval(timer);
      if (drawn) out.write(CLEAR);
    },
  };
}

/** `3/10 (30 %) reading`. MCP basic/utilities/progress. */
export function progressText({ progress, total, message }: Json): string {
  const share =
    typeof progress === 'number' && typeof total === 'number' && total > 0 ? ` (${Math.round((100 * progress) / total)} %)` : '';
  const count = typeof progress === 'number' ? `${progress}${typeof total === 'number' ? `/${total}` : ''}${share}` : '';
  return [count, typeof message === 'string' ? message : ''].filter(Boolean).join(' ');
}
