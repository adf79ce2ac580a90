import { spawn } from 'node:child_process';
import { chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { askControl } from '../../src/io/controlClient.ts';
import { type ControlPlace, controlPaths, openControl } from '../../src/io/controlSocket.ts';
import { verifies } from '../support/verifies.ts';

/** printf %s /etc/mcp.json | sha256sum | cut -c1-16 */
const HASH = 'c468c8975bdd0540';
const place: ControlPlace = { file: '/etc/mcp.json', stateDir: '/s', env: {}, platform: 'linux', uid: 7, tmpdir: '/tmp' };
const LONG = `/${'x'.repeat(90)}`;

describe('where the control socket is', () => {
  it.each<[what: string, patch: Partial<ControlPlace>, paths: readonly string[]]>([
    ['the state folder, then the temporary one', {}, [`/s/run/${HASH}.sock`, `/tmp/onemcp-7/${HASH}.sock`]],
    [
      'the runtime folder before both',
      { env: { XDG_RUNTIME_DIR: '/run/user/7' } },
      [`/run/user/7/onemcp/${HASH}.sock`, `/s/run/${HASH}.sock`, `/tmp/onemcp-7/${HASH}.sock`],
    ],
    ['no relative runtime folder', { env: { XDG_RUNTIME_DIR: 'run' }, stateDir: undefined }, [`/tmp/onemcp-7/${HASH}.sock`]],
    ['the temporary folder, where no state is wanted', { stateDir: undefined }, [`/tmp/onemcp-7/${HASH}.sock`]],
    ['no path that a socket cannot have', { stateDir: LONG }, [`/tmp/onemcp-7/${HASH}.sock`]],
    ['/tmp, where every path is too long', { stateDir: LONG, tmpdir: LONG }, [`/tmp/onemcp-7/${HASH}.sock`]],
    ['a pipe on Windows', { platform: 'win32', uid: undefined }, [`\\\\.\\pipe\\onemcp-${HASH}`]],
  ])('%s', (_, patch, paths) => {
    expect(controlPaths({ ...place, ...patch })).toEqual(paths);
  });

  it('counts bytes, not characters', () => {
    expect(controlPaths({ ...place, stateDir: `/${'ü'.repeat(40)}` })).toHaveLength(1);
    expect(controlPaths({ ...place, stateDir: `/${'u'.repeat(40)}` })).toHaveLength(2);
  });

  it('differs for each configuration', () => {
    expect(controlPaths({ ...place, file: '/etc/other.json' })[0]).not.toBe(controlPaths(place)[0]);
  });
});

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'onemcp-c-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const modeOf = (path: string): string => (lstatSync(path).mode & 0o777).toString(8);

async function opened(...paths: readonly string[]) {
  const server = await openControl(paths, (_, outgoing) => void outgoing.end(JSON.stringify({ pid: process.pid })));
  onTestFinished(() => server.close());
  return server;
}

const asked = (path: string) => askControl([path], { method: 'GET', path: '/' });

describe('the control socket', () => {
  it(verifies('control-private', 'is for its user alone, in a folder of its user alone, and gone at the end'), async () => {
    const path = join(folder(), 'state', 'run', 'a.sock');
    const server = await opened(path);
    expect([modeOf(path), modeOf(dirname(path))]).toEqual(['600', '700']);
    expect(await asked(path)).toEqual({ status: 200, body: { pid: process.pid } });
    await server.close();
    expect(existsSync(path)).toBe(false);
    await expect(asked(path)).rejects.toMatchObject({ code: 'connection_failed', data: { reason: 'no-gateway' } });
  });

  it('closes a folder that others could look into', async () => {
    const run = join(folder(), 'run');
    mkdirSync(run);
    chmodSync(run, 0o777);
    await opened(join(run, 'a.sock'));
    expect(modeOf(run)).toBe('700');
  });

  it('is not put behind a link that somebody else may have laid; the next place is taken', async () => {
    const base = folder();
    symlinkSync(mkdtempSync(join(base, 'target-')), join(base, 'link'));
    const { path } = await opened(join(base, 'link', 'a.sock'), join(base, 'good', 'a.sock'));
    expect(path).toBe(join(base, 'good', 'a.sock'));
  });

  it('says why when there is no place at all', async () => {
    const file = join(folder(), 'file');
    writeFileSync(file, '');
    await expect(opened(join(file, 'run', 'a.sock'))).rejects.toMatchObject({
      code: 'port_in_use',
      message: expect.stringContaining('ENOTDIR'),
    });
  });

  it('of a live gateway stays with it', async () => {
    const path = join(folder(), 'run', 'a.sock');
    await opened(path);
    await expect(opened(path)).rejects.toMatchObject({ code: 'busy', message: expect.stringContaining('another gateway') });
    expect(await asked(path)).toMatchObject({ status: 200 });
  });

  it(verifies('control-stale', 'of a gateway that was killed is replaced'), async () => {
    const path = join(folder(), 'run', 'a.sock');
    mkdirSync(dirname(path));
    const code = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => console.log('up'))`;
    const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
    expect(existsSync(path)).toBe(true);
    await opened(path);
    expect(await asked(path)).toMatchObject({ body: { pid: process.pid } });
    expect(modeOf(path)).toBe('600');
  });
});

describe('asking', () => {
  it('tries one place after the other', async () => {
    const base = folder();
    await opened(join(base, 'b', 'a.sock'));
    expect(await askControl([join(base, 'a.sock'), join(base, 'b', 'a.sock')], { method: 'GET', path: '/' })).toMatchObject({
      status: 200,
    });
  });

  it('tells what answers from a gateway', async () => {
    const path = join(folder(), 'run', 'a.sock');
    const server = await openControl([path], (_, outgoing) => void outgoing.end('<html>'));
    onTestFinished(() => server.close());
    await expect(asked(path)).rejects.toMatchObject({ code: 'invalid_response' });
  });

  it('says when the gateway went away meanwhile', async () => {
    const path = join(folder(), 'run', 'a.sock');
    const server = await openControl([path], (incoming) => void incoming.socket.destroy());
    onTestFinished(() => server.close());
    const error = await asked(path).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'connection_failed', message: expect.stringContaining('went away') });
    expect(error).not.toHaveProperty('data.reason');
  });
});
