import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { call, getPrompt } from '../../../src/cli/client/call.ts';
import { list } from '../../../src/cli/client/list.ts';
import { read } from '../../../src/cli/client/read.ts';
import type { Json } from '../../../src/world.ts';
import { fixture, until } from '../../e2e/gateway.ts';
import { verifies } from '../../support/verifies.ts';
import { serve, terminal } from './kit.ts';

const show = () => serve({ show: fixture('showcase'), good: fixture('good') });

/** Runs one command in a terminal of its own. */
async function run(command: (term: ReturnType<typeof terminal>) => Promise<number>, term: ReturnType<typeof terminal>) {
  const code = await command(term);
  return { code, out: term.out, err: term.err };
}

describe('lists', () => {
  it(verifies('cli-client', 'tools as a table, the first line of each description'), async () => {
    const { terminal } = await show();
    const { code, out, err } = await run((term) => list('tools', term.visiting()), terminal());
    expect([code, err]).toEqual([0, '']);
    const lines = out.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^NAME +SERVER +DESCRIPTION$/);
    expect(lines).toHaveLength(1 + 3 + 10);
    expect(out).toMatch(/^show__search_issues\w* +show +Finds issues$/m);
    expect(out).toMatch(/^good__echo +good +Returns its arguments$/m);
  });

  it('is cut to a terminal, with a head that stands out', async () => {
    const { terminal } = await show();
    const term = terminal({ isTTY: true, columns: 40 });
    await list('tools', term.visiting());
    expect(term.out).toContain('\u001b[1mNAME');
    expect(
      Math.max(
        ...term.out
          .split('\n')
          .slice(1)
          .map((line) => line.length),
      ),
    ).toBe(40);
    const plain = terminal({ isTTY: true, columns: 40, env: { NO_COLOR: '1' } });
    await list('tools', plain.visiting());
    expect(plain.out).not.toContain('\u001b');
  });

  it('only what one server has, by its name or its namespace', async () => {
    const { terminal } = await serve({ 'My Server': fixture('good', {}, { namespace: 'mine' }), other: fixture('good') });
    for (const server of ['My Server', 'mine', 'MINE']) {
      const term = terminal();
      expect(await list('tools', term.visiting({ server, json: true }))).toBe(0);
      expect((JSON.parse(term.out) as Json[]).map(({ name }) => name)).toEqual(['mine__boom', 'mine__echo', 'mine__slow']);
    }
    const term = terminal();
    expect(await list('tools', term.visiting({ server: 'othr' }))).toBe(1);
    expect(term.err).toBe('onemcp: there is no server "othr"; did you mean "other"?\n');
  });

  it('prompts with their arguments, resources with templates', async () => {
    const { terminal } = await show();
    const prompts = await run((term) => list('prompts', term.visiting()), terminal());
    expect(prompts.out).toMatch(/^show__review +show +number \[style\] +Reviews$/m);
    const resources = await run((term) => list('resources', term.visiting()), terminal());
    expect(resources.out).toMatch(/^db:\/\/show\/orders\/1 +show +text\/plain +first order$/m);
    expect(resources.out).toMatch(/^db:\/\/show\/orders\/\{id\} +show +order$/m);
  });

  it('has all pages', async () => {
    const { terminal } = await serve({ many: fixture('many-tools', { TOOLS: '70' }) }, { gateway: { list: { pageSize: 9 } } });
    const term = terminal();
    await list('tools', term.visiting({ json: true }));
    const names = (JSON.parse(term.out) as Json[]).map(({ name }) => name);
    expect(names).toHaveLength(73);
    expect(new Set(names).size).toBe(73);
  });

  it('says what is missing', async () => {
    const { terminal, gateway } = await serve(
      { good: fixture('good'), bad: { command: ['no-such-program-anywhere'] } },
      { waits: false, gateway: { initialWait: 0 } },
    );
    await until('one is there and one is not', () => {
      const { backends } = gateway.world();
      return backends.get('good')?.state === 'connected' && backends.get('bad')?.lastError !== undefined;
    });
    const { code, out, err } = await run((term) => list('tools', term.visiting()), terminal());
    expect(code).toBe(0);
    expect(out).toContain('good__echo');
    expect(err).toMatch(/^onemcp: not everything is listed: bad \(.+\); see onemcp why NAME\n$/);
  });

  it('over HTTP', async () => {
    const { url } = await show();
    const elsewhere = terminal();
    expect(await list('tools', elsewhere.visiting({ url }))).toBe(0);
    expect(elsewhere.out).toContain('good__echo');
    const nowhere = terminal();
    expect(await list('tools', nowhere.visiting({ url: 'http://127.0.0.1:1/mcp' }))).toBe(1);
    expect(nowhere.err).toMatch(/^onemcp: nothing answers at http:\/\/127\.0\.0\.1:1: .*ECONNREFUSED.*\n$/);
    const health = terminal();
    expect(await list('tools', health.visiting({ url: `${url}/nothing` }))).toBe(1);
    expect(health.err).toMatch(/\/nothing: it answered with HTTP 404: nothing is at \/nothing; there are \/mcp, .*\n$/);
    const wrong = terminal();
    expect(await list('tools', wrong.visiting({ url: 'localhost:3050' }))).toBe(2);
    expect(await list('tools', wrong.visiting({ url, header: ['no header'] }))).toBe(2);
  });

  it('says that no gateway runs', async () => {
    const term = terminal();
    expect(await list('tools', term.visiting())).toBe(1);
    expect(term.err).toMatch(/^onemcp: no gateway runs for .*mcp\.json .*; start one: onemcp run .*mcp\.json\n$/);
  });
});

describe('a call', () => {
  it.each(['show/search issues', 'search issues'])('of %s converts its arguments', async (tool) => {
    const { terminal } = await show();
    const texts = ['query=5', 'limit=5', 'exact=true', 'labels=a', 'labels=b', 'order=ascending', 'filter={"x":1}'];
    const { code, out, err } = await run((term) => call(tool, texts, term.visiting()), terminal());
    expect([code, err]).toEqual([0, '']);
    expect(JSON.parse(out)).toEqual({ query: '5', limit: 5, exact: true, labels: ['a', 'b'], order: 'ascending', filter: { x: 1 } });
  });

  it(verifies('cli-client', 'by the exposed name, with --args from stdin and pairs over them'), async () => {
    const { terminal } = await show();
    const term = terminal({ stdin: '{"text":"in","more":1}' });
    expect(await call('good__echo', ['text=over'], term.visiting({ args: '-' }))).toBe(0);
    expect(JSON.parse(term.out)).toEqual({ text: 'over', more: 1 });
  });

  it.each([
    [['text'], {}, 'arguments are key=value, not "text"'],
    [[], { args: '{' }, '--args is not JSON'],
  ])('with %j and %j needs no gateway to be wrong', async (texts, flags, complaint) => {
    const term = terminal();
    expect(await call('good/echo', texts, term.visiting(flags))).toBe(2);
    expect(term.err).toContain(`onemcp: ${complaint}`);
  });

  it('with wrong arguments sends nothing', async () => {
    const { terminal } = await show();
    const { code, out, err } = await run((term) => call('show/search issues', ['limit=x'], term.visiting()), terminal());
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(/^onemcp: show__search_issues\w*: limit has to be a whole number; query is missing\n/);
    expect(err).toMatch(/^ {2}query +string +required +What to look for$/m);
  });

  it(verifies('cli-client', 'has an exit code for each way to fail'), async () => {
    const { terminal } = await show();
    const failing = await run((term) => call('show/fails', [], term.visiting()), terminal());
    expect(failing).toEqual({ code: 3, out: '', err: 'the disk is full\n' });
    const refusing = await run((term) => call('show/refuses', [], term.visiting()), terminal());
    expect(refusing).toEqual({ code: 1, out: '', err: 'onemcp: not today (error -32050)\n' });
    const json = await run((term) => call('show/fails', [], term.visiting({ json: true })), terminal());
    expect([json.code, (JSON.parse(json.out) as Json).isError]).toEqual([3, true]);
  });

  it.each([
    ['show/piktur', 'show/picture'],
    ['good__ehco', 'good__echo'],
    ['ehco', 'echo'],
  ])('of %s says what may have been meant', async (tool, meant) => {
    const { terminal } = await show();
    const { code, err } = await run((term) => call(tool, [], term.visiting()), terminal());
    expect(code).toBe(1);
    expect(err).toContain(`; did you mean "${meant}"?`);
  });

  it('of a name that several servers have names them', async () => {
    const { terminal } = await serve({ one: fixture('good'), two: fixture('good') });
    const { code, err } = await run((term) => call('echo', [], term.visiting()), terminal());
    expect(code).toBe(1);
    expect(err).toMatch(/one__echo.*two__echo/);
  });

  it('of a server that is down is no failure of the tool', async () => {
    const { terminal } = await serve({ dies: fixture('crash-on-call') });
    const { code, err } = await run((term) => call('dies/boom', [], term.visiting()), terminal());
    expect(code).toBe(1);
    expect(err).toMatch(/^Server "dies" failed/);
  });

  it('tells of what is no text, and saves it where it is told to', async () => {
    const { terminal } = await show();
    const told = await run((term) => call('show/picture', [], term.visiting()), terminal());
    expect(told.out.split('\n').slice(0, 4)).toEqual([
      'two pictures and a sound',
      '[image/png, 12 KiB]',
      '[image/gif, 100 B]',
      '[audio/wav, 1.9 MiB]',
    ]);
    expect(told.out).toMatch(/\[db:\/\/show\/logo, the logo\]\n$/);
    const saving = terminal();
    expect(await call('show/picture', [], saving.visiting({ output: 'p.bin' }))).toBe(0);
    expect(saving.out).toMatch(/^two pictures and a sound\n\[db:/);
    expect(['p.bin', 'p-2.bin', 'p-3.bin'].map((file) => readFileSync(join(saving.cwd, file)).length)).toEqual([12 * 1024, 100, 2_000_000]);
    const failing = terminal();
    expect(await call('show/picture', [], failing.visiting({ output: 'none/p.bin' }))).toBe(1);
    expect(failing.err).toMatch(/^onemcp: cannot write the output: ENOENT/);
  });

  it('shows structured content once, as JSON', async () => {
    const { terminal } = await show();
    const { out } = await run((term) => call('show/structured', [], term.visiting()), terminal());
    expect(out).toBe(`${JSON.stringify({ a: [1, 2] }, null, 2)}\n`);
  });

  it('gives megabytes as they are', async () => {
    const { terminal } = await show();
    const { out } = await run((term) => call('show/big', [], term.visiting()), terminal());
    expect(out).toHaveLength(3 * 1024 * 1024 + 1);
  });

  it(verifies('cli-client', 'never lets a server command the terminal, and changes nothing elsewhere'), async () => {
    const { terminal } = await show();
    const piped = await run((term) => call('show/escapes', [], term.visiting()), terminal());
    expect(piped.out).toBe('a\u001b[2Jb\tc\r\nd\n');
    const shown = await run((term) => call('show/escapes', [], term.visiting()), terminal({ isTTY: true }));
    expect(shown.out).toBe('a\\u001b[2Jb\tc\nd\n');
  });

  it(verifies('cli-client', 'shows its progress on a terminal, and nowhere else'), async () => {
    const { terminal } = await serve({ p: fixture('progress') });
    const shown = await run((term) => call('p/count', ['n=3', 'delayMs=150'], term.visiting()), terminal({ isTTY: true }));
    expect(shown.out).toBe('counted to 3\n');
    expect(shown.err).toContain('\r\u001b[Kcall p/count  0s  1/3 (33 %) 1 of 3');
    expect(shown.err.endsWith('\r\u001b[K')).toBe(true);
    const quiet = await run((term) => call('p/count', [], term.visiting()), terminal());
    expect(quiet).toEqual({ code: 0, out: 'counted to 3\n', err: '' });
  });

  it.each(['socket', 'url'])(verifies('cli-client', 'that is interrupted is cancelled at its server (%s)'), async (way) => {
    const { terminal, url, gateway } = await serve({ p: fixture('progress') });
    const flags = way === 'url' ? { url } : {};
    const term = terminal({ isTTY: true });
    const calling = call('p/count', ['n=1000', 'delayMs=50'], term.visiting(flags));
    await until('it is under way', () => term.err.includes('1/1000'));
    term.interrupt();
    expect(await calling).toBe(130);
    expect(term.err).toMatch(/onemcp: interrupted\n$/);
    const asking = () => run((other) => call('p/cancelled', [], other.visiting()), terminal());
    await until('the server was told', async () => JSON.parse((await asking()).out).length === 1);
    expect([...gateway.world().backends.values()][0]?.state).toBe('connected');
  });

  it('that takes too long is cancelled', async () => {
    const { terminal } = await serve({ p: fixture('progress') });
    const { code, err } = await run((term) => call('p/slow', ['ms=60000'], term.visiting({ timeout: 300 })), terminal());
    expect(code).toBe(1);
    expect(err).toBe('onemcp: it took longer than 0.3 s and was cancelled; --timeout gives it more time\n');
  });

  it('that is under way when the gateway stops is told so by the gateway', async () => {
    const { terminal, close } = await serve({ p: fixture('progress') }, { gateway: { drainTimeout: 0 } });
    const term = terminal({ isTTY: true });
    const calling = call('p/count', ['n=1000', 'delayMs=50'], term.visiting());
    await until('it is under way', () => term.err.includes('1/1000'));
    await close();
    expect(await calling).toBe(1);
    expect(term.err).toContain('Server "p" failed: ');
  });

  it('goes on where it was when its stream is closed in between', async () => {
    const { terminal } = await serve({ p: fixture('progress') }, { gateway: { sse: { maxConnection: 300, retry: 10 } } });
    const { code, out } = await run((term) => call('p/count', ['n=12', 'delayMs=100'], term.visiting()), terminal());
    expect([code, out]).toEqual([0, 'counted to 12\n']);
  });
});

describe('prompts and resources', () => {
  it('gets the messages of a prompt', async () => {
    const { terminal } = await show();
    const { code, out } = await run((term) => getPrompt('show/review', ['number=17'], term.visiting()), terminal());
    expect(code).toBe(0);
    expect(out).toBe('user:\nreview {"number":"17"}\nassistant:\n[image/png, 5 B]\n');
    const missing = await run((term) => getPrompt('review', [], term.visiting()), terminal());
    expect([missing.code, missing.err.split('\n')[0]]).toEqual([2, 'onemcp: show__review: number is missing']);
    const unknown = await run((term) => getPrompt('show/reviw', [], term.visiting()), terminal());
    expect([unknown.code, unknown.err]).toEqual([1, expect.stringContaining('did you mean "show/review"?')]);
  });

  it('reads a resource, as text or into a file', async () => {
    const { terminal } = await show();
    const text = await run((term) => read('db://show/orders/9', term.visiting()), terminal());
    expect([text.code, text.out]).toEqual([0, 'order 9\n']);
    const blob = await run((term) => read('db://show/logo', term.visiting()), terminal());
    expect(blob.out).toBe('[image/png, 300 B]\n');
    const saving = terminal();
    expect(await read('db://show/logo', saving.visiting({ output: 'logo.png' }))).toBe(0);
    expect([saving.out, readFileSync(join(saving.cwd, 'logo.png')).length]).toEqual(['', 300]);
    const piped = terminal();
    await read('db://show/orders/9', piped.visiting({ output: '-' }));
    expect(piped.out).toBe('order 9');
  });

  it('says which URI may have been meant', async () => {
    const { terminal } = await show();
    const { code, err } = await run((term) => read('db://show/lgo', term.visiting()), terminal());
    expect(code).toBe(1);
    expect(err).toMatch(/; did you mean "db:\/\/show\/logo"\? \(error -32002\)\n$/);
  });
});
