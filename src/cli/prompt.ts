import type { Readable } from 'node:stream';
import type { ProcessPorts } from './process.ts';

/** All that a stream says. @throws Error when it is more than `maxBytes`, or no text */
export async function readAll(stream: Readable, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream) {
    length += (chunk as Uint8Array).length;
    if (length > maxBytes) throw new Error('the value is too large; nothing was stored');
    chunks.push(chunk as Uint8Array);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new Error('the value is not UTF-8 text; encode it, for instance as base64');
  }
}

/** Asks for one line at the terminal without showing it. Undefined: the person gave up (Ctrl-C, Ctrl-D). */
export function askHidden(question: string, { stdin, stderr }: Pick<ProcessPorts, 'stdin' | 'stderr'>): Promise<string | undefined> {
  return new Promise((resolve) => {
    let line = '';
    const done = (answer: string | undefined) => {
      stdin.off('data', onData);
      stdin.off('end', onEnd);
      stdin.pause();
      stdin.setRawMode?.(false);
      stderr.write('\n');
      resolve(answer);
    };
    const onEnd = () => done(undefined);
    const onData = (chunk: string) => {
      for (const character of chunk) {
        if (character === '\r' || character === '\n') return done(line);
        if (character === '\u0003' || character === '\u0004') return done(undefined);
        if (character === '\u007f' || character === '\b') line = [...line].slice(0, -1).join('');
        else if (character === '\u0015') line = '';
        else line += character;
      }
    };
    stderr.write(question);
    stdin.setRawMode?.(true);
    stdin.setEncoding('utf8');
    stdin.on('data', onData);
    stdin.on('end', onEnd);
    stdin.resume();
  });
}
