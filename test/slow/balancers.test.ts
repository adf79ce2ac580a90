/** deploy/nginx and deploy/haproxy, run for real before two gateways, one of which is drained under load. */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { findProgram } from '../debian.ts';
import { freePort, read } from '../deploy/layout.ts';
import { startLoad, summary } from '../deploy/loadClient.ts';
import { connect, fixture, type Running, startGateway, textOf, until, untilState } from '../e2e/gateway.ts';

const portOf = ({ url }: Running) => Number(new URL(url).port);

interface Balancer {
  readonly url: string;
  readonly child: ChildProcess;
  readonly log: () => string;
}

/** Runs a balancer in the foreground with one of our files, of which only addresses and places are changed. */
async function balance(kind: 'nginx' | 'haproxy', program: string, gateways: readonly Running[]): Promise<Balancer> {
  const folder = mkdtempSync(join(tmpdir(), `onemcp-${kind}-`));
  // The workers of nginx are somebody else.
  chmodSync(folder, 0o755);
  const port = await freePort();
  const file = join(folder, kind === 'nginx' ? 'nginx.conf' : 'haproxy.cfg');
  const [a, b] = gateways.map((gateway) => `127.0.0.1:${portOf(gateway)}`);
  const text = read(`deploy/${kind}/${kind === 'nginx' ? 'nginx.conf' : 'haproxy.cfg'}`)
    .replaceAll('10.0.0.11:3050', a as string)
    .replaceAll('10.0.0.12:3050', b as string)
    .replaceAll('127.0.0.1:8080', `127.0.0.1:${port}`)
    .replace('/run/nginx.pid', join(folder, 'nginx.pid'))
    .replace('/var/log/nginx/error.log', 'stderr info');
  writeFileSync(file, text);
  const args = kind === 'nginx' ? ['-c', file, '-g', 'daemon off;'] : ['-db', '-f', file];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => {
      log += chunk;
    });
  }
  onTestFinished(async () => {
    // Quick for both: SIGTERM. It ends its workers itself.
    child.kill('SIGTERM');
    await exited;
    rmSync(folder, { recursive: true, force: true });
  });
  const url = `http://127.0.0.1:${port}`;
  await until(
    `${kind} answers`,
    async () => {
      if (child.exitCode !== null) throw new Error(`${kind} ended: ${log}`);
      return (await fetch(`${url}/mcp`).catch(() => undefined))?.status === 400;
    },
    10_000,
  );
  return { url, child, log: () => log };
}

const gatewayWith = async () => {
  const gateway = await startGateway(
    { good: fixture('good') },
    {
      drainDelay: '3s',
      drainTimeout: '8s',
      publicUrl: 'https://mcp.example.com',
      trustedProxies: ['loopback'],
    },
  );
  await untilState(gateway, 'good', 'connected');
  return gateway;
};

for (const kind of ['haproxy', 'nginx'] as const) {
  const program = findProgram(kind, { package: kind, otherwise: 'its tests are SKIPPED' });

  describe.skipIf(!program)(`deploy/${kind}`, () => {
    it('a gateway is drained under load: no call fails', async () => {
      const gateways = [await gatewayWith(), await gatewayWith()];
      const balancer = await balance(kind, program as string, gateways);
      const load = startLoad({ url: balancer.url, clients: 8, tool: 'good__echo' });
      await until('every client has called', () => load.counts.answered >= 200, 60_000);
      const served = async (gateway: Running) => (await gateway.health()).body;
      expect((await served(gateways[0] as Running)).status).toBe('healthy');

      // A call that outlasts the drain delay, and the stream it needs.
      const slowly = await connect(balancer.url);
      const slow = slowly.call('good__slow', { ms: 5_000 });
      await sleep(500);
      const busy = async (gateway: Running) => ((await untilState(gateway, 'good', 'connected')).inFlight as number) > 0;
      const drain = async (gateway: Running) => {
        const before = load.counts.answered;
        process.kill(gateway.pid, 'SIGTERM');
        expect(await gateway.exited).toBe(0);
        await until('the load goes on', () => load.counts.answered > before + 200, 15_000).catch((error: Error) => {
          const { failures } = load.counts;
          throw new Error(
            `${error.message}: ${summary(load.counts)}; ${failures.slice(0, 3).join(' | ')}\n${balancer.log().slice(-3_000)}`,
          );
        });
      };
      // With nginx all are at one gateway, for they have one address: it is the one that goes.
      const [first, second] = (await busy(gateways[0] as Running)) ? gateways : [...gateways].reverse();
      await drain(first as Running);
      expect(textOf(await slow)).toBe('slept 5000 ms');

      const counts = await load.stop();
      console.log(`${kind}, one gateway drained under load: ${summary(counts)}`);
      expect(counts.failures).toEqual([]);
      expect(counts.answered).toBe(counts.calls);
      expect(counts.refused).toBe(0);
      // Somebody had to move.
      expect(counts.sessions).toBeGreaterThan(8);
      expect((await served(second as Running)).status).toBe('healthy');
    });

    it('sessions stay where they are, and streams come through as they are written', async () => {
      const gateways = [await gatewayWith(), await gatewayWith()];
      const { url } = await balance(kind, program as string, gateways);
      // Each would be told 404 by the gateway that has not made its session.
      const clients = await Promise.all(Array.from({ length: 6 }, () => connect(url)));
      for (let round = 0; round < 5; round++) {
        for (const client of clients) expect(textOf(await client.call('good__echo', { text: 'hi' }))).toContain('hi');
      }
      // Longer than sse.upgradeAfter: the answer comes as a stream, whose beginning must not wait for its end.
      const [client] = clients;
      const answer = await fetch(`${url}/mcp`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          'mcp-session-id': client?.session as string,
          'mcp-protocol-version': '2025-11-25',
        },
        body: JSON.stringify({ jsonrpc: '2.0', id: 99, method: 'tools/call', params: { name: 'good__slow', arguments: { ms: 4_000 } } }),
      });
      const began = performance.now();
      const chunks: { readonly at: number; readonly text: string }[] = [];
      const decoder = new TextDecoder();
      for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>) {
        chunks.push({ at: performance.now() - began, text: decoder.decode(chunk) });
      }
      const last = chunks.at(-1);
      expect(chunks.map(({ text }) => text).join('')).toContain('slept 4000 ms');
      // What came first, the priming event, came well before the answer.
      expect((last?.at ?? 0) - (chunks[0]?.at ?? 0)).toBeGreaterThan(1_500);
    });

    it('tells the gateways by which name it was called, and who asks', async () => {
      const gateways = [await gatewayWith(), await gatewayWith()];
      const { url } = await balance(kind, program as string, gateways);
      const asked = (path: string, headers: Record<string, string>) =>
        new Promise<{ status: number; text: string }>((resolve, reject) => {
          request(`${url}${path}`, { headers }, async (answer) => {
            let text = '';
            for await (const part of answer) text += part;
            resolve({ status: answer.statusCode ?? 0, text });
          })
            .on('error', reject)
            .end();
        });
      // A GET without a session: what is wrong with it is said after the guard.
      expect((await asked('/mcp', { host: 'mcp.example.com' })).status).not.toBe(403);
      expect((await asked('/mcp', { host: 'evil.example' })).status).toBe(403);
      expect((await asked('/mcp', { host: 'evil.example', 'x-forwarded-host': 'mcp.example.com' })).status).toBe(403);
      expect((await asked('/mcp', { host: 'mcp.example.com', forwarded: 'host=evil.example' })).status).not.toBe(403);
      // That of nginx leads to no documents.
      if (kind === 'nginx') return;
      expect((await asked('/health', {})).text).toContain('good');
      expect((await asked('/health', { forwarded: 'for=203.0.113.7' })).text).toContain('good');
      expect((await asked('/health', { 'x-forwarded-for': '203.0.113.7' })).text).not.toContain('good');
    });

    it('a gateway that is killed costs at most the calls that were with it', async () => {
      const gateways = [await gatewayWith(), await gatewayWith()];
      const { url } = await balance(kind, program as string, gateways);
      const load = startLoad({ url, clients: 6, tool: 'good__echo' });
      await until('every client has called', () => load.counts.answered >= 100, 60_000);
      process.kill((gateways[0] as Running).pid, 'SIGKILL');
      const before = load.counts.answered;
      await until('the load goes on', () => load.counts.answered > before + 200, 60_000);
      const counts = await load.stop();
      console.log(`${kind}, one gateway killed under load: ${summary(counts)}`);
      // One call a client may have been in flight there; none is ever sent again, for it may have been executed.
      expect(counts.failures.length).toBeLessThanOrEqual(6);
      expect(counts.answered + counts.failures.length).toBe(counts.calls);
    });
  });
}
