/** Section: asynchronous loading. Both commands are started as they are written, but for the name of the program. */
import { expect, it } from 'vitest';
import { connect, fixture, textOf as saidBy, until } from '../e2e/gateway.ts';
import { runs, textOf } from './fragments.ts';
import { healthOf, home, start, untilServer, wordsOf } from './kit.ts';

const QUICK = 6;
const PROGRAM = ['npx', '-y', '@1mcp/agent'];

/** The arguments after the name of the program. */
function argumentsOf(line: string): readonly string[] {
  const words = wordsOf(line);
  expect(words.slice(0, 3)).toEqual(PROGRAM);
  return words.slice(3);
}

async function loadsInTheBackground(args: readonly string[], env: Record<string, string>): Promise<void> {
  const quick = Object.fromEntries(Array.from({ length: QUICK }, (_, n) => [`quick-${n}`, fixture('good')]));
  const folder = home({
    mcpServers: { never: fixture('hang-on-init'), slow: fixture('slow-start', { DELAY_MS: '4000' }), ...quick },
    gateway: { initialWait: '100ms' },
  });
  const gateway = start(folder, args, { ONEMCP_PORT: '0', ...env });
  const url = await gateway.url();
  const client = await connect(url);
  const notes = await client.listen();
  expect(saidBy(await client.call('quick-0__echo', { text: 'early' }))).toContain('early');
  const tools = async () => ((await client.request('tools/list')).message.result.tools as { name: string }[]).map(({ name }) => name);
  const early = await tools();
  // All of that was before the slow one came.
  const statuses = new Map((await healthOf(url)).servers.details.map(({ name, status }) => [name, status]));
  expect([statuses.get('slow'), statuses.get('never')]).toEqual(['starting', 'starting']);
  expect(early.filter((name) => /^(slow|never)__/.test(name))).toEqual([]);

  await untilServer(url, 'slow', ({ status }) => status === 'connected');
  await until('the tools of the slow one are there', async () => (await tools()).some((name) => name.startsWith('slow__')));
  await until('that was announced', () => notes.length > 0);
  expect((await tools()).length).toBe((QUICK + 1) * 3);
  // In batches: fewer than there are servers, and of lists that changed only.
  expect(notes.length).toBeLessThanOrEqual(4);
  expect(new Set(notes.map(({ method }) => method))).toEqual(new Set(['notifications/tools/list_changed']));
  expect((await healthOf(url)).servers.details.find(({ name }) => name === 'never')?.status).toBe('starting');
  expect(gateway.output()).not.toMatch(/warning:|unknown/);
}

it(runs('async-flag', 'the flag: nobody waits for a slow server, and its tools are announced when it comes'), () =>
  loadsInTheBackground(argumentsOf(textOf('async-flag')), {}),
);

it(runs('async-variable', 'the variable: the same'), () => {
  const [exported = '', command = ''] = textOf('async-variable').split('\n');
  const [word, assignment = ''] = wordsOf(exported);
  const [name = '', value = ''] = assignment.split('=');
  expect([word, value]).toEqual(['export', 'true']);
  return loadsInTheBackground(argumentsOf(command), { [name]: value });
});
