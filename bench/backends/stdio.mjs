/** Benchmark backend on stdio. Ends with its stdin, so it cannot outlive whoever started it. */
import { answer } from './answer.mjs';

// A program that takes its time, as those do that load much.
await new Promise((resolve) => setTimeout(resolve, Number(process.env.DELAY ?? 0)));

let rest = '';
process.stdin.setEncoding('utf8').on('data', (text) => {
  const lines = (rest + text).split('\n');
  rest = lines.pop();
  let out = '';
  for (const line of lines) {
    const said = line === '' ? '' : answer(JSON.parse(line));
    if (said !== '') out += `${said}\n`;
  }
  // One write for all answers of a chunk: the backend must be the cheapest process of the chain.
  if (out !== '') process.stdout.write(out);
});
