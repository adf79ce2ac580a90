/** Settings that are given by variables of the environment. */
import type { Issue } from './config.ts';
import { MOVED } from './features.ts';
import { formatPath, type Problem } from './issue.ts';
import { type Kind, SETTINGS, type Setting, variableOf, variablesOf } from './settings.ts';
import { complaintsOf } from './shape.ts';
import { nearest } from './suggest.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** What the environment says of settings. */
export interface Given {
  /** By variable, as JSON would have it; only what is legal. */
  readonly values: ReadonlyMap<string, unknown>;
  readonly issues: readonly Issue[];
  readonly warnings: readonly Issue[];
}

const PREFIX = 'ONEMCP_';

/** Variables that are no settings: where secrets are, which file is served, and the mark of the processes of one run. */
const OTHERS = /^ONEMCP_(SECRET\w*|CONFIG|ENV|RUN)$/;

/** By the names that settings had before. */
const MOVED_VARIABLES: ReadonlyMap<string, string> = new Map(
  Object.entries(MOVED).map(([before, now]) => [variableOf(inGateway(before)), variableOf(inGateway(now))]),
);

const BOOLEANS: Readonly<Record<string, boolean>> = { true: true, false: false, 1: true, 0: false };

/** Reads and checks the variables of all settings. An empty one counts as not set. */
export function given(env: Env): Given {
  const values = new Map<string, unknown>();
  const issues: Issue[] = [];
  for (const setting of SETTINGS) {
    for (const variable of variablesOf(setting)) {
      const text = Object.hasOwn(env, variable) ? env[variable]?.trim() : undefined;
      if (!text) continue;
      const value = readAs(setting.kinds, text);
      const complaints = complaintsOf(setting.schema, value).map((one) => (value === text ? inForm(one, setting) : one));
      for (const { path, message } of complaints) issues.push(issueOf(variable, setting, { path: formatPath(path), message }));
      if (complaints.length === 0) values.set(variable, value);
    }
  }
  for (const [before, now] of MOVED_VARIABLES)
    if (env[before]?.trim()) issues.push({ file: before, message: `this is now ${now}; set that` });
  return { values, issues, warnings: unknownVariables(env) };
}

function inGateway(path: string): string {
  return path.replace(/^gateway\./, '');
}

/** What is not even JSON is told so. */
const inForm = (problem: Problem, { kinds }: Setting): Problem =>
  kinds.includes('json') ? { ...problem, message: 'expected JSON, as it would stand in the file' } : problem;

/** A place within the value is worth naming only where the value has more than one level. */
function issueOf(file: string, { kinds }: Setting, { path, message }: { readonly path: string; readonly message: string }): Issue {
  return { file, ...(kinds.includes('json') && path !== '' && { path }), message };
}

/** A text as the value that somebody would have written in the file. What fits nothing stays a text, for the check to refuse. */
function readAs(kinds: readonly Kind[], text: string): unknown {
  const may = (kind: Kind) => kinds.includes(kind);
  const lower = text.toLowerCase();
  // Where a number or a text is possible too, 1 and 0 are those.
  if (may('boolean') && Object.hasOwn(BOOLEANS, lower) && (kinds.length === 1 || /^[a-z]/.test(lower))) return BOOLEANS[lower];
  if (may('number') && /^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  if (may('list')) return text.split(',').flatMap((item) => item.trim() || []);
  return may('json') ? parsed(text) : text;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Variables that are near to one of ours: most likely somebody waits for their effect. */
function unknownVariables(env: Env): Issue[] {
  const known = new Map(SETTINGS.map(({ variable }) => [variable.slice(PREFIX.length), variable]));
  return Object.keys(env).flatMap((name): Issue[] => {
    if (!name.startsWith(PREFIX) || OTHERS.test(name) || env[name] === undefined) return [];
    const rest = name.slice(PREFIX.length);
    if (known.has(rest) || MOVED_VARIABLES.has(name)) return [];
    const guess = nearest(rest.replace(/^GATEWAY_/, ''), [...known.keys()]);
    return guess === undefined ? [] : [{ file: name, message: `unknown variable, did you mean ${known.get(guess)}?` }];
  });
}
