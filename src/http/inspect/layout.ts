/**
 * Client code: a machine definition as a chart. The states that a machine passes in its normal life are a lane that is
 * folded so that its last state lies beneath the one it leads back to; what only ends a life is a lane of its own below.
 */
export const LAYOUT = String.raw`
const charts = new Map();
const list = (value) => (value === undefined || value === null ? [] : Array.isArray(value) ? value : [value]);
const afterText = (delay) => 'after ' + (/^\d+$/.test(delay) ? Number(delay) / 1000 + ' s' : delay);

/** Reads a definition; undefined for an actor that is not a machine. The same text gives the same chart. */
function chartOf(text) {
  if (!charts.has(text)) {
    let chart;
    try {
      chart = readChart(JSON.parse(text));
    } catch (error) {
      console.error(error);
    }
    charts.set(text, chart);
  }
  return charts.get(text);
}

function readChart(definition) {
  if (!definition || !definition.states) return undefined;
  const chart = { id: definition.id, nodes: new Map(), edges: [], invoked: new Map(), top: [], initial: definition.initial };
  const byId = new Map();
  const visit = (config, path, parent) => {
    const node = { path, name: path.split('.').pop(), parent, children: [], config, notes: [], initial: config.initial };
    node.final = config.type === 'final';
    node.id = [definition.id, path].filter(Boolean).join('.');
    byId.set(config.id || node.id, node);
    if (path) chart.nodes.set(path, node);
    list(config.invoke).forEach((invoke, n) => {
      const src = typeof invoke.src === 'string' ? invoke.src : invoke.id || 'actor';
      chart.invoked.set(invoke.id || n + '.' + node.id, src);
      node.notes.push('invoke ' + src);
    });
    for (const [name, child] of Object.entries(config.states || {})) {
      node.children.push(visit(child || {}, path ? path + '.' + name : name, node));
    }
    return node;
  };
  const machine = visit(definition, '', undefined);
  chart.top = machine.children;
  const target = (node, text) => {
    if (text.startsWith('#')) return byId.get(text.slice(1));
    const from = text.startsWith('.') ? node : node.parent;
    return from && chart.nodes.get([from.path, text.replace(/^\./, '')].filter(Boolean).join('.'));
  };
  const add = (node, transitions, label, matches) => {
    for (const transition of list(transitions)) {
      const goal = typeof transition === 'string' ? transition : list(transition.target)[0];
      const to = goal === undefined ? undefined : target(node, goal);
      if (!to) {
        if (node.path) node.notes.push(label);
        continue;
      }
      let edge = chart.edges.find((other) => other.from === node && other.to === to);
      if (!edge) chart.edges.push((edge = { from: node, to, labels: [], matchers: [] }));
      if (!edge.labels.includes(label)) edge.labels.push(label);
      edge.matchers.push(matches);
    }
  };
  for (const node of [machine, ...chart.nodes.values()]) {
    const { config } = node;
    for (const [type, transitions] of Object.entries(config.on || {})) {
      if (!type.startsWith('xstate.')) add(node, transitions, type, (event) => event === type);
    }
    for (const [delay, transitions] of Object.entries(config.after || {})) {
      add(node, transitions, afterText(delay), (event) => event.startsWith('xstate.after.' + delay + '.'));
    }
    for (const invoke of list(config.invoke)) {
      add(node, list(invoke.onDone), 'done', (event) => event.startsWith('xstate.done.actor.'));
      add(node, list(invoke.onError), 'failed', (event) => event.startsWith('xstate.error.actor.'));
    }
    add(node, list(config.onDone), 'all done', (event) => event.startsWith('xstate.done.state.'));
    for (const always of list(config.always)) {
      const guard = always.guard && (always.guard.type || always.guard);
      add(node, always, typeof guard === 'string' ? '[' + guard.replace(/([A-Z])/g, ' $1').toLowerCase() + ']' : 'always', () => false);
    }
  }
  for (const edge of chart.edges) {
    const { labels } = edge;
    if (labels.includes('done') && labels.includes('failed')) edge.labels = [...labels.filter((text) => text !== 'done' && text !== 'failed'), 'done / failed'];
  }
  return place(chart);
}

/** The state of the top level that a node belongs to. */
const topOf = (node) => (node.parent && node.parent.path !== '' ? topOf(node.parent) : node);

const pen = document.createElement('canvas').getContext('2d');
function widthOf(text, font) {
  pen.font = font;
  return pen.measureText(text).width;
}
const NAME_FONT = '600 13.5px system-ui, sans-serif';
const NOTE_FONT = '11.5px system-ui, sans-serif';
const EDGE_FONT = '500 11.5px system-ui, sans-serif';
const labelWidth = (edge) => Math.max(0, ...edge.labels.map((text) => widthOf(text, EDGE_FONT)));

function place(chart) {
  const { top, edges } = chart;
  const leaving = (node) => edges.filter((edge) => topOf(edge.from) === node && topOf(edge.to) !== node);
  const ending = top.filter((node) => node.final || (leaving(node).length > 0 && leaving(node).every((edge) => topOf(edge.to).final)));
  const lane = top.filter((node) => !ending.includes(node));

  // An event that leads to the same state from everywhere is drawn once, from a frame around the lane.
  for (const goal of top) {
    const labels = new Set(edges.filter((edge) => edge.to === goal).flatMap((edge) => edge.labels));
    for (const label of labels) {
      const same = edges.filter((edge) => edge.to === goal && edge.labels.length === 1 && edge.labels[0] === label);
      if (lane.length < 3 || !lane.every((node) => same.some((edge) => edge.from === node))) continue;
      const bundle = { from: undefined, to: goal, labels: [label], matchers: same[0].matchers };
      chart.edges = [...chart.edges.filter((edge) => !same.includes(edge)), bundle];
      chart.framed = true;
    }
  }

  // Fold the lane.
  const last = lane[lane.length - 1];
  const back = last ? Math.max(-1, ...leaving(last).map((edge) => lane.indexOf(topOf(edge.to))).filter((n) => n >= 0 && n < lane.length - 1)) : -1;
  const upper = back < 0 || lane.length < 4 ? lane.length : Math.ceil((lane.length + back) / 2);
  lane.forEach((node, n) => {
    node.row = n < upper ? 0 : 1;
    node.col = n < upper ? n : Math.max(0, upper - 1 - (n - upper));
  });
  const columns = Math.max(upper, ending.length);
  const lowest = upper < lane.length ? 2 : 1;
  ending.forEach((node, n) => {
    node.row = lowest;
    node.col = columns - ending.length + n;
  });

  // Sizes.
  const size = (node) => {
    node.children.forEach(size);
    const notes = node.notes.map((text) => widthOf(text, NOTE_FONT));
    node.w = Math.max(widthOf(node.name, NAME_FONT) + 40, ...notes.map((w) => w + 40), node.parent.path === '' ? 132 : 84);
    node.h = 42 + node.notes.length * 16;
    if (node.children.length === 0) return;
    node.header = node.h - 4;
    let x = 14;
    for (const [n, child] of node.children.entries()) {
      const next = node.children[n + 1];
      const between = edges.filter((edge) => (edge.from === child && edge.to === next) || (edge.from === next && edge.to === child));
      child.dx = x;
      x += child.w + (next ? Math.max(48, ...between.map((edge) => labelWidth(edge) + 30)) : 14);
    }
    const inner = Math.max(...node.children.map((child) => child.h));
    for (const child of node.children) child.dy = node.header + (inner - child.h) / 2;
    node.w = Math.max(node.w, x);
    node.h = node.header + inner + 14;
  };
  top.forEach(size);

  const margin = chart.framed ? 46 : 34;
  const rowCount = lowest + (ending.length > 0 ? 1 : 0);
  const colWidth = [];
  const rowHeight = [];
  for (const node of top) {
    colWidth[node.col] = Math.max(colWidth[node.col] || 0, node.w);
    rowHeight[node.row] = Math.max(rowHeight[node.row] || 0, node.h);
  }
  const gapAfter = (col) => {
    const across = chart.edges.filter(({ from, to }) => {
      const a = from && topOf(from);
      const b = topOf(to);
      return a && a.row === b.row && Math.abs(a.col - b.col) === 1 && Math.min(a.col, b.col) === col;
    });
    return Math.max(70, ...across.map((edge) => labelWidth(edge) + 44));
  };
  const lines = Math.max(1, ...chart.edges.map((edge) => edge.labels.length));
  const colX = [margin + 26];
  for (let col = 0; col < columns; col++) colX[col + 1] = colX[col] + (colWidth[col] || 0) + gapAfter(col);
  const rowY = [margin];
  for (let row = 0; row < rowCount; row++) {
    const beforeEnd = chart.framed && row === lowest - 1 ? 34 : 0;
    rowY[row + 1] = rowY[row] + (rowHeight[row] || 0) + 58 + lines * 15 + beforeEnd;
  }
  const settle = (node) => {
    for (const child of node.children) {
      child.x = node.x + child.dx;
      child.y = node.y + child.dy;
      settle(child);
    }
  };
  for (const node of top) {
    node.x = colX[node.col] + (colWidth[node.col] - node.w) / 2;
    node.y = rowY[node.row] + (rowHeight[node.row] - node.h) / 2;
    settle(node);
  }
  if (chart.framed) {
    const right = Math.max(...lane.map((node) => node.x + node.w));
    const bottom = Math.max(...lane.map((node) => node.y + node.h));
    const left = Math.min(...lane.map((node) => node.x));
    chart.frame = { x: left - 42, y: margin - 24, w: right - left + 66, h: bottom - margin + 48 };
  }
  chart.width = Math.max(...top.map((node) => node.x + node.w), chart.frame ? chart.frame.x + chart.frame.w : 0) + 20;
  chart.height = Math.max(...top.map((node) => node.y + node.h)) + 20;
  route(chart);
  return chart;
}

/** Gives every end of an edge a place on a side of its box, so that no two share one, and every edge its curve. */
function route(chart) {
  const ports = new Map();
  const center = (box) => ({ x: box.x + box.w / 2, y: box.y + box.h / 2 });
  const attach = (edge, end, box, side, other) => {
    const key = box.path + ' ' + side;
    const vertical = side === 'top' || side === 'bottom';
    if (!ports.has(key)) ports.set(key, []);
    ports.get(key).push({ edge, end, box, side, order: vertical ? center(other).x : center(other).y });
  };
  for (const edge of chart.edges) {
    const { to } = edge;
    const from = edge.from || { ...chart.frame, path: '(frame)' };
    const a = edge.from ? topOf(from) : from;
    const b = topOf(to);
    const nested = edge.from && a === b;
    const sameRow = nested || (edge.from && a.row === b.row);
    const near = nested || (edge.from && Math.abs(a.col - b.col) <= 1);
    if (from === to) {
      attach(edge, 'start', from, 'top', { ...from, x: from.x + 10 });
      attach(edge, 'end', to, 'top', { ...to, x: to.x - 10 });
    } else if (sameRow && near) {
      const right = center(to).x > center(from).x;
      attach(edge, 'start', from, right ? 'right' : 'left', to);
      attach(edge, 'end', to, right ? 'left' : 'right', from);
    } else if (sameRow) {
      attach(edge, 'start', from, 'top', to);
      attach(edge, 'end', to, 'top', from);
    } else {
      const down = center(to).y > center(from).y;
      attach(edge, 'start', from, down ? 'bottom' : 'top', to);
      attach(edge, 'end', to, down ? 'top' : 'bottom', edge.from ? from : to);
    }
  }
  for (const group of ports.values()) {
    group.sort((p, q) => p.order - q.order || (p.end === 'start' ? -1 : 1));
    group.forEach((port, n) => {
      const { box, side } = port;
      const vertical = side === 'top' || side === 'bottom';
      const room = Math.min(34, ((vertical ? box.w : box.h) - 20) / group.length);
      const offset = (n - (group.length - 1) / 2) * room;
      const middle = center(box);
      const framed = port.box.path === '(frame)';
      const x = vertical ? (framed ? center(port.edge.to).x : middle.x + offset) : side === 'left' ? box.x : box.x + box.w;
      const y = vertical ? (side === 'top' ? box.y : box.y + box.h) : middle.y + offset;
      port.edge[port.end] = { x, y, side };
    });
  }
  const taken = chart.top.map(({ x, y, w, h, header }) => ({ x, y, w, h: header || h }));
  for (const node of chart.nodes.values()) if (node.parent.path !== '') taken.push(node);
  for (const edge of chart.edges) {
    // An end that lies opposite to a lone other one is drawn straight.
    const { start, end } = edge;
    const normal = { left: [-1, 0], right: [1, 0], top: [0, -1], bottom: [0, 1] };
    const reach = Math.max(24, Math.abs(start.side === 'left' || start.side === 'right' ? end.x - start.x : end.y - start.y) * 0.5);
    const away = (point, length) => ({ side: point.side, x: point.x + normal[point.side][0] * length, y: point.y + normal[point.side][1] * length });
    const tip = away(end, 8);
    const bulge = start.side === end.side ? 44 : reach;
    edge.curve = [start, away(start, bulge), away(tip, bulge - 4), tip];
    edge.tip = { point: end, base: tip, side: end.side };
    placeLabel(edge, taken);
  }
}

function pointAt([a, b, c, d], t) {
  const u = 1 - t;
  const mix = (p, q, r, s) => u * u * u * p + 3 * u * u * t * q + 3 * u * t * t * r + t * t * t * s;
  return { x: mix(a.x, b.x, c.x, d.x), y: mix(a.y, b.y, c.y, d.y) };
}

/** Puts the label on the curve, where it covers no box and no other label. */
function placeLabel(edge, taken) {
  const w = labelWidth(edge) + 8;
  const h = edge.labels.length * 15;
  const flat = edge.start.side === 'left' || edge.start.side === 'right';
  const overlaps = (box) => taken.some((other) => box.x < other.x + other.w && other.x < box.x + box.w && box.y < other.y + other.h && other.y < box.y + box.h);
  let found;
  for (const t of [0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74]) {
    const point = pointAt(edge.curve, t);
    const box = { x: point.x - w / 2, y: flat ? point.y - h - 3 : point.y - h / 2, w, h };
    found = found || box;
    if (!overlaps(box)) {
      found = box;
      break;
    }
  }
  edge.label = found;
  taken.push(found);
}
`;
