import { describe, expect, it } from 'vitest';
import type { Plan } from '../../src/config/config.ts';
import { OnemcpError } from '../../src/errors.ts';
import { controlRoutes } from '../../src/http/control.ts';
import type { ControlOps } from '../../src/http/controlOps.ts';
import type { StatusDocument } from '../../src/observe/status.ts';
import type { Operation } from '../../src/world.ts';

const NOTHING: Plan = { start: [], stop: [], swap: [], retag: [], unchanged: ['a'], order: ['a'], needsRestart: [] };

function plane(patch: Partial<ControlOps> = {}) {
  const operations: (Operation & { wait: boolean })[] = [];
  const app = controlRoutes({
    status: () => ({ phase: 'running' }) as StatusDocument,
    why(name) {
      if (name === 'a b/c') return { timestamp: '', name, path: [], circuit: 'closed' };
      throw new OnemcpError('unknown_server', `there is no server "${name}"; did you mean "a"?`);
    },
    async operate(operation, { wait }) {
      operations.push({ ...operation, wait });
      return { ok: true, message: 'done', server: undefined };
    },
    ...patch,
  });
  const post = async (path: string, body?: unknown) => {
    const answer = await app.request(path, {
      method: 'POST',
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    return { status: answer.status, body: await answer.json() };
  };
  return { app, post, operations };
}

describe('the control plane', () => {
  it('shows the status and the story of a server, whatever its name', async () => {
    const { app } = plane();
    expect(await (await app.request('/status')).json()).toEqual({ phase: 'running' });
    expect(await (await app.request('/why/a%20b%2Fc')).json()).toMatchObject({ name: 'a b/c' });
  });

  it('says which server was meant', async () => {
    const answer = await plane().app.request('/why/aa');
    expect(answer.status).toBe(404);
    expect(await answer.json()).toEqual({ code: 'unknown_server', message: 'there is no server "aa"; did you mean "a"?' });
  });

  it.each(['start', 'stop', 'restart', 'resume'] as const)('carries out %s', async (op) => {
    const { post, operations } = plane();
    expect(await post(`/servers/x%2Fy/${op}`)).toEqual({ status: 200, body: { ok: true, message: 'done' } });
    expect(operations).toEqual([{ op, name: 'x/y', wait: true }]);
  });

  it('drains with and without an end', async () => {
    const { post, operations } = plane();
    await post('/servers/a/drain', { holdMs: 30_000 });
    await post('/servers/a/drain', { wait: false });
    expect(operations).toEqual([
      { op: 'drain', name: 'a', holdMs: 30_000, wait: true },
      { op: 'drain', name: 'a', holdMs: undefined, wait: false },
    ]);
  });

  it.each<[what: string, path: string, body: unknown, status: number]>([
    ['a hold of no length', '/servers/a/drain', { holdMs: 0 }, 400],
    ['a hold that no timer can wait for', '/servers/a/drain', { holdMs: 2 ** 31 }, 400],
    ['a hold in words', '/servers/a/drain', { holdMs: '30s' }, 400],
    ['a wait that is neither', '/servers/a/stop', { wait: 1 }, 400],
    ['a body that is a list', '/servers/a/stop', [], 400],
    ['a body that is not JSON', '/servers/a/stop', '{', 400],
    ['a body without end', '/servers/a/stop', `"${'x'.repeat(70_000)}"`, 413],
    ['an operation that there is not', '/servers/a/explode', {}, 400],
    ['a path that there is not', '/nothing', {}, 404],
  ])('refuses %s', async (_, path, body, status) => {
    const { post, operations } = plane();
    const answer = await post(path, body);
    expect(answer).toMatchObject({ status, body: { code: expect.any(String), message: expect.any(String) } });
    expect(operations).toEqual([]);
  });

  it('reloads, and shows what would be', async () => {
    const { post } = plane({
      reload: async () => ({ ok: true, plan: NOTHING, warnings: [] }),
      plan: async (file) => ({ ok: true, plan: { ...NOTHING, order: [String(file)] }, warnings: [] }),
    });
    expect(await post('/reload')).toEqual({ status: 200, body: { ok: true, plan: NOTHING, warnings: [] } });
    expect(await post('/plan', { file: '/x.json' })).toMatchObject({ body: { plan: { order: ['/x.json'] } } });
  });

  it('gives every issue of a configuration that is not applied', async () => {
    const issues = [{ file: 'mcp.json', line: 3, column: 5, message: 'unknown key' }];
    const { post } = plane({ reload: async () => ({ ok: false, issues }) });
    expect(await post('/reload')).toEqual({
      status: 422,
      body: { code: 'invalid_config', message: 'the configuration has an error; nothing was changed', issues },
    });
  });

  it('says that it cannot reload where it cannot', async () => {
    expect(await plane().post('/reload')).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  });

  it('turns a bug into an error of its own', async () => {
    const { app } = plane({
      status: () => {
        throw new TypeError('oops');
      },
    });
    const answer = await app.request('/status');
    expect([answer.status, await answer.json()]).toEqual([500, { code: 'internal', message: 'oops' }]);
  });
});
