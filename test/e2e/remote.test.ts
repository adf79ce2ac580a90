import { expect, it, onTestFinished } from 'vitest';
import { start } from '../fixtures/http/index.mjs';
import { connect, startGateway, textOf, until, untilState } from './gateway.ts';

/** Starts a remote backend; it ends with the test. */
async function backendOf(name: string, options?: Record<string, unknown>) {
  const backend = await start(name, options);
  onTestFinished(() => backend.close());
  return backend;
}

it.each(['good', 'sse-answers', 'sessionless', 'legacy-sse', 'sdk'])('serves the tools of a remote backend: %s', async (name) => {
  const backend = await backendOf(name);
  const gateway = await startGateway({ far: { url: backend.url } });
  await untilState(gateway, 'far', 'connected');
  const client = await connect(gateway.url);
  const { message } = await client.request('tools/list');
  expect((message.result.tools as { name: string }[]).map(({ name: tool }) => tool)).toContain('far__echo');
  expect(textOf(await client.call('far__echo', { text: 'across' }))).toContain('across');
});

it('a session that the backend forgot is renewed, and the call is repeated once', async () => {
  const backend = await backendOf('lost-session');
  const gateway = await startGateway({ far: { url: backend.url } });
  await untilState(gateway, 'far', 'connected');
  const client = await connect(gateway.url);
  const answer = await client.call('far__boom');
  expect(answer.message.result.isError).toBeFalsy();
});

it('a remote backend that goes away is named, and found again when it is back', async () => {
  const backend = await backendOf('good');
  const gateway = await startGateway({ far: { url: backend.url } }, { restart: { initial: '100ms', max: '500ms' }, callWait: '200ms' });
  await untilState(gateway, 'far', 'connected');
  const client = await connect(gateway.url);
  await backend.close();
  const answer = await client.call('far__echo', { text: 'anybody?' });
  expect(answer.message.result.isError).toBe(true);
  expect(textOf(answer)).toContain('far');
  await until('it is known to be down', async () => (await gateway.health()).body.servers.details[0]?.status !== 'connected');
  await backendOf('good', { port: backend.port });
  await untilState(gateway, 'far', 'connected');
  expect(textOf(await client.call('far__echo', { text: 'welcome back' }))).toContain('welcome back');
});
