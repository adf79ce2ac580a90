import { distinctUntilChanged, map, type Observable, type Subscription } from 'rxjs';
import type { View } from '../mcp/view.ts';
import { KINDS, type Kind, type World } from '../world.ts';
import type { Log } from './log.ts';

export interface HiddenOptions {
  readonly view: (world: World) => View;
  readonly redact: (text: string) => string;
}

/** Items of one kind of a backend that no client sees, because another backend has the same. */
interface Group {
  readonly kind: Kind;
  readonly backend: string;
  readonly keptBy: string;
  readonly names: string[];
}

const METHOD: Readonly<Record<Kind, string>> = {
  tools: 'tools/list',
  prompts: 'prompts/list',
  resources: 'resources/list',
  templates: 'resources/templates/list',
};
/** Names that a sentence shows, and characters of each. */
const SHOWN = 5;
const LONGEST = 64;

/** What is hidden of each backend, in sentences; only with `prefix: never` there is any. */
export function hiddenNotes(view: View, redact: HiddenOptions['redact']): ReadonlyMap<string, readonly string[]> {
  const notes = new Map<string, string[]>();
  for (const group of groupsOf(view)) notes.set(group.backend, [...(notes.get(group.backend) ?? []), noteOf(group, redact)]);
  return notes;
}

/** One error for each group, and another one when it changes: a tool that is there and cannot be called is never meant. */
export function narrateHidden(world$: Observable<World>, { view, redact }: HiddenOptions, log: Log): Subscription {
  let told: ReadonlySet<string> = new Set();
  return world$.pipe(map(view), distinctUntilChanged()).subscribe((now) => {
    const groups = new Map(groupsOf(now).map((group) => [JSON.stringify(group), group]));
    for (const [key, group] of groups) {
      if (told.has(key)) continue;
      const { backend } = group;
      log('error', 'backend.hidden', { message: `${backend}: ${noteOf(group, redact)}`, backend });
    }
    told = new Set(groups.keys());
  });
}

function groupsOf(view: View): readonly Group[] {
  const groups = new Map<string, Group>();
  for (const kind of KINDS) {
    for (const { backend, keptBy, name } of view[kind].hidden) {
      const key = JSON.stringify([kind, backend, keptBy]);
      const group = groups.get(key);
      if (group) group.names.push(name);
      else groups.set(key, { kind, backend, keptBy, names: [name] });
    }
  }
  return [...groups.values()];
}

/** Begins with the method it is about, as the notes of the catalog do. */
function noteOf({ kind, keptBy, names }: Group, redact: HiddenOptions['redact']): string {
  const shown = names.slice(0, SHOWN).map((name) => {
    const safe = redact(name);
    return safe.length > LONGEST ? `${safe.slice(0, LONGEST)}…` : safe;
  });
  const more = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : '';
  const items = names.length === 1 ? '1 item is' : `${names.length} items are`;
  return `${METHOD[kind]}: ${items} hidden, because "${keptBy}" has the same: ${shown.join(', ')}${more}`;
}
