/** What Prometheus itself says of our rules and of our text. */
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CallStats, methodIndex } from '../../src/mcp/callStats.ts';
import { findProgram } from '../debian.ts';
import { viewOf, worldOf } from '../support/fakeWorld.ts';
import { exposed } from '../support/metrics.ts';
import { verifies } from '../support/verifies.ts';

const promtool = findProgram('promtool', { package: 'prometheus', otherwise: 'what Prometheus says of our metrics is NOT TESTED' });
const folder = resolve(import.meta.dirname, '../../deploy/prometheus');

function run(args: readonly string[], input = ''): { status: number | null; said: string } {
  const { status, stdout, stderr } = spawnSync(promtool as string, args, { cwd: folder, input, encoding: 'utf8', timeout: 60_000 });
  return { status, said: `${stdout}${stderr}` };
}

describe.skipIf(!promtool)('promtool', () => {
  it(verifies('metrics-named', 'accepts the alert rules, and the example that loads them'), () => {
    const rules = run(['check', 'rules', 'alerts.yml']);
    expect(rules.status, rules.said).toBe(0);
    expect(rules.said).toMatch(/SUCCESS: \d+ rules found/);
    const config = run(['check', 'config', 'prometheus.yml']);
    expect(config.status, config.said).toBe(0);
  });

  it('finds that the alerts fire when they should, and only then', () => {
    const { status, said } = run(['test', 'rules', 'alerts.test.yml']);
    expect(status, said).toBe(0);
  });

  it(verifies('metrics', 'reads the text, and has nothing to say against a metric of ours'), async () => {
    const stats = new CallStats();
    stats.answered(methodIndex('tools/call'), 5, false);
    stats.failed(methodIndex('prompts/get'), 5, new Error('a bug'));
    const { text } = await exposed(worldOf([viewOf('a'), viewOf('"\\\n')]), {
      calls: () => ({ stats, inFlight: 1, queued: 1, queueAgeMs: 1 }),
    });
    const { status, said } = run(['check', 'metrics'], text);
    // 3: it would name some of the process metrics of prom-client otherwise.
    expect([0, 3], said).toContain(status);
    expect(said.split('\n').filter((line) => line.startsWith('onemcp_') || /error|pars/i.test(line))).toEqual([]);
  });
});
