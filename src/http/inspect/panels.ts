/** Client code: header, tree, facts and the sequence of events. Whatever comes from outside is set as text. */
export const PANELS = `
const $ = (id) => document.getElementById(id);
function el(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) if (value !== undefined && value !== false) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== undefined && child !== false));
  return element;
}
/** Writes only what differs, so that nothing flickers and no selection of text is lost. */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
const STATES = ['connected', 'starting', 'idle', 'error', 'retrying', 'stopping', 'stopped'];

function span(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return s + ' s';
  if (s < 3600) return Math.floor(s / 60) + ' m ' + String(s % 60).padStart(2, '0') + ' s';
  if (s < 86400) return Math.floor(s / 3600) + ' h ' + String(Math.floor((s % 3600) / 60)).padStart(2, '0') + ' m';
  return Math.floor(s / 86400) + ' d ' + Math.floor((s % 86400) / 3600) + ' h';
}
const two = (n) => String(n).padStart(2, '0');
function clockText(at) {
  const d = new Date(at);
  return two(d.getHours()) + ':' + two(d.getMinutes()) + ':' + two(d.getSeconds()) + '.' + String(d.getMilliseconds()).padStart(3, '0');
}

let selectedKey = decodeURIComponent(location.hash.replace(/^#actor=/, '')) || undefined;
let chosen = Boolean(selectedKey);
let onlyState;
let drawing;

function actorAt(key) {
  let found;
  for (const actor of actors.values()) {
    if (actor.key === key && (!found || found.endedAt || actor.generation >= found.generation)) found = actor;
  }
  return found;
}
const selected = () => actorAt(selectedKey);

function select(key) {
  selectedKey = key;
  chosen = true;
  history.replaceState(null, '', '#actor=' + encodeURIComponent(key));
  if (rowScope === 'selected') rebuildRows();
  dirty();
}

/* ---- tree ---- */
/** With more backends, tasks show only below the selected one. */
const MANY = 8;
const treeRows = new Map();

function treeRow(actor) {
  let row = treeRows.get(actor.key);
  if (row && row.kind === actor.kind) return row;
  const title = el('span', { class: 'title' });
  const badge = el('span', { class: 'badge' });
  const word = el('span', { class: 'word' });
  const time = el('span', { class: 'time' });
  const dot = el('span', { class: 'dot', 'aria-hidden': 'true' });
  const button = el('button', { type: 'button', class: 'actor', 'data-actor': actor.key, 'data-kind': actor.kind });
  button.append(dot, el('span', { class: 'lines' }, el('span', { class: 'upper' }, title, badge), el('span', { class: 'lower' }, word, time)));
  button.addEventListener('click', () => select(button.dataset.actor));
  row = { kind: actor.kind, button, title, badge, word, time };
  write(title, actor.title);
  treeRows.set(actor.key, row);
  return row;
}

/** At once rather than with the next frame: whoever watches the page sees every state, however short. */
function markState(actor) {
  if (actor.kind === 'backend' && actorAt(actor.key) !== actor) return;
  const row = treeRow(actor);
  const state = stateOf(actor);
  if (row.button.dataset.state !== state) row.button.dataset.state = state;
  row.button.classList.toggle('ended', actor.endedAt !== undefined);
  write(row.word, state);
}

function timeText(actor) {
  const { retryAt } = actor.context;
  if (stateOf(actor) === 'retrying') {
    if (pathOf(actor.value) === 'retrying.due' || !retryAt) return 'waits for a start slot';
    const left = Math.max(0, retryAt - now());
    return 'next in ' + (left < 10000 ? (left / 1000).toFixed(1) + ' s' : span(left));
  }
  return actor.endedAt !== undefined && actor.kind === 'child' ? span(now() - actor.endedAt) + ' ago' : span(now() - sinceOf(actor));
}

function renderTree() {
  const order = [];
  const needle = $('search').value.trim().toLowerCase();
  const root = [...actors.values()].filter((actor) => actor.kind === 'root').pop();
  const add = (actor) => {
    markState(actor);
    const row = treeRow(actor);
    row.actor = actor;
    order.push(row);
  };
  if (root) {
    add(root);
    childrenOf(root).forEach(add);
  }
  const all = backends();
  for (const actor of all) {
    markState(actor);
    if (needle && !actor.title.toLowerCase().includes(needle)) continue;
    if (onlyState && stateOf(actor) !== onlyState) continue;
    add(actor);
    const open = selectedKey === actor.key || String(selectedKey).startsWith(actor.key + '/');
    const shownChildren = childrenOf(actor).filter((child) => open || (all.length <= MANY && child.endedAt === undefined));
    const byTitle = new Map(shownChildren.map((child) => [child.title, child]));
    for (const child of byTitle.values()) add(child);
  }
  const tree = $('tree');
  const wanted = order.map((row) => row.button);
  const have = [...tree.children];
  if (wanted.length !== have.length || wanted.some((button, n) => button !== have[n])) tree.replaceChildren(...wanted);
  for (const [key, row] of treeRows) if (!wanted.includes(row.button) && !actorAt(key)) treeRows.delete(key);
  for (const { button, actor, badge } of order) {
    const current = actor.key === selectedKey;
    button.classList.toggle('selected', current);
    if (current) button.setAttribute('aria-current', 'true');
    else button.removeAttribute('aria-current');
    write(badge, actor.generation > 0 ? 'generation ' + actor.generation : actor.kind === 'backend' && actor.context.kind === 'remote' ? 'remote' : '');
  }
  $('search').hidden = all.length <= MANY;
  $('none').hidden = all.length === 0 || wanted.some((button) => button.dataset.kind === 'backend');
  $('empty').hidden = all.length > 0;
  renderTimes();
}

function renderTimes() {
  for (const { button, actor, time } of treeRows.values()) if (actor && button.isConnected) write(time, timeText(actor));
}

/* ---- header ---- */
const chips = new Map();
function renderHeader() {
  const root = [...actors.values()].filter((actor) => actor.kind === 'root').pop();
  const phase = (root && (root.context.phase || stateOf(root))) || '…';
  write($('phase'), phase);
  $('phase').dataset.phase = phase;
  const counts = new Map();
  const all = backends();
  for (const actor of all) counts.set(stateOf(actor), (counts.get(stateOf(actor)) || 0) + 1);
  for (const state of new Set([...STATES, ...counts.keys()])) {
    if (!chips.has(state)) {
      const number = el('b', {});
      const chip = el('button', { type: 'button', class: 'chip', 'data-state': state, title: 'Show only these' }, el('span', { class: 'dot' }), number, ' ' + state);
      chip.addEventListener('click', () => {
        onlyState = onlyState === state ? undefined : state;
        dirty();
      });
      chips.set(state, { chip, number });
      $('counts').append(chip);
    }
    const { chip, number } = chips.get(state);
    chip.hidden = !counts.get(state) && onlyState !== state;
    chip.setAttribute('aria-pressed', String(onlyState === state));
    write(number, String(counts.get(state) || 0));
  }
  const connected = counts.get('connected') || 0;
  document.title = (all.length ? connected + '/' + all.length + ' connected' : phase) + ' · onemcp';
}

/* ---- chart and facts ---- */
function renderChart() {
  if (!chosen || !selected()) {
    const first = backends()[0] || firstRoot();
    if (first && (!chosen || actors.size > 0)) selectedKey = first.key;
  }
  const actor = selected();
  const holder = $('chart');
  if (!actor) return;
  write($('chart-title'), actor.title);
  const word = $('chart-state');
  word.dataset.state = stateOf(actor);
  write(word, pathOf(actor.value) || stateOf(actor));
  write($('chart-kind'), actor.kind === 'root' ? 'supervisor' : actor.kind === 'backend' ? 'backend' : 'part of ' + (actor.parent ? actor.parent.title : ''));
  if (!actor.chart) {
    drawing = undefined;
    holder.replaceChildren(el('p', { class: 'hint' }, 'A single task without states of its own: it runs while its parent stays in the state that invoked it.'));
  } else {
    if (!drawing || drawing.chart !== actor.chart || drawing.key !== actor.key) {
      drawing = draw(actor.chart);
      drawing.key = actor.key;
      actor.fired = [];
      holder.replaceChildren(drawing.picture);
    }
    paint(drawing, actor);
    void animate(drawing, actor);
  }
  renderFacts(actor);
}

function factsOf(actor) {
  const c = actor.context;
  if (actor.kind === 'root') {
    const names = Object.keys(c.backends || {});
    return [
      ['Phase', c.phase],
      ['Since', clockText(sinceOf(actor)).slice(0, 8)],
      ['Backends', String(names.length)],
      ['Further connections', String(Object.keys(c.instances || {}).length)],
      ['Wait for a start slot', list(c.waiting).join(', ') || 'none'],
      ['Launching', list(c.launching).join(', ') || 'none'],
    ];
  }
  if (actor.kind !== 'backend') {
    const facts = [['Status', actor.status], ['Began', clockText(actor.since).slice(0, 8)]];
    return actor.endedAt ? [facts[0], ['Ended', clockText(actor.endedAt).slice(0, 8)]] : facts;
  }
  const items = c.items || {};
  const facts = [
    ['In this state', span(now() - sinceOf(actor))],
    ['Connected so far', (c.connects || 0) + (c.connects === 1 ? ' time' : ' times')],
    ['Failures in a row', String(c.failures || 0)],
    ['Next start', c.retryAt ? timeText(actor).replace('next ', '') : '–'],
    ['Process', c.pid ? 'pid ' + c.pid : c.kind === 'remote' ? 'remote' : '–'],
    c.instanceOf ? ['Further connection to', c.instanceOf] : ['Offers', ['tools', 'prompts', 'resources', 'templates'].filter((kind) => items[kind]).map((kind) => items[kind] + ' ' + (items[kind] === 1 ? kind.slice(0, -1) : kind)).join(', ') || 'nothing yet'],
    ['Tags', list(c.tags).join(', ') || '–'],
  ];
  if (c.lastError) facts.push(['Last error', c.lastError.message, c.lastError.code]);
  return facts;
}

function renderFacts(actor) {
  const facts = factsOf(actor);
  const holder = $('facts');
  const names = facts.map(([name]) => name).join('|');
  if (holder.dataset.names !== names) {
    holder.dataset.names = names;
    holder.replaceChildren(...facts.map(([name]) => el('div', { class: name === 'Last error' ? 'wide' : undefined }, el('dt', {}, name), el('dd', {}, el('span', {}), el('code', {})))));
  }
  facts.forEach(([, value, code], n) => {
    const [text, mark] = holder.children[n].querySelectorAll('dd > *');
    write(text, value || '–');
    write(mark, code || '');
  });
}

/* ---- sequence ---- */
const ROWS_SHOWN = 400;
let rowScope = 'all';
let paused = false;
let missed = 0;
let newRows = [];
const rowElements = new Map();

function wanted(row) {
  if (rowScope === 'selected' ? row.key !== selectedKey : rowScope !== 'all' && row.key !== rowScope) return false;
  return !row.inner || $('inner').checked || (rowScope === 'selected' && row.kind === 'child');
}

function rowElement(row) {
  let element = rowElements.get(row.n);
  if (!element) {
    element = el('li', { class: 'row', 'data-row': row.n, 'data-of': row.key });
    const time = el('time', {}, clockText(row.at));
    const who = el('span', { class: 'who' }, row.key);
    const event = el('span', { class: 'event', title: row.event + (row.source ? '  (from ' + row.source.key + ')' : '') }, row.text);
    element.append(time, who, event, el('span', { class: 'after' }));
    element.addEventListener('click', () => actorAt(row.key) && select(row.key));
    rowElements.set(row.n, element);
  }
  const after = element.lastChild;
  write(after, row.state || '…');
  after.dataset.state = (row.state || '').split('.')[0];
  element.dataset.after = row.state || '';
  element.classList.toggle('same', row.changed === false);
  return element;
}

function rebuildRows() {
  newRows = [];
  missed = 0;
  rowElements.clear();
  $('rows').replaceChildren(...rows.filter(wanted).slice(-ROWS_SHOWN).reverse().map(rowElement));
}

function renderRows() {
  const fresh = newRows;
  newRows = [];
  const holder = $('rows');
  for (const row of fresh) {
    if (rowElements.has(row.n)) rowElement(row);
    else if (wanted(row)) {
      if (paused) missed++;
      else {
        const element = rowElement(row);
        element.classList.add('new');
        holder.prepend(element);
      }
    }
  }
  while (holder.children.length > ROWS_SHOWN) {
    rowElements.delete(Number(holder.lastChild.dataset.row));
    holder.lastChild.remove();
  }
  write($('pause'), paused ? 'Resume' + (missed ? ' (' + missed + ')' : '') : 'Pause');
  $('pause').setAttribute('aria-pressed', String(paused));
  $('no-rows').hidden = holder.children.length > 0;
  const names = backends().map((actor) => actor.key);
  const scope = $('scope');
  const options = ['all', 'selected', 'root', ...names];
  if (scope.options.length !== options.length || options.some((value, n) => scope.options[n].value !== value)) {
    const text = { all: 'All actors', selected: 'The selected one', root: 'root' };
    scope.replaceChildren(...options.map((value) => el('option', { value }, text[value] || value)));
    scope.value = options.includes(rowScope) ? rowScope : 'all';
    rowScope = scope.value;
  }
}

$('scope').addEventListener('change', () => {
  rowScope = $('scope').value;
  rebuildRows();
  dirty();
});
$('inner').addEventListener('change', () => {
  rebuildRows();
  dirty();
});
$('pause').addEventListener('click', () => {
  paused = !paused;
  if (!paused) rebuildRows();
  dirty();
});
$('search').addEventListener('input', () => dirty());

/* ---- all together ---- */
let live = false;
let asked = false;
function dirty() {
  if (asked || !live) return;
  asked = true;
  // A page in the background gets no frames; it is drawn when it comes back.
  requestAnimationFrame(render);
}
function render() {
  asked = false;
  renderChart();
  renderTree();
  renderHeader();
  renderRows();
}
setInterval(() => {
  forgetEnded();
  if (live) dirty();
}, 1000);
setInterval(() => {
  if (live && !document.hidden) renderTimes();
}, 200);

follow(
  'inspect/events',
  (message) => {
    if (message.type === '@onemcp.hello') live = false;
    const row = receive(message);
    if (message.type === '@onemcp.live') {
      live = true;
      for (const actor of actors.values()) actor.fired = [];
      drawing = undefined;
      rebuildRows();
    }
    if (!live) return;
    const actor = actors.get(message.sessionId);
    if (actor) markState(actor);
    if (row && !newRows.includes(row)) newRows.push(row);
    if (newRows.length > ROWS_KEPT) newRows.shift();
    dirty();
  },
  (state, seconds) => {
    const text = { connecting: 'connecting…', live: 'live', refused: 'this link is no longer valid: open the new one', waiting: 'gateway away · trying again in ' + seconds + ' s' };
    write($('link'), text[state]);
    $('link').dataset.link = state;
    document.body.classList.toggle('away', state !== 'live');
  },
);
`;
