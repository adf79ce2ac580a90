/** Client code: draws the chart of the selected actor, shows where it is and how it came there. */
export const CHART = `
const SVG = 'http://www.w3.org/2000/svg';
const still = matchMedia('(prefers-reduced-motion: reduce)');

function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) element.setAttribute(name, value);
  element.append(...children);
  return element;
}
const svgText = (text, x, y, name) => {
  const element = svg('text', { x, y, class: name });
  element.textContent = text;
  return element;
};

/** Returns the drawing, and what changes in it. */
function draw(chart) {
  const boxes = new Map();
  const edges = new Map();
  const picture = svg('svg', { viewBox: '0 0 ' + chart.width + ' ' + chart.height, role: 'img' });
  picture.style.maxWidth = Math.round(chart.width * 1.2) + 'px';
  if (chart.frame) {
    const { x, y, w, h } = chart.frame;
    picture.append(svg('rect', { x, y, width: w, height: h, rx: 22, class: 'frame' }));
  }
  const box = (node) => {
    const { x, y, w, h } = node;
    const group = svg('g', { class: 'box' + (node.children.length ? ' compound' : ''), 'data-path': node.path, 'data-state': node.path.split('.')[0] });
    group.append(svg('rect', { x, y, width: w, height: h, rx: node.final ? h / 2 : 12, class: 'shape' }));
    if (node.final) group.append(svg('rect', { x: x + 4, y: y + 4, width: w - 8, height: h - 8, rx: h / 2 - 4, class: 'final' }));
    const centre = node.children.length ? undefined : x + w / 2;
    group.append(svgText(node.name, centre || x + 16, y + 26, 'name' + (centre ? ' middle' : '')));
    node.notes.forEach((note, n) => group.append(svgText(note, centre || x + 16, y + 44 + n * 16, 'note' + (centre ? ' middle' : ''))));
    if (node.children.length === 0 || node.parent.path === '') boxes.set(node.path, group);
    picture.append(group);
    node.children.forEach(box);
    boxes.set(node.path, group);
  };
  chart.top.forEach(box);
  const begin = (nodes, initial) => {
    const node = nodes.find((other) => other.name === initial);
    if (!node) return;
    const y = node.y + node.h / 2;
    if (node.parent.path === '') {
      picture.append(svg('circle', { cx: node.x - 30, cy: y, r: 5, class: 'begin' }), svg('path', { d: 'M' + (node.x - 25) + ' ' + y + 'h17', class: 'begin-line' }));
      picture.append(svg('path', { d: 'M' + (node.x - 9) + ' ' + (y - 4.5) + 'l9 4.5l-9 4.5z', class: 'begin' }));
    } else picture.append(svg('circle', { cx: node.x - 7, cy: y, r: 3.5, class: 'begin' }));
  };
  begin(chart.top, chart.initial);
  for (const node of chart.nodes.values()) if (node.children.length) begin(node.children, node.initial);
  for (const edge of chart.edges) {
    const [a, b, c, d] = edge.curve;
    const path = svg('path', { d: ['M', a.x, a.y, 'C', b.x, b.y, c.x, c.y, d.x, d.y].join(' '), class: 'line' });
    const { point, base, side } = edge.tip;
    const flat = side === 'left' || side === 'right';
    const wing = flat ? [base.x, base.y - 4.5, base.x, base.y + 4.5] : [base.x - 4.5, base.y, base.x + 4.5, base.y];
    const tip = svg('path', { d: ['M', point.x, point.y, 'L', wing[0], wing[1], 'L', wing[2], wing[3], 'Z'].join(' '), class: 'tip' });
    const group = svg('g', { class: 'edge', 'data-to': topOf(edge.to).path }, path, tip);
    edges.set(edge, { group, path });
    picture.append(group);
  }
  // Labels last, so that no line crosses one.
  for (const edge of chart.edges) {
    const { x, y, w, h } = edge.label;
    const label = svg('g', { class: 'edge-label' }, svg('rect', { x, y: y - 1, width: w, height: h + 2, rx: 5 }));
    edge.labels.forEach((text, n) => label.append(svgText(text, x + w / 2, y + 11.5 + n * 15, 'middle')));
    edges.get(edge).label = label;
    picture.append(label);
  }
  const spark = svg('circle', { r: 5.5, class: 'spark' });
  picture.append(spark);
  return { chart, picture, boxes, edges, spark, busy: false };
}

const within = (path, outer) => path === outer || path.startsWith(outer + '.');

/** The edge that was taken from one state to another by an event. */
function edgeTaken(chart, { from, to, event }) {
  if (from === undefined) return undefined;
  const possible = chart.edges.filter((edge) => within(to, edge.to.path) && (!edge.from || within(from, edge.from.path)));
  return possible.find((edge) => edge.matchers.some((matches) => matches(event))) || possible[0];
}

/** Lights the current state and the last transition up. */
function paint(drawing, actor) {
  const path = pathOf(actor.value) || '';
  for (const [own, group] of drawing.boxes) {
    const on = within(path, own);
    group.classList.toggle('on', on);
    if (on) group.setAttribute('aria-current', 'true');
    else group.removeAttribute('aria-current');
  }
  const last = actor.last && edgeTaken(drawing.chart, actor.last);
  for (const [edge, { group, label }] of drawing.edges) {
    group.classList.toggle('last', edge === last);
    label.classList.toggle('last', edge === last);
  }
  drawing.picture.setAttribute('aria-label', actor.title + ' is ' + (path || actor.status));
}

/** Lets a spark run along what was taken, one transition after the other. */
async function animate(drawing, actor) {
  if (drawing.busy) return;
  drawing.busy = true;
  while (actor.fired.length > 0) {
    const taken = edgeTaken(drawing.chart, actor.fired.shift());
    const parts = taken && drawing.edges.get(taken);
    if (!parts || still.matches || document.hidden || !drawing.picture.isConnected) continue;
    const { path, group } = parts;
    const length = path.getTotalLength();
    const duration = actor.fired.length > 1 ? 260 : 620;
    group.classList.add('fired');
    drawing.spark.setAttribute('data-state', topOf(taken.to).path);
    drawing.spark.classList.add('on');
    await new Promise((done) => {
      const began = performance.now();
      const step = (time) => {
        const t = Math.min(1, Math.max(0, (time - began) / duration));
        const point = path.getPointAtLength(length * (t < 0.5 ? 2 * t * t : 1 - 2 * (1 - t) * (1 - t)));
        drawing.spark.setAttribute('cx', point.x);
        drawing.spark.setAttribute('cy', point.y);
        if (t < 1 && !document.hidden) requestAnimationFrame(step);
        else done();
      };
      requestAnimationFrame(step);
    });
    drawing.spark.classList.remove('on');
    group.classList.remove('fired');
  }
  drawing.busy = false;
}
`;
