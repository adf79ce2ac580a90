/** A gateway behind a proxy that others know by another address. */

import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, it, onTestFinished } from 'vitest';
import { verifies } from '../support/verifies.ts';
import { connect, fixture, MAIN, textOf } from './gateway.ts';

interface Proxied {
  readonly url: string;
  readonly folder: string;
  readonly logs: readonly string[];
}

/** A gateway that trusts this machine, and a proxy of ours that takes `/tools` away and says who asks. */
async function proxied(): Promise<Proxied> {
  const folder = mkdtempSync(join(tmpdir(), 'onemcp-public-'));
  let port = 0;
  const proxy = createServer((incoming, outgoing) => {
    const headers: IncomingHttpHeaders = { ...incoming.headers, host: `127.0.0.1:${port}` };
    const forwarded = { 'x-forwarded-for': '203.0.113.7', 'x-forwarded-host': incoming.headers.host, 'x-forwarded-proto': 'http' };
    const path = incoming.url?.replace(/^\/tools/, '');
    const upstream = request({ port, path, method: incoming.method, headers: { ...headers, ...forwarded } }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    upstream.on('error', () => outgoing.destroy());
    outgoing.on('close', () => upstream.destroy());
    incoming.pipe(upstream);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/tools`;
  const gateway = { publicUrl: `${url}/`, trustedProxies: ['loopback'] };
  writeFileSync(join(folder, 'mcp.json'), JSON.stringify({ mcpServers: { good: fixture('good') }, gateway }));
  const env = { ...process.env, ONEMCP_STATE_DIR: join(folder, 'state') };
  const args = [MAIN, 'run', 'mcp.json', '--port', '0', '--inspect', '--log-format', 'json'];
  const child = spawn(process.execPath, args, { cwd: folder, env, stdio: ['ignore', 'ignore', 'pipe'] });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  onTestFinished(async () => {
    proxy.closeAllConnections();
    proxy.close();
    child.kill('SIGTERM');
    await exited;
    rmSync(folder, { recursive: true, force: true });
  });
  const logs: string[] = [];
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (line) => {
      const { event, message } = JSON.parse(line) as { event: string; message: string };
      logs.push(message);
      if (event === 'gateway.listening') port = Number(/listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(message)?.[1]);
      if (event === 'gateway.inspect') resolve();
    });
    child.once('exit', () => reject(new Error(logs.join('\n'))));
  });
  return { url, folder, logs };
}

it(verifies('public-url', 'wherever the gateway names its address, it is the public one, and clients get through by it'), async () => {
  const { url, folder, logs } = await proxied();
  expect(logs.find((message) => message.includes(`serves ${url}/mcp, listening on http://127.0.0.1:`))).toBeDefined();
  const link = logs.find((message) => message.includes('inspect'))?.replace(/^.* at /, '') as string;
  expect(link.startsWith(`${url}/inspect?token=`)).toBe(true);
  expect((await fetch(link)).status).toBe(200);

  const client = await connect(url);
  expect(textOf(await client.call('good__echo', { text: 'hi' }))).toContain('hi');
  expect(await (await fetch(`${url}/openapi.json`)).json()).toMatchObject({ servers: [{ url }] });
  // The proxy says that another machine asks.
  expect(await (await fetch(`${url}/health`)).text()).not.toContain('good');

  const aborter = new AbortController();
  const stream = await fetch(`${url}/sse`, { headers: { accept: 'text/event-stream' }, signal: aborter.signal });
  const chunk = await (stream.body as ReadableStream<Uint8Array>).getReader().read();
  const place = /data: (\S+)/.exec(new TextDecoder().decode(chunk.value))?.[1] as string;
  const posted = await fetch(new URL(place, `${url}/sse`), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' }),
  });
  aborter.abort();
  expect(posted.status).toBe(202);

  const env = { PATH: process.env.PATH, ONEMCP_STATE_DIR: join(folder, 'state') };
  const status = spawnSync(process.execPath, [MAIN, 'status', '--json'], { cwd: folder, encoding: 'utf8', env });
  expect(JSON.parse(status.stdout).url).toBe(url);
});
