/** The environment of programs as other products describe it, as `env` of ours. */
import type { Sources } from './config.ts';
import { literal } from './foreignText.ts';

type Variables = Readonly<Record<string, string>>;

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Ours: no server needs them. */
const OWN = /^ONEMCP_/;

/** 1MCP: `["KEY=value", "KEY"]`; the second form takes over a variable, if it is set. */
export function variablesOfList(list: readonly string[], env: Sources['env']): Variables {
  const pairs = list.flatMap((item): [string, string][] => {
    const at = item.indexOf('=');
    if (at >= 0) return [[item.slice(0, at).trim(), item.slice(at + 1)]];
    const name = item.trim();
    return env[name] === undefined || !NAME.test(name) ? [] : [[name, `\${${name}}`]];
  });
  return Object.fromEntries(pairs);
}

/** 1MCP: `inheritParentEnv` with `envFilter`: names, names that end with `*`, and both with a leading `!` for those that are not. */
export function inheritedVariables(env: Sources['env'], filter: readonly string[]): Variables {
  const isMeant = (name: string) => (pattern: string) => (pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern);
  const denied = filter.filter((pattern) => pattern.startsWith('!')).map((pattern) => pattern.slice(1));
  const allowed = filter.filter((pattern) => !pattern.startsWith('!'));
  const names = Object.keys(env).filter(
    (name) =>
      env[name] !== undefined &&
      !env[name].startsWith('()') &&
      NAME.test(name) &&
      !OWN.test(name) &&
      !denied.some(isMeant(name)) &&
      (allowed.length === 0 || allowed.some(isMeant(name))),
  );
  return Object.fromEntries(names.map((name) => [name, `\${${name}}`]));
}

const LINE =
  /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^#\r\n]*?(?:\S#[^\r\n]*?)*))\s*(?:#.*)?$/;

/** The variables of an `.env` file; their values are not templates. */
export function variablesOfFile(text: string): Variables {
  const pairs = text.split(/\r?\n/).flatMap((line): [string, string][] => {
    const match = LINE.exec(line);
    if (!match) return [];
    const [, name = '', double, single, bare] = match;
    const value = double === undefined ? (single ?? bare?.trim() ?? '') : double.replace(/\\n/g, '\n').replace(/\\(["\\$])/g, '$1');
    return [[name, literal(value)]];
  });
  return Object.fromEntries(pairs);
}
