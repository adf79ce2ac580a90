import type { Reloaded } from '../config/config.ts';
import { formatIssue } from '../config/load.ts';
import { type Asking, say, withGateway } from './control.ts';
import { EXIT } from './process.ts';

/** `onemcp reload [FILE]`: the gateway reads its configuration again; errors of it are printed, and change nothing. */
export async function reload(asking: Asking): Promise<number> {
  const { flags, ports } = asking;
  return withGateway(asking, async (ask) => {
    const result = await ask<Reloaded & { readonly ok: true }>({ method: 'POST', path: '/reload' });
    for (const issue of result.warnings) say(ports.stderr, `warning: ${formatIssue(issue)}`);
    say(ports.stdout, flags.json ? JSON.stringify(result, null, 2) : summary(result.plan));
    return EXIT.ok;
  });
}

function summary({ start, stop, swap, retag, unchanged, needsRestart }: (Reloaded & { readonly ok: true })['plan']): string {
  const named = (what: string, names: readonly string[]) => (names.length > 0 ? [`${what} ${names.join(', ')}`] : []);
  const specs = (list: readonly { readonly name: string }[]) => list.map(({ name }) => name);
  const changes = [
    ...named('starts', specs(start)),
    ...named('stops', stop),
    ...named('replaces', specs(swap)),
    ...named('changes without a restart', specs(retag)),
  ];
  const what = changes.length > 0 ? changes.join('; ') : 'nothing has changed';
  const later = needsRestart.length > 0 ? `\nonly a restart of the gateway applies ${needsRestart.join(', ')}` : '';
  return `reloaded: ${what} (${unchanged.length} unchanged)${later}`;
}
