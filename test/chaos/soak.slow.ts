/** The soak itself runs; for how long it is worth running, see `npm run soak`. */
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { slopeOf } from '../../bench/soak/slope.ts';

it('half a minute of random faults: no wrong answer, no hang', async () => {
  const main = resolve(import.meta.dirname, '../../bench/soak/main.ts');
  const child = spawn(process.execPath, ['--import', 'tsx', main, '--minutes', '0.4', '--clients', '40'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const code = await new Promise((done) => child.once('close', done));
  console.log(output.trim().split('\n').slice(-8).join('\n'));
  expect(code, output).toBe(0);
  expect(output).toMatch(/passed: 0 wrong answers, 0 hangs/);
}, 120_000);

it('a slope is flat when it is noise or little, and not when it goes on', () => {
  const samples = (value: (n: number) => number) => Array.from({ length: 60 }, (_, n) => ({ at: n * 5_000, value: value(n) }));
  expect(
    slopeOf(
      samples((n) => 100 + (n % 2) * 30),
      5,
    ).flat,
  ).toBe(true);
  expect(
    slopeOf(
      samples((n) => (n < 20 ? n * 10 : 200)),
      5,
    ).flat,
  ).toBe(true);
  expect(
    slopeOf(
      samples((n) => 100 - n),
      5,
    ).flat,
  ).toBe(true);
  expect(
    slopeOf(
      samples((n) => 100 + n + (n % 2)),
      5,
    ).flat,
  ).toBe(false);
  expect(
    slopeOf(
      samples((n) => 100 + n),
      5,
    ).perHour,
  ).toBeCloseTo(720);
});
