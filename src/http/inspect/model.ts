/** Client code: what the page knows. Messages in, actors and rows out; nothing here touches the document. */
export const MODEL = String.raw`
const ROWS_KEPT = 2000;
const actors = new Map();
let rows = [];
let rowCount = 0;
let clock = 0; // server time minus ours
let endedKept = 30000;

const now = () => Date.now() + clock;
const firstKey = (value) => Object.keys(value)[0];
const topState = (value) => (typeof value === 'string' ? value : value ? firstKey(value) : undefined);
const pathOf = (value) => (typeof value === 'string' ? value : value ? firstKey(value) + '.' + pathOf(value[firstKey(value)]) : undefined);

function newActor(message) {
  const parent = actors.get(message.parentId);
  const isBackend = Boolean(parent) && !parent.parent && /#\d+$/.test(message.name);
  const title = isBackend ? message.name.replace(/#\d+$/, '') : message.name;
  return {
    id: message.sessionId,
    parent,
    kind: parent ? (isBackend ? 'backend' : 'child') : 'root',
    title,
    key: !parent ? 'root' : isBackend || parent.kind === 'root' ? title : parent.key + '/' + title,
    generation: isBackend ? Number(message.name.replace(/^.*#/, '')) : 0,
    chart: chartOf(message.definition),
    context: {},
    since: Number(message.createdAt) || now(),
    fired: [],
  };
}

/** The word shown for an actor: the state of its machine, or whether it is still there. */
const stateOf = (actor) => (actor.value === undefined ? actor.status : topState(actor.value)) || 'active';
const sinceOf = (actor) => actor.context.since || actor.since;

function show(actor, snapshot, at) {
  const before = pathOf(actor.value);
  const after = pathOf(snapshot.value);
  if (before !== after || actor.status !== snapshot.status) actor.since = at;
  if (snapshot.status !== 'active') actor.endedAt = actor.endedAt || at;
  actor.status = snapshot.status;
  actor.value = snapshot.value;
  actor.context = snapshot.context || {};
  return [before, after];
}

function addRow(row) {
  row.n = ++rowCount;
  rows.push(row);
  if (rows.length > ROWS_KEPT * 1.2) rows = rows.slice(-ROWS_KEPT);
  return row;
}

/** Returns the row that a message added or completed. */
function receive(message) {
  const at = Number(message.createdAt);
  if (message.type === '@onemcp.hello') {
    actors.clear();
    rows = [];
    clock = message.now - Date.now();
    endedKept = message.endedKept;
  } else if (message.type === '@xstate.actor') {
    const actor = newActor(message);
    actors.set(actor.id, actor);
    show(actor, message.snapshot, at);
    actor.endedAt = message.endedAt;
    if (actor.endedAt) actor.since = actor.endedAt;
  } else if (message.type === '@xstate.event') {
    const row = { at, id: message.sessionId, label: message.actor, event: message.event.type, source: actors.get(message.sourceId) };
    return addRow(describe(row));
  } else if (message.type === '@xstate.snapshot') {
    const actor = actors.get(message.sessionId);
    const type = message.event.type;
    let row;
    for (let n = rows.length - 1; n >= 0 && n > rows.length - 200 && !row; n--) {
      if (rows[n].id === message.sessionId && rows[n].event === type && rows[n].state === undefined) row = rows[n];
    }
    row = row || addRow(describe({ at, id: message.sessionId, label: message.actor, event: type }));
    row.state = pathOf(message.snapshot.value) || message.snapshot.status;
    if (!actor) return row;
    const [before, after] = show(actor, message.snapshot, at);
    row.changed = before !== after || after === undefined;
    if (before !== after && after) {
      actor.last = { from: before, to: after, event: type };
      actor.fired.push(actor.last);
      if (actor.fired.length > 6) actor.fired.shift();
    }
    return row;
  }
}

/** Adds who it is about, and whether only somebody who looks inside wants to see it. */
function describe(row) {
  const actor = actors.get(row.id);
  row.key = actor ? actor.key : row.label || row.id;
  row.kind = actor ? actor.kind : 'child';
  row.text = eventText(row.event, actor);
  row.inner = row.kind === 'child' || row.event.startsWith('xstate.snapshot.') || row.event === 'xstate.init';
  return row;
}

/** xstate's own event types in the words of the charts. */
function eventText(type, actor) {
  const source = (rest) => (actor && actor.chart && actor.chart.invoked.get(rest)) || rest.replace(/#0$/, '');
  const cut = (prefix) => (type.startsWith(prefix) ? type.slice(prefix.length) : undefined);
  let rest;
  if ((rest = cut('xstate.done.actor.'))) return source(rest) + ' done';
  if ((rest = cut('xstate.error.actor.'))) return source(rest) + ' failed';
  if ((rest = cut('xstate.snapshot.'))) return source(rest) + ' changed';
  if ((rest = cut('xstate.after.'))) return afterText(rest.split('.')[0]);
  if (type === 'xstate.promise.resolve') return 'resolved';
  if (type === 'xstate.promise.reject') return 'rejected';
  return cut('xstate.') || type;
}

/** Backends and their instances in the order of their first start; of several generations the newest that is there. */
function backends() {
  const newest = new Map();
  for (const actor of actors.values()) {
    if (actor.kind !== 'backend') continue;
    const other = newest.get(actor.title);
    if (!other || other.endedAt || other.generation <= actor.generation) newest.set(actor.title, actor);
  }
  return [...newest.values()];
}
const firstRoot = () => [...actors.values()].find((actor) => actor.kind === 'root');
const childrenOf = (parent) => [...actors.values()].filter((actor) => actor.parent === parent && actor.kind === 'child');

/** The server forgets ended actors, and so do we. */
function forgetEnded() {
  for (const actor of actors.values()) {
    const gone = actor.endedAt !== undefined && now() - actor.endedAt > endedKept;
    if (gone && actor.kind !== 'root') actors.delete(actor.id);
  }
}
`;
