/** Tools that the configuration hides, in the program. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { verifies } from '../support/verifies.ts';
import { connect, fixture, startGateway, textOf, until, untilState } from './gateway.ts';

it(verifies('tool-filter', 'disabledTools: not listed, not callable; an edit is announced, and the process goes on'), async () => {
  const running = await startGateway({ good: fixture('good', {}, { disabledTools: ['slow'] }) });
  const { pid } = await untilState(running, 'good', 'connected');
  const client = await connect(running.url);
  const seen = await client.listen();
  const listed = async () => ((await client.request('tools/list')).message.result.tools as { name: string }[]).map(({ name }) => name);
  const refusal = async (name: string) => (await client.call(name)).message.error;

  const before = await listed();
  expect(before).toContain('good__echo');
  expect(before).not.toContain('good__slow');
  const [hidden, unknown] = [await refusal('good__slow'), await refusal('good__nobody')];
  expect(hidden).toEqual({ ...unknown, message: unknown?.message.replace('nobody', 'slow') });
  expect((await refusal('slow'))?.code).toBe(unknown?.code);

  writeFileSync(
    join(running.folder, 'mcp.json'),
    JSON.stringify({ mcpServers: { good: fixture('good', {}, { enabledTools: ['slow'] }) } }),
  );
  await until('the change is announced', () => seen.some(({ method }) => method === 'notifications/tools/list_changed'));
  expect(await listed()).toEqual(['good__slow']);
  expect(textOf(await client.call('good__slow', { ms: 1 }))).toBe('slept 1 ms');
  expect((await refusal('good__echo'))?.code).toBe(unknown?.code);
  expect((await untilState(running, 'good', 'connected')).pid).toBe(pid);
});
