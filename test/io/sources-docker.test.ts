import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createDockerSource, type DockerOptions } from '../../src/io/sources/docker.ts';
import { until } from '../http/serverKit.ts';
import { fakeDocker } from './fakeDocker.ts';
import { RETRY, watching } from './sourcesKit.ts';

const on = (labels: Record<string, string> = {}) => ({ 'onemcp.enable': 'true', 'onemcp.port': '3001', ...labels });

async function started(options: Partial<DockerOptions> = {}) {
  const docker = await fakeDocker();
  const skipped: string[] = [];
  const onSkip = (place: string, why: string) => void skipped.push(`${place} ${why}`);
  const begin = () =>
    watching(createDockerSource({ socketPath: docker.socketPath, label: 'onemcp', retry: RETRY, onSkip, resync: 60_000, ...options }));
  return { docker, skipped, begin };
}

describe('what labels say', () => {
  it('makes entries of the containers that are enabled and run', async () => {
    const { docker, begin, skipped } = await started();
    docker.put({ id: 'a', labels: on() });
    docker.put({ id: 'b', names: ['/web/alias', '/proj-b-1'], labels: on({ 'com.docker.compose.service': 'service-b' }) });
    const labels = on({
      'onemcp.name': 'c',
      'onemcp.path': 'sse',
      'onemcp.type': 'sse',
      'onemcp.tags': 'one, two,,',
      'onemcp.headers.Authorization': 'Bearer ${SECRET:c}',
    });
    docker.put({ id: 'c1', labels });
    docker.put({ id: 'd', labels: { 'onemcp.enable': 'true', 'onemcp.url': 'https://d.example.com/mcp' } });
    docker.put({ id: 'e', labels: on(), networks: { none: '', six: 'fd00::2' } });
    docker.put({ id: 'off', labels: { 'onemcp.enable': 'false', 'onemcp.port': '1' } });
    docker.put({ id: 'other', labels: { 'onemcp.port': '1' } });
    docker.put({ id: 'paused', labels: on(), state: 'paused' });
    const told = begin();
    await until(() => told.found.length > 0);
    expect(told.found[0]).toEqual([
      { name: 'a', entry: { url: 'http://172.17.0.2:3001/mcp' }, place: 'container a' },
      {
        name: 'c',
        entry: {
          url: 'http://172.17.0.2:3001/sse',
          type: 'sse',
          tags: ['one', 'two'],
          headers: { Authorization: 'Bearer ${SECRET:c}' },
        },
        place: 'container c1',
      },
      { name: 'd', entry: { url: 'https://d.example.com/mcp' }, place: 'container d' },
      { name: 'e', entry: { url: 'http://[fd00::2]:3001/mcp' }, place: 'container e' },
      { name: 'service-b', entry: { url: 'http://172.17.0.2:3001/mcp' }, place: 'container proj-b-1' },
    ]);
    expect([skipped, told.problems]).toEqual([[], []]);
  });

  it('chooses among networks by the label, by the name Compose gives them, and by name', async () => {
    const { docker, begin, skipped } = await started();
    const networks = { proj_back: '10.0.0.1', front: '10.0.1.1' };
    const project = { 'com.docker.compose.project': 'proj' };
    docker.put({ id: 'front', networks, labels: on() });
    docker.put({ id: 'back', networks, labels: on({ 'onemcp.network': 'back', ...project }) });
    docker.put({ id: 'lost', networks, labels: on({ 'onemcp.network': 'side', ...project }) });
    docker.put({ id: 'host', networks: { host: '' }, labels: on() });
    const told = begin();
    await until(() => told.found.length > 0);
    expect([told.urlOf('front'), told.urlOf('back'), told.names()]).toEqual([
      'http://10.0.1.1:3001/mcp',
      'http://10.0.0.1:3001/mcp',
      'back,front',
    ]);
    expect(skipped.sort()).toEqual([
      'container host has no address in a network; write onemcp.url',
      'container lost has no address in a network; check onemcp.network',
    ]);
  });

  it('says why a container cannot be used, once', async () => {
    const { docker, begin, skipped } = await started();
    docker.put({ id: 'none', labels: { 'onemcp.enable': 'true' } });
    docker.put({ id: 'wrong', labels: on({ 'onemcp.port': '70000' }) });
    const told = begin();
    await until(() => told.found.length > 0);
    docker.run({ id: 'good', labels: on() });
    await until(() => told.names() === 'good');
    expect(skipped.sort()).toEqual([
      'container none has neither the label onemcp.url nor onemcp.port',
      'container wrong has the label onemcp.port, which is no port',
    ]);
  });

  it('takes the oldest of a scaled service, and the next when it goes', async () => {
    const { docker, begin, skipped } = await started();
    const labels = on({ 'onemcp.name': 'web' });
    docker.put({ id: 'new', created: 20, labels, networks: { n: '10.0.0.2' } });
    docker.put({ id: 'old', created: 10, labels, networks: { n: '10.0.0.1' } });
    const told = begin();
    await until(() => told.urlOf('web') === 'http://10.0.0.1:3001/mcp');
    expect(skipped).toEqual(['container new has the same name as container old, "web", which is older']);
    docker.die('old');
    await until(() => told.urlOf('web') === 'http://10.0.0.2:3001/mcp');
    expect(told.found).toHaveLength(2);
  });
});

describe('changes', () => {
  it('tells of containers that start, are renamed and die, each time with all', async () => {
    const { docker, begin } = await started();
    const told = begin();
    await until(() => told.found.length === 1);
    expect(told.found[0]).toEqual([]);
    docker.run({ id: 'a', labels: on() });
    await until(() => told.names() === 'a');
    docker.run({ id: 'b', labels: on() });
    await until(() => told.names() === 'a,b');
    docker.rename('b', 'c');
    await until(() => told.names() === 'a,c');
    docker.die('a');
    await until(() => told.names() === 'c');
    expect(told.found).toHaveLength(5);
    expect(told.problems).toEqual([]);
  });

  it('loses nothing between the stream and the list: events are asked for first', async () => {
    const { docker, begin } = await started();
    docker.instead.set('/containers/json', (_, response) => {
      docker.instead.clear();
      // Starts after this list was made, and before it has arrived.
      docker.run({ id: 'a', labels: on() });
      response.end('[]');
    });
    const told = begin();
    await until(() => told.names() === 'a');
    expect(docker.asked).toEqual(['/events', '/containers/json', '/containers/json']);
  });

  it('lists anew after the stream broke, and what changed meanwhile is there', async () => {
    const { docker, begin } = await started();
    docker.put({ id: 'a', labels: on() });
    const told = begin();
    await until(() => told.names() === 'a');
    docker.hangUp();
    docker.put({ id: 'b', labels: on() });
    await until(() => told.names() === 'a,b');
    // That a stream ends is no problem as long as the next one begins.
    expect(told.problems).toEqual([]);
  });

  it('lists now and then without an event', async () => {
    const { docker, begin } = await started({ resync: 30 });
    const told = begin();
    await until(() => told.found.length === 1);
    docker.put({ id: 'a', labels: on() });
    await until(() => told.names() === 'a');
    expect(docker.asked.filter((path) => path === '/events')).toHaveLength(1);
  });
});

describe('what goes wrong', () => {
  it('keeps what was found while Docker is away, and goes on when it is back', async () => {
    const { docker, begin } = await started();
    docker.put({ id: 'a', labels: on() });
    const told = begin();
    await until(() => told.names() === 'a');
    await docker.down();
    await until(() => told.problems.length === 1);
    expect(told.problems[0]).toBe(
      `there is no socket ${docker.socketPath}: is Docker running, and is its socket mounted where onemcp runs in a container?`,
    );
    // Many attempts later.
    await sleep(200);
    expect([told.found.length, told.problems.length]).toEqual([1, 1]);
    docker.put({ id: 'b', labels: on() });
    await docker.up();
    await until(() => told.names() === 'a,b');
    expect(told.problems).toHaveLength(2);
    expect(told.problems[1]).toBeUndefined();
  });

  it('does not stumble over garbage and endless lines between the events', async () => {
    const { docker, begin } = await started();
    const told = begin();
    await until(() => told.found.length === 1);
    docker.say('no json\n\n{"half":\n[]\nnull\n\u0000\n');
    docker.say(`${'x'.repeat(1024 * 1024)}\n`);
    docker.run({ id: 'a', labels: on() });
    await until(() => told.names() === 'a');
    expect(docker.streams).toBe(1);
    // Without an end: the stream is given up, and opened again.
    docker.say('x'.repeat(3 * 1024 * 1024));
    await until(() => docker.asked.filter((path) => path === '/events').length === 2);
    docker.run({ id: 'b', labels: on() });
    await until(() => told.names() === 'a,b');
    expect(told.problems).toEqual([]);
  });

  const PARTS = [null, 1, 'x', [], {}, { Id: 1 }, { Id: 'x' }, { Id: 'y', Names: 'n', Labels: [], NetworkSettings: { Networks: null } }];
  it.each([
    ['something that is no list', (text: string) => text, '{"a":1}', /no list of containers/],
    ['half a list', (text: string) => text, '[{"Id":', /no list of containers/],
    ['strange containers', JSON.stringify, PARTS, undefined],
  ])('takes %s', async (_, write, content, problem) => {
    const { docker, begin } = await started();
    docker.instead.set('/containers/json', (__, response) => void response.end(write(content as never)));
    const told = begin();
    await until(() => told.problems.length + told.found.length > 0);
    if (problem) expect(told.problems[0]).toMatch(problem);
    else expect([told.found[0], told.problems]).toEqual([[], []]);
  });

  it('gives up an answer that is late', async () => {
    const { docker, begin } = await started({ timeout: 100 });
    docker.instead.set('/containers/json', (_, response) => void response.write('['));
    const told = begin();
    await until(() => told.problems.length === 1);
    expect(told.problems[0]).toBe(`Docker at ${docker.socketPath} cannot be asked: no answer within 0.1 s`);
  });

  it('gives up an answer that is too large', async () => {
    const { docker, begin } = await started();
    docker.instead.set('/containers/json', (_, response) => {
      response.on('error', () => {});
      for (let chunk = 0; chunk < 17; chunk++) response.write(' '.repeat(1024 * 1024));
    });
    const told = begin();
    await until(() => told.problems.length === 1);
    expect(told.problems[0]).toBe(`Docker at ${docker.socketPath} cannot be asked: the answer is larger than 16777216 bytes`);
    docker.instead.clear();
    await until(() => told.found.length === 1);
    expect(told.problems.at(-1)).toBeUndefined();
  });

  it('tells what Docker says of a refusal', async () => {
    const { docker, begin } = await started();
    docker.instead.set('/events', (_, response) => void response.writeHead(500).end('{"message":"daemon\\nis\\u001b[31m ill"}'));
    const told = begin();
    await until(() => told.problems.length === 1);
    expect(told.problems[0]).toBe(`Docker at ${docker.socketPath} answered 500: daemon\\u000ais\\u001b[31m ill`);
  });

  it('says what to do about a socket it may not open', async () => {
    const { docker, begin } = await started();
    chmodSync(docker.folder, 0o755);
    chmodSync(docker.socketPath, 0);
    if (process.geteuid?.() === 0) {
      // Root may open everything.
      process.seteuid?.(65_534);
      onTestFinished(() => process.seteuid?.(0));
    }
    const told = begin();
    await until(() => told.problems.length === 1);
    expect(told.problems[0]).toMatch(/may not be opened \(EACCES\): let the user of onemcp into the group/);
  });

  it('says what is wrong with a path that is no socket', async () => {
    const { docker, begin } = await started({ socketPath: join(import.meta.dirname, 'sourcesKit.ts') });
    const told = begin();
    await until(() => told.problems.length === 1);
    expect(told.problems[0]).toMatch(/nobody listens on .*sourcesKit\.ts: is Docker running\?/);
    expect(docker.asked).toEqual([]);
  });
});

describe('the end', () => {
  it('leaves no connection, and tells nothing more', async () => {
    const { docker, begin } = await started();
    docker.put({ id: 'a', labels: on() });
    const told = begin();
    await until(() => told.names() === 'a');
    told.stop();
    await until(() => docker.streams === 0);
    const asked = docker.asked.length;
    docker.run({ id: 'b', labels: on() });
    await docker.down();
    await sleep(100);
    expect([told.found.length, told.problems.length, docker.asked.length]).toEqual([1, 0, asked]);
    // Once more does nothing.
    told.stop();
  });

  it('can be stopped in the middle of a list, while it waits, and from a handler', async () => {
    const { docker, begin } = await started();
    let listing = 0;
    docker.instead.set('/containers/json', () => void listing++);
    const slow = begin();
    await until(() => listing === 1);
    slow.stop();
    await until(() => docker.streams === 0);
    docker.instead.clear();
    await docker.down();
    const away = begin();
    await until(() => away.problems.length === 1);
    away.stop();
    await docker.up();
    let calls = 0;
    const stop = createDockerSource({ socketPath: docker.socketPath, label: 'onemcp', retry: RETRY }).watch({
      onFound: () => {
        calls++;
        stop();
      },
      onProblem: () => void calls++,
    });
    await until(() => calls === 1);
    docker.run({ id: 'a', labels: on() });
    await sleep(100);
    expect([slow.found, slow.problems, away.found, listing, calls, docker.streams]).toEqual([[], [], [], 1, 1, 0]);
  });
});
