/** One file per case in test/golden/config: text of the file, `---------- env`, `---------- expect`. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Config, Overrides } from '../../src/config/config.ts';
import { formatIssue, loadConfig } from '../../src/config/load.ts';
import { LIMITS } from '../../src/limits.ts';

const folder = fileURLToPath(new URL('../golden/config/', import.meta.url));
const update = process.env.UPDATE_GOLDEN === '1';

describe('configuration', () => {
  for (const name of readdirSync(folder).sort()) {
    it(name.replace('.txt', '').replaceAll('-', ' '), async () => {
      const { text, env, expected } = sections(readFileSync(folder + name, 'utf8'));
      const actual = await outcome(text, env);
      if (update) writeFileSync(folder + name, `${text}\n---------- env\n${env}---------- expect\n${actual}`);
      else expect(actual).toBe(expected);
    });
  }
});

/** Lines like `KEY=VALUE`; `SECRET:name=value` is what the secret provider knows, `--port=1` an option of the command line. */
function sections(golden: string) {
  const match = /^([\s\S]*)\n---------- env\n([\s\S]*?)---------- expect\n([\s\S]*)$/.exec(golden);
  if (!match) throw new Error('a golden has the sections text, env and expect');
  return { text: match[1]!, env: match[2]!, expected: match[3]! };
}

async function outcome(text: string, lines: string): Promise<string> {
  const pairs = lines
    .split('\n')
    .flatMap((line) => (line === '' ? [] : [[line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]]));
  const values = Object.fromEntries(pairs.map(([key, value]) => [key, value?.replaceAll('\\n', '\n')])) as Record<string, string>;
  const read = async (name: string) => {
    const value = values[`SECRET:${name}`];
    if (value === undefined) throw new Error('there is no such secret');
    return value;
  };
  const loaded = await loadConfig({
    file: 'mcp.json',
    base: '/golden',
    text,
    env: values,
    secrets: { read },
    overrides: overridesOf(values),
  });
  if (!loaded.ok) return `${loaded.issues.map(formatIssue).join('\n')}\n`;
  const warnings = loaded.warnings.map((warning) => `warning: ${formatIssue(warning)}\n`).join('');
  return `${warnings}${JSON.stringify(withoutDefaults(loaded.config), null, 2)}\n`;
}

function overridesOf(values: Readonly<Record<string, string>>): Overrides {
  const { '--host': host, '--port': port, '--insecure-no-auth': open } = values;
  return { host, port: port === undefined ? undefined : Number(port), insecureNoAuth: open === undefined ? undefined : true };
}

function withoutDefaults(config: Config): object {
  const changed = Object.entries(config.limits).filter(([name, value]) => LIMITS[name as keyof typeof LIMITS].default !== value);
  return { ...config, limits: Object.fromEntries(changed) };
}
