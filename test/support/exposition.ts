/** Prometheus' text format, read back. https://prometheus.io/docs/instrumenting/exposition_formats/ */

export interface Line {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Exposition {
  readonly lines: readonly Line[];
  /** By family. */
  readonly types: ReadonlyMap<string, string>;
  readonly help: ReadonlyMap<string, string>;
  /** The value of the one line with these labels; undefined if there is none. */
  value(name: string, labels?: Readonly<Record<string, string>>): number | undefined;
  /** The sum of all lines that have these labels. */
  sum(name: string, labels?: Readonly<Record<string, string>>): number;
}

const LINE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (N[aA][nN]|[+-]?Inf|[-+0-9.eE]+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/gy;

/** @throws Error for a line that is not in the format, or that is there twice */
export function parseExposition(text: string): Exposition {
  const lines: Line[] = [];
  const types = new Map<string, string>();
  const help = new Map<string, string>();
  const seen = new Set<string>();
  const once = (key: string) => {
    if (seen.has(key)) throw new Error(`twice: ${key}`);
    seen.add(key);
  };
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  for (const row of text.split('\n')) {
    if (row === '') continue;
    const comment = /^# (HELP|TYPE) (\S+) (.+)$/.exec(row);
    if (comment) {
      const [, kind, name, rest] = comment as unknown as [string, string, string, string];
      once(`${kind} ${name}`);
      (kind === 'HELP' ? help : types).set(name, rest);
      continue;
    }
    const [, name, labelText = '', value] = LINE.exec(row) ?? [];
    if (name === undefined) throw new Error(`not in the format: ${row}`);
    const labels = labelsOf(labelText, row);
    once(`${name} ${JSON.stringify(Object.entries(labels).sort())}`);
    lines.push({ name, labels, value: Number(value?.replace('Inf', 'Infinity')) });
  }
  const matching = (name: string, labels: Readonly<Record<string, string>> = {}) =>
    lines.filter((line) => line.name === name && Object.entries(labels).every(([key, value]) => line.labels[key] === value));
  return {
    lines,
    types,
    help,
    value(name, labels) {
      const found = matching(name, labels);
      if (found.length > 1) throw new Error(`${name} has several lines with ${JSON.stringify(labels)}`);
      return found[0]?.value;
    },
    sum: (name, labels) => matching(name, labels).reduce((sum, { value }) => sum + value, 0),
  };
}

function labelsOf(text: string, row: string): Record<string, string> {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  let read = 0;
  for (const [whole, name = '', value = ''] of text.matchAll(LABEL)) {
    read += whole.length;
    if (name in labels) throw new Error(`a label twice: ${row}`);
    labels[name] = value.replace(/\\(.)/g, (_, escaped) => (escaped === 'n' ? '\n' : escaped));
  }
  if (read !== text.length) throw new Error(`labels not in the format: ${row}`);
  return labels;
}
