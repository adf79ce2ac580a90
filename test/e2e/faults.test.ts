import { rmSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Json } from '../../src/world.ts';
import { verifies } from '../support/verifies.ts';
import { connect, fixture, startGateway, textOf, until, untilState } from './gateway.ts';

const FAST = {
  restart: { initial: '100ms', max: '300ms' },
  probe: { initial: '500ms', max: '1s' },
  callWait: '300ms',
  startTimeout: '2s',
  requestTimeout: '1500ms',
  listTimeout: '1s',
  initialWait: '3s',
};

/** One backend with a fault beside a good one; the good one is called all the time and must never fail. */
async function beside(fault: Json, gateway: Json = {}) {
  const running = await startGateway({ odd: fault, good: fixture('good') }, { ...FAST, ...gateway });
  await untilState(running, 'good', 'connected');
  const client = await connect(running.url);
  let checking = true;
  let served = 0;
  const wrong: string[] = [];
  const load = (async () => {
    for (; checking; served++) {
      const text = textOf(await client.call('good__echo', { text: `n${served}` }));
      if (!text.includes(`n${served}`)) wrong.push(text);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })().catch((error: Error) => wrong.push(error.message));
  const detail = async () =>
    (await running.health()).body.servers.details.find(({ name }) => name === 'odd') as Json & { status: string; lastError?: string };
  const done = async () => {
    checking = false;
    await load;
    expect(wrong).toEqual([]);
    expect(served).toBeGreaterThan(0);
    expect(running.child.exitCode).toBeNull();
  };
  return { running, client, detail, done };
}

describe('a backend that does not come up is named with its reason, and the others are served', () => {
  it.each([
    ['crash-on-start', {}, /"odd" exited with code 1/],
    ['exit-on-init', {}, /"odd" exited with code \d+ before it was initialized/],
    ['hang-on-init', {}, /"odd" was not ready within 2 s/],
    ['init-error', {}, /^"odd" refused initialize: the database is not reachable$/],
    ['wrong-version', {}, /1999-01-01/],
    ['list-error', {}, /"odd" cannot list what it offers/],
  ] as const)('%s', async (name, env, reason) => {
    const { client, detail, done } = await beside(fixture(name, env));
    await until('it has failed', async () => ((await detail()).failures as number) >= 1);
    const failed = await until('its reason is shown', async () => {
      const shown = await detail();
      return shown.lastError ? shown : undefined;
    });
    expect(failed.lastError).toMatch(reason);
    const answer = await client.call('odd__echo');
    expect(textOf(answer)).toMatch(/^Server "odd" (is|has) /);
    await done();
  });

  it('a command that does not exist', async () => {
    const { detail, done } = await beside({ command: 'no-such-program-anywhere' });
    const failed = await until('it has failed', async () => {
      const shown = await detail();
      return shown.lastError ? shown : undefined;
    });
    expect(failed.lastError).toMatch(/command not found: no-such-program-anywhere/);
    await done();
  });

  it('nothing listens at the URL', async () => {
    const { detail, done } = await beside({ url: 'http://127.0.0.1:9/mcp' });
    const failed = await until('it has failed', async () => {
      const shown = await detail();
      return shown.lastError ? shown : undefined;
    });
    expect(failed.lastError).toMatch(/"odd" at http:\/\/127\.0\.0\.1:9 refuses connections/);
    await done();
  });
});

describe('a backend that misbehaves in a call fails that call only, with its cause', () => {
  it.each([
    ['crash-on-call', /"odd" exited with code 3/, true],
    ['sigkill-on-call', /"odd" was killed by SIGKILL/, true],
    ['exit-holding-stdout', /"odd" exited/, true],
    ['close-stdout', /"odd" closed its stdout/, true],
    ['never-responds', /"odd" did not answer tools\/call within 1500 ms/, false],
    ['huge-message', /larger than 16 MiB/, false],
    ['deep-json', /nested deeper than 256 levels/, false],
  ] as const)(verifies('D67', '%s'), async (name, reason, restarts) => {
    const { running, client, detail, done } = await beside(fixture(name), { requestTimeout: name === 'huge-message' ? '20s' : '1500ms' });
    await untilState(running, 'odd', 'connected');
    const { pid } = await detail();
    const answer = await client.call('odd__boom');
    expect(answer.message.result.isError).toBe(true);
    expect(textOf(answer)).toMatch(reason);
    expect(textOf(answer)).toContain('not repeated');
    if (restarts) await until('it was restarted', async () => (await detail()).status === 'connected' && (await detail()).pid !== pid);
    else expect((await detail()).pid).toBe(pid);
    expect(textOf(await client.call('odd__echo', { text: 'alive' }))).toContain('alive');
    await done();
  });

  it.each([
    'banner-on-stdout',
    'garbage-json',
    'half-lines',
    'noisy-stderr',
    'dup-response',
    'unknown-id',
    'invalid-utf8',
    'batch-response',
  ])('%s is served all the same', async (name) => {
    const { running, client, done } = await beside(fixture(name));
    await untilState(running, 'odd', 'connected');
    expect((await client.call('odd__boom')).message.result.isError).toBeFalsy();
    expect(textOf(await client.call('odd__echo', { text: 'fine' }))).toContain('fine');
    await done();
  });
});

it('a backend whose first starts crash is served by a later one', async () => {
  const counter = `${process.env.TMPDIR ?? '/tmp'}/onemcp-flaky-${process.pid}-${Date.now()}`;
  onTestFinished(() => rmSync(counter, { force: true }));
  const { running, client, done } = await beside(fixture('flaky-start', { COUNTER_FILE: counter }));
  await untilState(running, 'odd', 'connected');
  expect(textOf(await client.call('odd__echo', { text: 'third time' }))).toContain('third time');
  await done();
});

it(verifies(['B23', 'B27'], 'bad items are left out one by one, and said so; endless pages end'), async () => {
  const gateway = await startGateway({
    bad: fixture('bad-items'),
    loop: fixture('cursor-loop'),
    paged: fixture('paginated', { TOOLS: '25', PAGE: '10' }),
  });
  for (const name of ['bad', 'loop', 'paged']) await untilState(gateway, name, 'connected');
  const { details } = (await gateway.health()).body.servers;
  const notes = (name: string) => details.find((entry) => entry.name === name)?.notes as string[];
  expect(notes('bad').length).toBeGreaterThan(3);
  expect(notes('loop')).toContain('tools/list was cut: its cursors repeat (cursor-loop)');
  const client = await connect(gateway.url);
  const names = ((await client.request('tools/list')).message.result.tools as { name: string }[]).map(({ name }) => name);
  expect(names.filter((name) => name.startsWith('paged__')).length).toBeGreaterThanOrEqual(25);
  expect(new Set(names).size).toBe(names.length);
  expect(names).toEqual([
    ...names.filter((name) => name.startsWith('bad__')),
    ...names.filter((name) => name.startsWith('loop__')),
    ...names.filter((name) => name.startsWith('paged__')),
  ]);
});

it(verifies('B35', 'a storm of list_changed costs one refresh a second and no notification'), async () => {
  const { running, client, done } = await beside(fixture('list-changed-storm'));
  await untilState(running, 'odd', 'connected');
  await client.request('tools/list');
  const notes = await client.listen();
  const lists = async () => Number(textOf(await client.call('odd__lists')));
  const [before, began] = [await lists(), performance.now()];
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const [refreshes, seconds] = [(await lists()) - before, (performance.now() - began) / 1000];
  expect(refreshes).toBeGreaterThan(0);
  expect(refreshes).toBeLessThanOrEqual(seconds + 1);
  expect(notes).toEqual([]);
  await done();
});

it('a server that asks for what no client can be attributed gets an error, and no client sees anything', async () => {
  const { running, client, done } = await beside(fixture('elicits'));
  await untilState(running, 'odd', 'connected');
  const notes = await client.listen();
  const answer = await client.call('odd__ask');
  expect(JSON.stringify(answer.message.result)).toContain('-32601');
  expect(answer.before).toEqual([]);
  expect(notes).toEqual([]);
  await done();
});

it(verifies('secrets-never-printed', 'secrets are seen nowhere'), async () => {
  const secret = 'hunter2-very-secret';
  const { running, client, done } = await beside(fixture('leaks-secret', { CHAOS_SECRET: secret }));
  await untilState(running, 'odd', 'connected');
  await client.call('odd__boom');
  await until('its stderr was logged', () => running.logs.some(({ event }) => event === 'backend.stderr'));
  expect(JSON.stringify(running.logs)).not.toContain(secret);
  expect(JSON.stringify((await running.health()).body)).not.toContain(secret);
  await done();
});

it(verifies('secrets-never-printed', 'a secret in the reason of a failed start is seen nowhere'), async () => {
  const secret = 'hunter2-very-secret';
  const { running, client, detail, done } = await beside(fixture('init-error', { CHAOS_SECRET: secret }));
  const failed = await until('its reason is shown', async () => {
    const shown = await detail();
    return shown.lastError ? shown : undefined;
  });
  expect(failed.lastError).toBe('"odd" refused initialize: the database is not reachable with ***');
  const answer = await client.call('odd__echo');
  expect(textOf(answer)).toContain('***');
  expect(JSON.stringify([answer.message, running.logs, (await running.health()).body])).not.toContain(secret);
  await done();
});

it(verifies('J132', 'a backend sees its own environment and nothing of the gateway'), async () => {
  process.env.ONEMCP_TEST_PRIVATE = 'x';
  const gateway = await startGateway({ env: fixture('env-dump', { OWN: '1' }) });
  delete process.env.ONEMCP_TEST_PRIVATE;
  await untilState(gateway, 'env', 'connected');
  const names = textOf(await (await connect(gateway.url)).call('env__env'));
  expect(names).toContain('OWN');
  expect(names).toContain('PATH');
  expect(names).not.toContain('ONEMCP_TEST_PRIVATE');
});
