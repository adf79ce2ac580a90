import { readFile } from 'node:fs/promises';
import { jsonSchema } from '../src/config/schema.ts';
import { LIMITS } from '../src/limits.ts';
import { alertMachine } from '../src/machines/alert.ts';
import { backendMachine } from '../src/machines/backend.ts';
import { configMachine } from '../src/machines/config.ts';
import { rootMachine } from '../src/machines/root.ts';
import { EVENTS } from '../src/observe/events.ts';
import { FAMILIES } from '../src/observe/families.ts';
import { mermaid } from './charts.ts';
import { notices } from './notices.ts';

/** A committed file that is made from the source. */
interface Generated {
  /** Relative to the root of the repository. */
  readonly file: string;
  content(): string | Promise<string>;
}

/** Every generated file. A new one is one entry here: `npm run generate` writes it, `--check` compares it. */
export const generated: readonly Generated[] = [
  { file: 'config.schema.json', content: () => `${JSON.stringify(jsonSchema(), null, 2)}\n` },
  {
    file: 'ARCHITECTURE.md',
    content: () =>
      withSections('ARCHITECTURE.md', {
        backend: chart(mermaid(backendMachine)),
        root: chart(mermaid(rootMachine)),
        config: chart(mermaid(configMachine)),
        alert: chart(mermaid(alertMachine)),
      }),
  },
  {
    file: 'README.md',
    content: () => withSections('README.md', { limits: limitsTable(), metrics: metricsTable(), events: eventsTable() }),
  },
  { file: 'THIRD-PARTY-NOTICES.md', content: notices },
];

const chart = (text: string): string => `\`\`\`mermaid\n${text}\n\`\`\``;

/** A document with what stands between `<!-- generated: name -->` and `<!-- end -->` made anew. */
async function withSections(file: string, sections: Readonly<Record<string, string>>): Promise<string> {
  let text = await readFile(new URL(`../${file}`, import.meta.url), 'utf8');
  for (const [name, content] of Object.entries(sections)) {
    const [start, end] = [`<!-- generated: ${name} -->`, '<!-- end -->'];
    const from = text.indexOf(start);
    const to = text.indexOf(end, from);
    if (from < 0 || to < 0) throw new Error(`${file} has no section "${start} … ${end}"`);
    text = `${text.slice(0, from + start.length)}\n${content}\n${text.slice(to)}`;
  }
  return text;
}

/** Every limit with its default, as rows. */
function limitsTable(): string {
  const rows = Object.entries(LIMITS).map(([name, { default: value, unit, help }]) => `| \`${name}\` | ${shown(value, unit)} | ${help} |`);
  return ['| option | default | what it limits |', '|---|---|---|', ...rows].join('\n');
}

/** Every metric of our own, as rows. */
function metricsTable(): string {
  const rows = Object.entries(FAMILIES).map(([name, { type, labels, help }]) => {
    const shownLabels = labels.map((label) => `\`${label}\``).join(', ');
    return `| \`${name}\` | ${type} | ${shownLabels} | ${help} |`;
  });
  return ['| metric | type | labels | what it says |', '|---|---|---|---|', ...rows].join('\n');
}

/** Every event of the log, as rows. */
function eventsTable(): string {
  const rows = Object.entries(EVENTS).map(([name, { levels, meaning }]) => `| \`${name}\` | ${levels.join(', ')} | ${meaning} |`);
  return ['| event | level | what has happened |', '|---|---|---|', ...rows].join('\n');
}

function shown(value: number, unit: string): string {
  if (unit === 'bytes') return value % 1024 ** 2 === 0 ? `${value / 1024 ** 2} MiB` : `${value / 1024} KiB`;
  if (unit === 'count') return String(value);
  if (value % 3_600_000 === 0 && value > 0) return `${value / 3_600_000} h`;
  if (value % 60_000 === 0 && value > 0) return `${value / 60_000} min`;
  return value % 1000 === 0 ? `${value / 1000} s` : `${value} ms`;
}
