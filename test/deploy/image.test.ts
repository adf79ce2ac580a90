import { accessSync, constants, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { LIMITS } from '../../src/limits.ts';
import { connect, processesWith, textOf, until } from '../e2e/gateway.ts';
import { verifies } from '../support/verifies.ts';
import { copiesOf, healthcheckOf, instructionsOf, isInContext, lastOf, stagesOf, wordsOf } from './dockerfile.ts';
import { ends, freePort, hasTini, isRoot, layOut, ROOT, read, stage, start, UID, wordsHere } from './layout.ts';

const instructions = instructionsOf(read('Dockerfile'));
const gateway = stage('gateway');
const ignored = read('.dockerignore');

describe('the Dockerfile', () => {
  it('has three stages on one base image that is pinned', () => {
    expect(stagesOf(instructions).map(({ name, from }) => `${name} ← ${from}`)).toEqual([
      'build ← ${NODE_IMAGE}',
      'demo ← build',
      'gateway ← ${NODE_IMAGE}',
    ]);
    const [arg] = instructions;
    expect(arg?.name).toBe('ARG');
    expect(arg?.text).toMatch(/^NODE_IMAGE=node:\d+(\.\d+)*-[a-z]+-slim$/);
    expect(read('Dockerfile')).not.toContain(':latest');
  });

  it('copies only what is in the repository and in the build context', () => {
    const copied = stagesOf(instructions).flatMap((one) => copiesOf(one).filter(({ from }) => from === undefined));
    for (const source of copied.flatMap(({ sources }) => sources)) {
      const path = source.replace(/^\.\//, '');
      expect(isInContext(ignored, path), path).toBe(true);
      expect(existsSync(join(ROOT, path)), path).toBe(true);
    }
    const hidden = ['.git/config', 'node_modules/yaml/package.json', 'secrets/api-key', '.env', 'test/guide/guide.test.ts', 'dist/main.js'];
    expect(hidden.filter((path) => isInContext(ignored, path))).toEqual([]);
  });

  it('runs as nobody else, in exec form, is stopped by SIGTERM and asked how it is without curl', () => {
    expect(lastOf(gateway, 'USER')?.text).toBe(`${UID}:${UID}`);
    expect(lastOf(gateway, 'STOPSIGNAL')?.text).toBe('SIGTERM');
    expect(lastOf(gateway, 'EXPOSE')?.text).toBe('3050');
    expect(wordsOf(lastOf(gateway, 'ENTRYPOINT'))).toEqual(['tini', '--', 'node', '/app/dist/main.js']);
    expect(wordsOf(lastOf(gateway, 'CMD'))).toContain('--insecure-no-auth');
    expect(healthcheckOf(gateway)[0]).toBe('node');
    expect(lastOf(gateway, 'HEALTHCHECK')?.flags).toEqual({ interval: '30s', timeout: '10s', 'start-period': '10s', retries: '3' });
    // The image has what the packages of npm need, and no more: nothing but dist is taken from the build.
    expect(copiesOf(gateway).filter(({ from }) => from !== undefined)).toEqual([
      { from: 'build', sources: ['/src/dist/'], target: '/app/dist/' },
    ]);
  });

  it('its configurations are right', async () => {
    for (const name of ['mcp.json', 'mcp.development.json', 'mcp.test.json']) {
      const text = read(`deploy/docker/${name}`);
      const loaded = await loadConfig({ file: name, text, env: {}, secrets: { read: async () => '' } });
      expect(loaded.ok, name).toBe(true);
    }
  });
});

describe("the image's files, in a plain folder", () => {
  it(verifies(
    'image',
    'serve from a read-only tree as a user of no rights, answer the health check, end with 0 and leave nothing',
  ), async () => {
    const layout = layOut({ '/opt/servers': 'test/fixtures/backends' });
    const cookie = `image-${process.pid}-${Date.now()}`;
    const port = await freePort();
    // The configuration of a user, mounted in place of the image's own.
    const program = [process.execPath, layout.here('/opt/servers/good.mjs')];
    const servers = { good: { command: program, env: { TEST_COOKIE: cookie } } };
    const mounted = join(layout.here('/var/log/onemcp'), 'mcp.json');
    writeFileSync(mounted, JSON.stringify({ mcpServers: servers }));
    const command = layout.command.map((word) => (word === '/etc/onemcp/mcp.json' ? mounted : word));
    const words = wordsHere([...layout.entrypoint, ...command, '--port', String(port)], layout, port);
    const healthcheck = wordsHere(layout.healthcheck, layout, port);
    // Nobody is there yet.
    expect((await ends(healthcheck, layout)).code).toBe(1);

    const child = start(words, layout);
    const exited = new Promise((resolve) => child.once('exit', resolve));
    let log = '';
    child.stderr?.on('data', (chunk) => {
      log += chunk;
    });
    const url = `http://127.0.0.1:${port}`;
    await until('the health check succeeds', async () => (await ends(healthcheck, layout)).code === 0);
    await until('the server is connected', async () => {
      const health = (await (await fetch(`${url}/health`)).json()) as { servers: { healthy: number } };
      return health.servers.healthy === 1;
    });
    const client = await connect(url);
    expect(textOf(await client.call('good__echo', { text: 'hi' }))).toContain('hi');
    const status = wordsHere(['node', '/app/dist/main.js', 'status', mounted], layout, port);
    expect((await ends(status, layout)).out).toContain('connected');

    if (isRoot) {
      const uids = (pid: number) => /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
      expect([child.pid as number, ...processesWith(cookie)].map(uids)).toEqual([String(UID), String(UID)]);
    }
    // What it writes is in the two folders that are there for it.
    await until('the lists are remembered', () => existsSync(layout.here('/var/lib/onemcp/catalog')));
    for (const path of ['/app/dist/main.js', '/etc/onemcp/mcp.json', '/app']) expect(statSync(layout.here(path)).mode & 0o222).toBe(0);
    expect(log).not.toMatch(/EROFS|EACCES/);

    child.kill('SIGTERM');
    expect(await exited).toBe(0);
    expect(processesWith(cookie)).toEqual([]);
    if (!hasTini) console.warn('*** NO tini: the command of the image was run without it ***');
  }, 60_000);

  it('the command line of the image is right as it is written', async () => {
    const layout = layOut();
    const port = await freePort();
    const child = start(wordsHere([...layout.entrypoint, ...layout.command, '--port', String(port)], layout, port), layout);
    const exited = new Promise((resolve) => child.once('exit', resolve));
    let log = '';
    child.stderr?.on('data', (chunk) => {
      log += chunk;
    });
    await until('it serves', () => log.includes('gateway.listening'));
    await until('it says that anybody may come in', () => log.includes('gateway.insecure'));
    expect(log).toContain(`http://0.0.0.0:${port}/mcp`);
    child.kill('SIGTERM');
    expect(await exited).toBe(0);
  });

  it('what the reaper and the entrypoint need is what the base image has', () => {
    for (const program of ['/bin/sh', '/bin/bash']) accessSync(program, constants.X_OK);
    const apt = instructions.find(({ name, text }) => name === 'RUN' && text.includes('apt-get install'));
    expect(apt?.text).toContain('--no-install-recommends tini');
  });

  it('stop grace is longer than a shutdown', () => {
    expect(LIMITS.shutdownTimeout.default).toBeLessThan(25_000);
    expect(LIMITS.drainTimeout.default).toBeLessThan(LIMITS.shutdownTimeout.default);
  });
});
