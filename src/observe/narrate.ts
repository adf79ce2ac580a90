import { type Observable, pairwise, type Subscription } from 'rxjs';
import type { BackendView, InstanceView, World } from '../world.ts';
import type { Log } from './log.ts';

/** One line for each transition worth reading. */
export function narrate(world$: Observable<World>, log: Log): Subscription {
  return world$.pipe(pairwise()).subscribe(([before, after]) => {
    // Nothing was ever started when it stops while booting.
    if (before.phase !== after.phase && before.phase !== 'booting') narratePhase(after, log);
    for (const view of after.backends.values()) {
      const known = before.backends.get(view.name);
      if (known === view) continue;
      if (known?.state !== view.state) narrateState(view.name, view, known, log);
      if (known) narrateChanges(view, known, log);
      if (known?.notes !== view.notes)
        for (const note of view.notes.slice(0, 20)) log('warn', 'backend.note', { message: `${view.name}: ${note}`, backend: view.name });
    }
    for (const name of before.backends.keys()) {
      if (!after.backends.has(name)) log('info', 'backend.removed', { message: `${name}: removed from the configuration`, backend: name });
    }
    if (before.instances !== after.instances) narrateInstances(before, after, log);
  });
}

/** Like backends, under their own ids; they come and go. */
function narrateInstances({ instances: before }: World, { instances: after }: World, log: Log): void {
  for (const [id, view] of after) {
    const known = before.get(id);
    if (known?.state !== view.state) narrateState(id, view, known, log);
  }
  for (const [id, view] of before) if (!after.has(id)) narrateState(id, { ...view, state: 'stopped' }, view, log);
}

/** What happens to a backend besides the states of its connection. */
function narrateChanges(view: BackendView, known: BackendView, log: Log): void {
  const backend = { backend: view.name };
  const { next, held, waitsFor, generation } = view;
  if (waitsFor.length > 0 && waitsFor.join() !== known.waitsFor.join()) {
    log('info', 'backend.waits', { message: `${view.name}: waits for ${waitsFor.map((name) => `"${name}"`).join(', ')}`, ...backend });
  }
  if (held && !known.held) log('info', 'backend.held', { message: `${view.name}: drained, requests wait`, ...backend });
  if (!held && known.held) log('info', 'backend.resumed', { message: `${view.name}: resumed`, ...backend });
  if (next && next.lastError !== known.next?.lastError && next.lastError) {
    const message = `${view.name}: its new version does not come up, the old one keeps serving: ${next.lastError.message}`;
    log('error', 'backend.successor_failed', { message, ...backend, generation: next.generation });
  }
  if (known.next && generation === known.next.generation) {
    log('info', 'backend.replaced', {
      message: `${view.name}: its new version serves now`,
      ...backend,
      generation,
      pid: view.session?.pid,
    });
  }
}

function narratePhase({ phase }: World, log: Log): void {
  if (phase === 'draining') log('info', 'gateway.draining', { message: 'draining: calls in flight may finish, new sessions are refused' });
  if (phase === 'stopping') log('info', 'gateway.stopping', { message: 'stopping the servers' });
}

function narrateState(name: string, view: BackendView | InstanceView, known: BackendView | undefined, log: Log): void {
  const { state, lastError, failures } = view;
  const backend = { backend: name };
  if (state === 'connected') {
    const again = view.connects > 1 ? 'connected again' : 'connected';
    const offer = 'instance' in view ? '' : ` (${offerOf(view)})`;
    log('info', 'backend.connected', {
      message: `${name}: ${again} in ${view.since - (known?.since ?? view.since)} ms${offer}`,
      ...backend,
      pid: view.session?.pid,
    });
  } else if (state === 'error') {
    log('error', 'backend.error', { message: `${name}: ${lastError?.message ?? 'failed'}`, ...backend, code: lastError?.code });
  } else if (state === 'retrying') {
    const delay = view.retryAt === undefined ? 0 : view.retryAt - view.since;
    log('warn', 'backend.retrying', { message: `${name}: next start in ${(delay / 1000).toFixed(1)} s (failure ${failures})`, ...backend });
  } else if (state === 'failed') {
    const next =
      view.retryAt === undefined ? 'not tried again by itself' : `tried again in ${Math.round((view.retryAt - view.since) / 1000)} s`;
    log('error', 'backend.failed', { message: `${name}: failed, ${next} (failure ${failures})`, ...backend, code: lastError?.code });
  } else {
    log('debug', `backend.${state}`, { message: `${name}: ${state}`, ...backend });
  }
}

function offerOf({ items }: BackendView): string {
  const counts = (['tools', 'prompts', 'resources'] as const)
    .filter((kind) => items[kind].length > 0)
    .map((kind) => `${items[kind].length} ${items[kind].length === 1 ? kind.slice(0, -1) : kind}`);
  return counts.join(', ') || 'nothing to offer';
}
