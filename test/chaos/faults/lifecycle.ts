/** Backends and their children that do not want to end. Each once with SIGTERM, once with `kill -9` of the gateway. */
import { join, resolve } from 'node:path';
import { fixture } from '../../e2e/gateway.ts';
import type { Fault } from '../harness/fault.ts';

const GOOD = join(resolve(import.meta.dirname, '../../fixtures/backends'), 'good.mjs');
const shell = (script: string) => ({ command: ['/bin/sh', '-c', script, process.execPath, GOOD] });

const STUBBORN: readonly Fault[] = [
  { name: 'ignore-sigterm', backend: fixture('ignores-sigterm'), after: 'usable' },
  { name: 'slow-exit', backend: fixture('slow-exit'), after: 'usable' },
  { name: 'fork-grandchild', backend: fixture('forks-children'), after: 'usable' },
  { name: 'daemon-grandchild', backend: fixture('daemon-grandchild'), after: 'usable' },
  {
    name: 'three-stubborn',
    backend: fixture('ignores-sigterm'),
    beside: { second: fixture('ignores-sigterm'), third: fixture('forks-children') },
    after: 'usable',
  },
  // The shell stays, as npx and uvx do.
  { name: 'shell-wrapper', backend: shell('"$0" "$1"; true'), after: 'usable' },
  // A child that has ended belongs to the program, which knows nothing of it and never collects it.
  { name: 'zombie-maker', backend: shell('true & exec "$0" "$1"'), after: 'usable' },
  { name: 'exit-code-on-stop', backend: fixture('die', { CAUSE: 'exit-3', MOMENT: 'stop' }), call: { tool: 'echo' }, after: 'usable' },
];

/** Their children are of the run too: each restart has to take them along. */
const RESTARTED: readonly Fault[] = ['forks-children', 'daemon-grandchild', 'ignores-sigterm'].map((name) => ({
  name: `restarted ${name}`,
  backend: fixture(name),
  call: false,
  after: 'usable',
  async steps(trial) {
    for (let round = 0; round < 2; round++) {
      const { pid } = await trial.detail();
      process.kill(pid as number, 'SIGKILL');
      await trial.expectSoon('recovery', 'another process serves', async () => ![pid, undefined].includes((await trial.detail()).pid));
    }
  },
}));

export const LIFECYCLE: readonly Fault[] = [
  ...STUBBORN,
  ...STUBBORN.map((fault) => ({ ...fault, name: `kill9 ${fault.name}`, kill: true })),
  ...RESTARTED,
];
