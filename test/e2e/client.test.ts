import { type ChildProcess, spawn } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { verifies } from '../support/verifies.ts';
import { connect, fixture, MAIN, type Running, startGateway, textOf, until, untilState } from './gateway.ts';

/** A command beside a gateway, while it runs. */
function onemcp(folder: string, ...args: readonly string[]) {
  const child: ChildProcess = spawn(process.execPath, [MAIN, ...args], {
    cwd: folder,
    env: { ...process.env, ONEMCP_STATE_DIR: `${folder}/state` },
  });
  let [out, err] = ['', ''];
  child.stdout?.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    err += chunk;
  });
  const ended = new Promise<{ code: number | null; out: string; err: string }>((resolve) =>
    child.once('close', (code) => resolve({ code, out, err })),
  );
  return { child, ended };
}

const inFlight = async ({ health }: Pick<Running, 'health'>) =>
  (await health()).body.servers.details.some(({ inFlight: n }) => Number(n) > 0);

describe('the command line as a client', () => {
  it(verifies('cli-client', 'lists and calls what the gateway offers'), async () => {
    const running = await startGateway({ good: fixture('good') });
    await untilState(running, 'good', 'connected');
    const tools = await onemcp(running.folder, 'tools', '--json').ended;
    expect([tools.code, JSON.parse(tools.out)]).toEqual([0, expect.arrayContaining([expect.objectContaining({ name: 'good__echo' })])]);
    const call = await onemcp(running.folder, 'call', 'good/echo', 'text=héllo').ended;
    expect(call).toEqual({ code: 0, out: '{"text":"héllo"}\n', err: '' });
    const typo = await onemcp(running.folder, 'tool').ended;
    expect([typo.code, typo.err]).toEqual([2, expect.stringContaining('(Did you mean tools?)')]);
  });

  it(verifies('cli-client', 'cancels at the server when it is interrupted'), async () => {
    const running = await startGateway({ p: fixture('progress') });
    await untilState(running, 'p', 'connected');
    const { child, ended } = onemcp(running.folder, 'call', 'p/count', 'n=1000', 'delayMs=50');
    await until('it is under way', () => inFlight(running));
    child.kill('SIGINT');
    expect(await ended).toEqual({ code: 130, out: '', err: 'onemcp: interrupted\n' });
    const client = await connect(running.url);
    await until('the server was told', async () => JSON.parse(textOf(await client.call('p__cancelled'))).length === 1);
  });

  it.each(['socket', 'url'])(verifies('cli-client', 'says so when the gateway is killed in the middle (%s)'), async (way) => {
    const running = await startGateway({ p: fixture('progress') });
    await untilState(running, 'p', 'connected');
    const place = way === 'url' ? ['--url', running.url] : [];
    const { ended } = onemcp(running.folder, 'call', 'p/count', 'n=1000', 'delayMs=50', ...place);
    await until('it is under way', () => inFlight(running));
    running.child.kill('SIGKILL');
    expect(await ended).toEqual({
      code: 1,
      out: '',
      err: 'onemcp: the gateway went away before it had answered; whether the request was carried out is not known\n',
    });
  });

  it('leaves a gateway with one client on stdio alone', async () => {
    const folder = (await startGateway({})).folder;
    const child = spawn(process.execPath, [MAIN, 'run', 'mcp.json', '--stdio'], {
      cwd: folder,
      env: { ...process.env, ONEMCP_STATE_DIR: `${folder}/sole`, XDG_RUNTIME_DIR: '' },
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    const other = { ONEMCP_STATE_DIR: `${folder}/sole`, XDG_RUNTIME_DIR: '' };
    const ask = () =>
      new Promise<string>((resolve) => {
        const asking = spawn(process.execPath, [MAIN, 'tools'], { cwd: folder, env: { ...process.env, ...other } });
        let err = '';
        asking.stderr.on('data', (chunk) => {
          err += chunk;
        });
        asking.once('close', () => resolve(err));
      });
    await until('it says so', async () => (await ask()).includes('this gateway serves one client, on stdio, and takes no other'));
    child.stdin?.end();
    await new Promise((resolve) => child.once('exit', resolve));
    expect(child.exitCode).toBe(0);
  });

  it.each(['tools', 'prompts', 'resources', 'call', 'get-prompt', 'read', 'completion'])(
    '%s has an example in its help',
    async (command) => {
      const { code, out } = await onemcp('/', command, '--help').ended;
      expect(code).toBe(0);
      expect(out).toMatch(new RegExp(`Examples?:\\n {2}onemcp ${command}`));
      expect(out).toMatch(/Exit codes: 0 done/);
    },
  );
});
