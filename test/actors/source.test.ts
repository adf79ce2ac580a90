import { expect, it } from 'vitest';
import { createReloading, type ReloadingOptions } from '../../src/actors/source.ts';
import type { Config, Plan } from '../../src/config/config.ts';
import { limitsWith } from '../../src/limits.ts';
import type { Verdict } from '../../src/machines/config.ts';
import { deferred } from '../support/fakeWorld.ts';

const config = { file: 'mcp.json' } as Config;
const next = { file: 'next.json' } as Config;
const good: Verdict = { ok: true, config: next, plan: { order: ['a'] } as unknown as Plan, warnings: [] };

function start(load: ReloadingOptions['load'], limits = {}) {
  const applied: Config[] = [];
  let onChange = () => {};
  let watched = true;
  const reloading = createReloading({
    config,
    limits: limitsWith(limits),
    load,
    watch(listener) {
      onChange = listener;
      return () => {
        watched = false;
      };
    },
    apply: (verdict) => void applied.push(verdict.config),
    reject: () => {},
  });
  return { reloading, applied, edit: () => onChange(), isWatched: () => watched };
}

it('answers with the plan, without the configuration', async () => {
  const { reloading, applied } = start(async (current) =>
    current === config ? good : { ...good, warnings: [{ file: 'x', message: 'y' }] },
  );
  expect(await reloading.reload()).toEqual({ ok: true, plan: { order: ['a'] }, warnings: [] });
  expect(applied).toEqual([next]);
  expect(reloading.current()).toBe(next);
  expect(await reloading.reload()).toMatchObject({ warnings: [{ file: 'x' }] });
});

it('reads when the source changes', async () => {
  const { promise, resolve } = deferred<Config>();
  const { edit } = start(
    async (current) => {
      resolve(current);
      return good;
    },
    { 'reload.quiet': 1 },
  );
  edit();
  expect(await promise).toBe(config);
});

it('leaves nobody without an answer when it is closed', async () => {
  const { reloading, applied, edit, isWatched } = start(() => new Promise(() => {}));
  const answers = Promise.all([reloading.reload(), reloading.reload()]);
  reloading.close();
  const refusal = { ok: false, issues: [{ file: 'mcp.json', message: 'the gateway is going down; nothing was changed' }] };
  expect(await answers).toEqual([refusal, refusal]);
  expect(await reloading.reload()).toEqual(refusal);
  edit();
  expect({ applied, watched: isWatched() }).toEqual({ applied: [], watched: false });
});
