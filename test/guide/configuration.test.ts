/** Section: configuration. One setting on all four levels; the file with a secret, to the letter, with every provider. */
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { freePort } from '../deploy/layout.ts';
import { until } from '../e2e/gateway.ts';
import { startVault } from '../fixtures/http/vault.ts';
import { runs, textOf } from './fragments.ts';
import { home, onemcp, start, untilServer } from './kit.ts';

/** Words of the guide, and what the level is called here. */
const LEVELS = [
  [/^环境变量/, 'environment'],
  [/^CLI/, 'command line'],
  [/^配置文件/, 'file'],
  [/^默认值/, 'default'],
] as const;

const ORDER = textOf('hierarchy')
  .trim()
  .split('\n')
  .map((line, index) => {
    const [, number, words = ''] = /^(\d)\. (.*)$/.exec(line) ?? [];
    if (Number(number) !== index + 1) throw new Error(`no level: ${line}`);
    return LEVELS.find(([pattern]) => pattern.test(words))?.[1];
  });

it(runs('hierarchy', 'a port on all four levels: taken away one by one, the next one wins, and explain says which'), async () => {
  expect(ORDER).toEqual(['environment', 'command line', 'file', 'default']);
  const [variable, flag, written] = [await freePort(), await freePort(), await freePort()];
  const standard = 3050;
  const ports = { environment: variable, 'command line': flag, file: written, default: standard } as const;
  for (const [index, level] of ORDER.entries()) {
    const has = (other: string) => ORDER.indexOf(other as never) >= index;
    const folder = home({ mcpServers: {}, ...(has('file') && { gateway: { port: written } }) });
    const env: Record<string, string> = has('environment') ? { ONEMCP_PORT: String(variable) } : {};
    const args = has('command line') ? ['--port', String(flag)] : [];
    const [told] = JSON.parse(onemcp(folder, ['config', 'explain', 'port', '--json', ...args], { env }).stdout);
    expect(told).toMatchObject({ layer: level, value: ports[level as keyof typeof ports] });
    expect(told.hidden.map(({ layer }: { layer: string }) => layer)).toEqual(ORDER.slice(index + 1));
    if (level === 'default') await expectTaken(folder, standard);
    else expect(Number(new URL(await start(folder, ['run', ...args], env).url()).port)).toBe(ports[level as keyof typeof ports]);
  }
});

/** Nobody serves on a fixed port in a test: it is held here, or by somebody else, and the program has to say that it is. */
async function expectTaken(folder: string, port: number): Promise<void> {
  const holder = createServer();
  await new Promise<void>((done) => holder.once('error', () => done()).listen(port, '127.0.0.1', done));
  onTestFinished(() => void holder.close());
  const gateway = start(folder, ['run']);
  expect(await gateway.exited).not.toBe(0);
  expect(gateway.output()).toContain(`port ${port} on 127.0.0.1 is in use`);
}

const URL_VALUE = 'postgres://app:pa%24s@db.example.com/app?x=1';
const KEY_VALUE = 'k3y of "the" $store\\1';
const hash = (value: string) => createHash('sha256').update(value).digest('hex');

/** The program that the guide's file names, on a PATH of the test: writes down its variables as hashes, then serves. */
function installPostgres(folder: string): string {
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  const note = `const { createHash: h } = require('node:crypto');
const hashes = Object.entries(process.env).map(([k, v]) => [k, h('sha256').update(v).digest('hex')]);
require('node:fs').writeFileSync(${JSON.stringify(join(folder, 'seen.json'))}, JSON.stringify(Object.fromEntries(hashes)));`;
  writeFileSync(join(folder, 'note.cjs'), note);
  const good = join(import.meta.dirname, '../fixtures/backends/good.mjs');
  const program = join(bin, 'mcp-postgres');
  writeFileSync(program, `#!/bin/sh\n"${process.execPath}" "${join(folder, 'note.cjs')}" && exec "${process.execPath}" "${good}"\n`);
  chmodSync(program, 0o755);
  return `${bin}:${process.env.PATH}`;
}

interface Given {
  readonly env?: Record<string, string>;
  /** `gateway.secrets` of an overlay beside the file, which stays as it is. */
  readonly settings?: object;
}

/** Puts the secret where a provider finds it. */
const PROVIDERS: Readonly<Record<string, (folder: string) => Given | Promise<Given>>> = {
  env: () => ({ env: { API_KEY: KEY_VALUE } }),
  file: (folder) => {
    mkdirSync(join(folder, 'mounted'));
    writeFileSync(join(folder, 'mounted/api-key'), `${KEY_VALUE}\n`);
    return { env: { ONEMCP_SECRETS: join(folder, 'mounted') } };
  },
  store: (folder) => {
    const { status, stderr } = onemcp(folder, ['secret', 'set', 'api-key'], { input: KEY_VALUE });
    expect({ status, stderr }).toMatchObject({ status: 0 });
    return {};
  },
  exec: (folder) => {
    writeFileSync(join(folder, 'value'), KEY_VALUE);
    writeFileSync(join(folder, 'manager.sh'), '[ "$1" = api-key ] && cat value\n');
    return { settings: { providers: ['exec'], exec: { command: ['/bin/sh', 'manager.sh', '{name}'] } } };
  },
  vault: async () => {
    const vault = await startVault();
    vault.put('api-key', { value: KEY_VALUE });
    return { env: { VAULT_TOKEN: vault.rootToken }, settings: { providers: ['vault'], vault: { address: vault.settings.address } } };
  },
};

describe('the file with a secret', () => {
  it.each(Object.keys(PROVIDERS))(runs('secrets', 'reaches the server to the letter from %s, and is seen nowhere'), async (provider) => {
    const text = textOf('secrets');
    expect(text).toContain('//');
    const folder = home(text);
    const PATH = installPostgres(folder);
    const { env = {}, settings } = (await PROVIDERS[provider]?.(folder)) ?? {};
    if (settings) writeFileSync(join(folder, 'mcp.guide.json'), JSON.stringify({ gateway: { secrets: settings } }));
    const args = ['run', 'mcp.json', '--port', '0', '--log-level', 'debug', ...(settings ? ['--env', 'guide'] : [])];
    const gateway = start(folder, args, { PATH, DATABASE_URL: URL_VALUE, ...env });
    const url = await gateway.url();
    await untilServer(url, 'database', ({ status }) => status === 'connected');
    const seen = await until('it has written', () => JSON.parse(readFileSync(join(folder, 'seen.json'), 'utf8')) as Record<string, string>);
    expect(seen).toMatchObject({ DATABASE_URL: hash(URL_VALUE), API_KEY: hash(KEY_VALUE) });
    expect(readFileSync(join(folder, 'mcp.json'), 'utf8')).toBe(text);

    const status = onemcp(folder, ['status', 'mcp.json', '--json']);
    expect(status.stdout).toContain('database');
    const shown = [gateway.output(), await (await fetch(`${url}/health`)).text(), status.stdout, status.stderr];
    for (const value of [URL_VALUE, KEY_VALUE]) {
      for (const form of [value, JSON.stringify(value).slice(1, -1)]) expect(shown.filter((one) => one.includes(form))).toEqual([]);
    }
  });
});
