import type { Page } from 'playwright-core';
import { expect, it, onTestFinished } from 'vitest';
import { findChromium, launchChromium } from '../chromium.ts';
import { fixture, type Running, startGateway, until, untilState } from './gateway.ts';

const chromium = findChromium();

const printedLink = (gateway: Running) =>
  until('the link is printed', () =>
    gateway.logs.map(({ message }) => /inspect the machines at (\S+)/.exec(String(message))?.[1]).find((found) => found),
  );

async function newPage(): Promise<Page> {
  const browser = await launchChromium(chromium as string);
  onTestFinished(() => browser.close());
  return browser.newPage({ viewport: { width: 1440, height: 900 } });
}

/** Opens the printed link, and watches the page for errors. */
async function openPage(gateway: Running): Promise<{ page: Page; problems: string[] }> {
  const link = await printedLink(gateway);
  const page = await newPage();
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
  page.on('request', (request) => {
    if (!request.url().startsWith(gateway.url) && !request.url().startsWith('data:')) problems.push(`asked for ${request.url()}`);
  });
  await page.goto(link);
  return { page, problems };
}

it.skipIf(!chromium)('the page shows every machine live: a killed backend goes connected → error → retrying → connected', async () => {
  const secret = 'a-secret-of-the-environment';
  const gateway = await startGateway(
    { victim: fixture('good', { API_KEY: secret }), other: fixture('good'), hopeless: fixture('crash-on-start') },
    { restart: { initial: '1s' } },
    ['--inspect'],
  );
  const { pid } = await untilState(gateway, 'victim', 'connected');
  const { page, problems } = await openPage(gateway);
  await page.waitForSelector('[data-actor="victim"][data-state="connected"]');
  await page.waitForSelector('[data-actor="other"][data-state="connected"]');
  await page.waitForSelector('[data-actor="root"][data-state="running"]');
  await page.click('[data-actor="victim"]');
  await page.waitForSelector('#chart [data-path="connected"].on');
  expect(await page.locator('#chart .box').evaluateAll((boxes) => boxes.map((box) => box.getAttribute('data-path')))).toEqual([
    'idle',
    'idle.queued',
    'idle.asleep',
    'idle.closing',
    'starting',
    'connected',
    'error',
    'retrying',
    'retrying.delayed',
    'retrying.due',
    'failed',
    'failed.open',
    'failed.due',
    'failed.down',
    'stopping',
    'stopping.finishing',
    'stopping.closing',
    'stopped',
  ]);

  await page.evaluate(`
    window.seen = ['connected'];
    new MutationObserver(() => {
      const { state } = document.querySelector('[data-actor="victim"]').dataset;
      if (window.seen.at(-1) !== state) window.seen.push(state);
    }).observe(document.getElementById('tree'), { subtree: true, attributes: true, attributeFilter: ['data-state'] });`);
  process.kill(pid as number, 'SIGKILL');
  // Each state is a row of the sequence of events, however short it was.
  for (const state of ['error', 'retrying.delayed', 'retrying.due', 'starting', 'connected']) {
    await page.waitForSelector(`[data-of="victim"][data-after="${state}"]`);
  }
  await page.waitForSelector('[data-actor="victim"][data-state="connected"]');
  await page.waitForSelector('#chart [data-path="connected"].on');
  const seen = (await page.evaluate('window.seen')) as string[];
  expect(seen.filter((state) => state !== 'error')).toEqual(['connected', 'retrying', 'starting', 'connected']);
  const facts = await page.textContent('#facts');
  expect(facts).toContain('2 times');
  expect(facts).toMatch(/SIGKILL/);
  expect(facts).not.toContain(`pid ${pid}`);
  expect(await page.content()).not.toContain(secret);
  expect(problems).toEqual([]);
});

it.skipIf(!chromium)(
  'the page says when the gateway is away, tries again by itself, and asks for the new link after a restart',
  async () => {
    const gateway = await startGateway({ a: fixture('good') }, {}, ['--inspect']);
    await untilState(gateway, 'a', 'connected');
    const { page } = await openPage(gateway);
    await page.waitForSelector('#link[data-link="live"]');
    await gateway.stop();
    await page.waitForSelector('#link[data-link="waiting"]');
    expect(await page.textContent('#link')).toMatch(/gateway away · trying again in \d+ s/);
    await startGateway({ a: fixture('good') }, {}, ['--inspect', '--port', new URL(gateway.url).port]);
    await page.waitForSelector('#link[data-link="refused"]');
  },
);

it.skipIf(!chromium)('among many backends the page finds one; events can be paused; nothing sticks out on a phone', async () => {
  const names = Array.from({ length: 20 }, (_, n) => `server-${n}`);
  const gateway = await startGateway(Object.fromEntries(names.map((name) => [name, fixture('good')])), {}, ['--inspect']);
  const { page, problems } = await openPage(gateway);
  const rows = page.locator('[data-kind="backend"]');
  await until('all are connected', async () => (await page.locator('[data-kind="backend"][data-state="connected"]').count()) === 20);
  expect(await rows.evaluateAll((buttons) => buttons.map((button) => button.getAttribute('data-actor')))).toEqual(names);
  await page.fill('#search', 'ver-17');
  await until('one is left', async () => (await rows.count()) === 1);
  await page.click('[data-actor="server-17"]');
  await until('it is selected', async () => (await page.textContent('#chart-title')) === 'server-17');

  await page.click('#pause');
  const before = await page.locator('[data-row]').count();
  const { pid } = await untilState(gateway, 'server-17', 'connected');
  process.kill(pid as number, 'SIGKILL');
  await until('events are held back', async () => /Resume \(\d+\)/.test((await page.textContent('#pause')) ?? ''));
  expect(await page.locator('[data-row]').count()).toBe(before);
  await page.click('#pause');
  await page.waitForSelector('[data-of="server-17"][data-after="error"]');

  await page.setViewportSize({ width: 390, height: 800 });
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
  expect(problems).toEqual([]);
});

it.skipIf(!chromium)('--inspect=stately: the bridge posts every event to the hosted inspector, once that says it is there', async () => {
  const gateway = await startGateway({ a: fixture('good') }, {}, ['--inspect=stately']);
  const { pid } = await untilState(gateway, 'a', 'connected');
  const page = await newPage();
  // Stands for the hosted inspector: the protocol of `createBrowserReceiver`.
  let referrer: string | undefined;
  await page.route('https://stately.ai/**', (route) => {
    referrer = route.request().headers().referer;
    const receiver = `<script>
      got = [];
      addEventListener('message', ({ data, origin }) => got.push([origin, data]));
      setTimeout(() => parent.postMessage({ type: '@statelyai.connected' }, '*'), 200);
    </script>`;
    return route.fulfill({ contentType: 'text/html', body: receiver });
  });
  const link = await printedLink(gateway);
  expect(link).toContain('/inspect/stately?token=');
  await page.goto(link);
  type Got = [
    origin: string,
    message: { type: string; _version: string; snapshot?: { value?: unknown }; name?: string; sessionId: string },
  ];
  const got = async () => ((await page.frames()[1]?.evaluate('window.got')) ?? []) as Got[];
  const hears = (value: string) =>
    until(`it hears of ${value}`, async () => (await got()).some(([, { snapshot }]) => snapshot?.value === value));
  await hears('connected');
  process.kill(pid as number, 'SIGKILL');
  await hears('error');
  const messages = await got();
  expect(new Set(messages.map(([origin]) => origin))).toEqual(new Set([gateway.url]));
  expect(messages.every(([, { type, _version }]) => type.startsWith('@xstate.') && typeof _version === 'string')).toBe(true);
  expect(messages.slice(0, 2).map(([, { type, name }]) => [type, name])).toEqual([
    ['@xstate.actor', 'root'],
    ['@xstate.actor', 'a#0'],
  ]);
  expect(referrer, 'the address holds the token').toBeUndefined();
});
