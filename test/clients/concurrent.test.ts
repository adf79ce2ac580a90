/** Many questions at the same time, of clients that come in on different ways. */
import { describe, expect, it } from 'vitest';
import { verifies } from '../support/verifies.ts';
import { connect, endpointOf, type Peer, quiet, STDIO_ASKER, startAsker, startGateway } from './kit.ts';

const CALLS = 100;
const KINDS = [
  { tool: 'ask_form', arg: 'question', words: 'elicitation/create', answer: (who: string) => ({ action: 'accept', content: { who } }) },
  { tool: 'sample', arg: 'prompt', words: 'sampling/createMessage', answer: (who: string) => ({ content: { text: who } }) },
] as const;

/** After a while that differs, so that the answers overtake one another. */
const dawdle = (n: number) => new Promise((resolve) => setTimeout(resolve, (n * 7) % 23));

describe.each([['a shared HTTP backend'], ['a stdio backend for each session']])('%s', (title) => {
  it(verifies(['F83', 'F85'], `${CALLS} calls of each of three clients are all answered by the client whose they are`), async () => {
    const entry = title === 'a shared HTTP backend' ? { url: (await startAsker()).url } : { ...STDIO_ASKER, isolation: 'session' };
    const running = await startGateway({ asker: entry }, { session: { maxInFlight: 2 * CALLS }, maxQueue: 10 * CALLS, queueTimeout: '1m' });
    const carriers = ['http', 'http', 'sse'] as const;
    const peers = await Promise.all(
      carriers.map((carrier, n) => connect(endpointOf(running, carrier), carrier, { name: 'abc'[n] as string, server: 'asker' })),
    );
    for (const peer of peers) {
      let asked = 0;
      for (const [method, answer] of Object.entries(peer.answers)) {
        peer.answers[method as keyof Peer['answers']] = async (...args) => {
          await dawdle(++asked);
          return answer(...args);
        };
      }
    }
    const numbers = Array.from({ length: CALLS }, (_, n) => n);
    const kindOf = (n: number) => KINDS[n % KINDS.length] as (typeof KINDS)[number];
    await Promise.all(
      peers.map((peer) =>
        Promise.all(
          numbers.map(async (n) => {
            const { tool, arg, answer } = kindOf(n);
            expect(await peer.call(tool, { [arg]: `${peer.name}${n}` })).toMatchObject({ result: answer(peer.name) });
          }),
        ),
      ),
    );
    await quiet(...peers);
    for (const { name, got } of peers) expect([...got].sort()).toEqual(numbers.map((n) => `${kindOf(n).words} ${name}${n}`).sort());
  });
});
