import type { AnyStateMachine, StateNode } from 'xstate';

/** One row of a chart: in a state, an event leads to another state. */
interface Arrow {
  readonly from: string;
  readonly event: string;
  readonly to: string;
}

/** The state chart of a machine as Mermaid text, made from the machine itself. */
export function mermaid(machine: AnyStateMachine): string {
  const { root } = machine;
  const lines = ['stateDiagram-v2', `  [*] --> ${initialOf(root)}`];
  for (const node of Object.values(root.states)) lines.push(...stateLines(node, '  '));
  for (const { from, event, to } of merged(arrowsOf(root))) lines.push(`  ${from} --> ${to}: ${event}`);
  for (const node of Object.values(root.states)) if (node.type === 'final') lines.push(`  ${node.key} --> [*]`);
  return lines.join('\n');
}

type Node = StateNode;

const initialOf = ({ initial }: Node): string => (initial.target as readonly Node[])[0]?.key ?? '';

function stateLines(node: Node, indent: string): string[] {
  const children = Object.values(node.states);
  if (children.length === 0) return [];
  return [
    `${indent}state ${node.key} {`,
    `${indent}  [*] --> ${initialOf(node)}`,
    ...children.flatMap((child) => stateLines(child, `${indent}  `)),
    ...merged(children.flatMap((child) => arrowsOf(child, false)).filter(({ to }) => children.some(({ key }) => key === to))).map(
      ({ from, event, to }) => `${indent}  ${from} --> ${to}: ${event}`,
    ),
    `${indent}}`,
  ];
}

/** The arrows of a node and of those below it, but for arrows between siblings below the top: they stand in their parent. */
function arrowsOf(node: Node, deep = true): Arrow[] {
  const own = [...node.transitions.values()]
    .flat()
    .flatMap(({ eventType, target, source }) =>
      (target ?? []).map((to) => ({ from: (source as Node).key, event: label(String(eventType)), to: (to as Node).key })),
    );
  const ownAlways = (node.always ?? []).flatMap(({ target, guard }) =>
    (target ?? []).map((to) => ({ from: node.key, event: words(guard), to: (to as Node).key })),
  );
  if (!deep) return [...own, ...ownAlways];
  const below = Object.values(node.states).flatMap((child) => arrowsOf(child));
  const isTop = node.parent === undefined;
  const siblings = new Set(Object.keys(node.states));
  return [...own, ...ownAlways, ...(isTop ? below : below.filter(({ from, to }) => !(siblings.has(from) && siblings.has(to))))];
}

/** `noneAlive` → `none alive`. */
function words(guard: unknown): string {
  const name = typeof guard === 'string' ? guard : String((guard as { type?: unknown } | undefined)?.type ?? 'always');
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

/** `xstate.done.actor.0.backend.starting` → `open done`; `xstate.after.startTimeout.…` → `after startTimeout`. */
function label(eventType: string): string {
  const delay = /^xstate\.after\.(\w+)\./.exec(eventType);
  if (delay) return `after ${delay[1]}`;
  const actor = /^xstate\.(done|error)\.actor\.(.*)$/.exec(eventType);
  if (actor) return actor[1] === 'done' ? 'done' : 'failed';
  return eventType;
}

/** Arrows between the same two states as one. */
function merged(arrows: readonly Arrow[]): Arrow[] {
  const byEnds = new Map<string, Arrow>();
  for (const arrow of arrows) {
    const key = `${arrow.from} ${arrow.to}`;
    const known = byEnds.get(key);
    byEnds.set(
      key,
      known && !known.event.split(' / ').includes(arrow.event) ? { ...known, event: `${known.event} / ${arrow.event}` } : (known ?? arrow),
    );
  }
  return [...byEnds.values()];
}
