// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the templates of the configuration look like those of JavaScript
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { expect, it, onTestFinished } from 'vitest';
import { type AlertTestFlags, alertMute, alertTest, type MuteFlags } from '../../src/cli/alert.ts';
import type { ProcessPorts } from '../../src/cli/process.ts';
import { controlListener } from '../../src/http/control.ts';
import type { ControlOps } from '../../src/http/controlOps.ts';
import { openControl } from '../../src/io/controlSocket.ts';
import { MAIN } from '../e2e/gateway.ts';
import { receiver, status } from '../io/webhookKit.ts';
import { verifies } from '../support/verifies.ts';

async function alert(webhooks: readonly object[] | undefined, flags: AlertTestFlags = {}) {
  const cwd = mkdtempSync(join(tmpdir(), 'onemcp-a-'));
  onTestFinished(() => rmSync(cwd, { recursive: true, force: true }));
  writeFileSync(
    join(cwd, 'mcp.json'),
    JSON.stringify({ mcpServers: {}, gateway: { alerts: { ...(webhooks && { webhooks }), timeout: '2s' } } }),
  );
  let [out, err] = ['', ''];
  const ports = {
    env: { HOOK: 'a key of many characters' },
    cwd,
    stdout: new PassThrough().on('data', (chunk) => (out += chunk)),
    stderr: new PassThrough().on('data', (chunk) => (err += chunk)),
  } as Partial<ProcessPorts> as ProcessPorts;
  const code = await alertTest('mcp.json', flags, ports);
  await new Promise((resolve) => setImmediate(resolve));
  return { code, out, err };
}

it(verifies('alert-test', 'alert test sends one to every webhook and says what became of each, without its address'), async () => {
  const [good, bad] = [await receiver(), await receiver(status(403))];
  const { code, out } = await alert([
    { url: good.url, secret: '${HOOK}' },
    { url: bad.url, format: 'slack' },
  ]);
  expect(code).toBe(1);
  expect(out.trimEnd().split('\n')).toEqual([
    expect.stringMatching(new RegExp(`^1\\. ${good.host} \\(json\\): ok, answered 204 after \\d+ ms$`)),
    `2. ${bad.host} (slack): failed: "${bad.host}" answered 403 Forbidden`,
  ]);
  expect(out).not.toMatch(/T0KEN|s3cret/);
  expect(JSON.parse(good.got[0]?.body as string)).toMatchObject({ type: 'test', severity: 'info', gateway: { name: 'onemcp' } });
  expect(good.got[0]?.headers['onemcp-signature']).toMatch(/^v1=[0-9a-f]{64}$/);
  expect(JSON.parse(bad.got[0]?.body as string).text).toContain('This is a test');
});

it('alert test --target sends to that one alone', async () => {
  const [first, second] = [await receiver(status(500)), await receiver()];
  const webhooks = [{ url: first.url }, { url: second.url }];
  expect(await alert(webhooks, { target: 2 })).toMatchObject({ code: 0, out: expect.stringMatching(/^2\. /) });
  expect([first.got.length, second.got.length]).toEqual([0, 1]);
  expect(await alert(webhooks, { target: 3 })).toMatchObject({
    code: 2,
    err: expect.stringContaining('onemcp: there is no webhook 3 in mcp.json; there are 2, counted from 1\n'),
  });
});

it('alert test says what is missing', async () => {
  expect(await alert(undefined)).toMatchObject({ code: 1, err: expect.stringContaining('names no webhooks') });
  expect(await alert([{ url: 'https://user:pass@example.com/' }])).toMatchObject({
    code: 2,
    err: expect.stringContaining('gateway.alerts.webhooks[0].url: a URL cannot hold a user name or password'),
  });
});

it(verifies('alert-muted', 'alert mute and unmute ask the running gateway'), async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'onemcp-a-'));
  onTestFinished(() => rmSync(cwd, { recursive: true, force: true }));
  const asked: unknown[] = [];
  const muteAlerts = (name: string, ms: number | undefined) => {
    asked.push([name, ms]);
    return { message: 'done' };
  };
  const path = join(cwd, 'control.sock');
  const withWebhooks = await openControl([path], controlListener({ muteAlerts } as Partial<ControlOps> as ControlOps));
  let [out, err] = ['', ''];
  const ports = {
    cwd,
    stdout: new PassThrough().on('data', (chunk) => (out += chunk)),
    stderr: new PassThrough().on('data', (chunk) => (err += chunk)),
  } as Partial<ProcessPorts> as ProcessPorts;
  const asking = (flags: MuteFlags = {}) => ({ file: 'mcp.json', flags: { socket: path, ...flags }, ports });
  expect(await alertMute('mute', 'a b/c', asking({ for: 5_000 }))).toBe(0);
  expect(await alertMute('mute', 'db', asking())).toBe(0);
  expect(await alertMute('unmute', 'db', asking())).toBe(0);
  expect(asked).toEqual([
    ['a b/c', 5_000],
    ['db', 3_600_000],
    ['db', undefined],
  ]);
  expect(out).toBe('done\ndone\ndone\n');
  await withWebhooks.close();
  const without = await openControl([path], controlListener({} as ControlOps));
  onTestFinished(() => without.close());
  expect(await alertMute('mute', 'db', asking())).toBe(1);
  expect(err).toBe('onemcp: this gateway sends no alerts: its configuration names no webhooks\n');
});

it('alert test is a command of the program', () => {
  const { status: code, stderr } = spawnSync(process.execPath, [MAIN, 'alert', 'test', '--target', '0'], { encoding: 'utf8' });
  expect([code, stderr]).toEqual([2, expect.stringContaining('whole number from 1')]);
});
