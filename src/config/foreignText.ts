// biome-ignore-all lint/suspicious/noTemplateCurlyInString: our templates look like those of JavaScript
/** Variables as other products write them, in the words of our templates. */
import { basename, sep } from 'node:path';
import type { Sources } from './config.ts';

/** Products whose files we read. */
export type Product = 'vscode' | 'cursor' | 'claude' | '1mcp';

/** Their names for people, in the order in which people are asked. */
export const TITLES: Readonly<Record<Product, string>> = { claude: 'Claude Desktop', cursor: 'Cursor', vscode: 'VS Code', '1mcp': '1MCP' };

/** What the texts of one file mean. */
export interface Dialect {
  readonly product: Product | undefined;
  /** Whether the file is certainly of that product; otherwise it may be one of ours with a word of theirs in it. */
  readonly certain: boolean;
  readonly env: Sources['env'];
  /** Absolute folder that stands for the workspace or the project. */
  readonly workspace: string;
  /** Inputs of VS Code that have a value: id → our template. */
  readonly inputs: ReadonlyMap<string, string>;
  /** For a file of ours that the text is written into: what belongs to this moment is not resolved. */
  readonly keeps: boolean;
}

/** A text in our words. */
export interface Spoken {
  readonly text: string;
  /** What is done otherwise here. */
  readonly notes: readonly string[];
  /** Why the text cannot be known; empty: it is. */
  readonly missing: readonly string[];
}

/** `$${…}` that is written so already, `${…}`, `$NAME`, Handlebars, conditions of 1MCP. */
const MARK = /\$?\$\{([^{}]*)\}|\$([A-Za-z_][A-Za-z0-9_]*)|\{\{\{?([^{}]*)\}?\}\}|\{\?[^{}]*\}/g;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** The home of the user, on any platform. */
export const HOME = '${HOME:-${USERPROFILE:-}}';

/** A text that our templates leave as it is. */
export const literal = (text: string): string => text.replaceAll('${', () => '$${');

/** @param isTemplate whether 1MCP fills Handlebars in it: only in `mcpTemplates` */
export function spoken(text: string, dialect: Dialect, isTemplate = false): Spoken {
  const { product, certain, env, keeps } = dialect;
  const notes: string[] = [];
  const missing: string[] = [];
  if (product === undefined) return { text, notes, missing };
  // Claude Desktop fills in nothing.
  if (product === 'claude') return { text: literal(text), notes, missing };

  const plain = (name: string, whole: string): string => {
    if (!certain || !NAME.test(name) || env[name] !== undefined) return whole;
    notes.push(`variable ${name} is not set: ${keeps ? 'it is empty until it is' : `the text stays as it is, as in ${TITLES[product]}`}`);
    return keeps ? `\${${name}:-}` : literal(whole);
  };
  const unknown = (reason: string, whole: string): string => {
    missing.push(reason);
    return whole;
  };
  const braces = (name: string, whole: string): string => {
    const found = handlebars(name.trim(), dialect);
    if (!found) return unknown(`${whole} depends on the client, which onemcp does not know here`, whole);
    if (found.note) notes.push(`1MCP fills in ${whole} for each client; here it is ${found.note}`);
    return found.text;
  };
  const reference = (name: string, whole: string): string => {
    if (product === '1mcp') return plain(name, whole);
    const found = editorVariable(name, dialect);
    if (found === undefined) {
      if (!/^[a-z]\w*:/.test(name) || !certain) return plain(name, whole);
      return unknown(`${whole} is known only to ${TITLES[product]}`, whole);
    }
    if (found.missing) missing.push(found.missing);
    if (found.note) notes.push(found.note);
    return found.text;
  };

  const result = text.replace(MARK, (whole: string, name?: string, bare?: string, handle?: string) => {
    if (whole.startsWith('$$')) return whole;
    if (name !== undefined) return reference(name, whole);
    if (bare !== undefined) return product === '1mcp' && certain && env[bare] !== undefined ? `\${${bare}}` : whole;
    if (!isTemplate) return whole;
    return handle === undefined ? unknown(`${whole} depends on the client, which onemcp does not know here`, whole) : braces(handle, whole);
  });
  return { text: result, notes, missing };
}

interface Found {
  readonly text: string;
  readonly note?: string;
  readonly missing?: string;
}

/** A variable of VS Code or Cursor; undefined: it is none of those we know. */
function editorVariable(name: string, { env, workspace, inputs }: Dialect): Found | undefined {
  const [kind = '', rest = ''] = name.split(/:(.*)/s);
  if (kind === 'env') {
    const isSet = env[rest] !== undefined;
    const text = NAME.test(rest) ? `\${${rest}${isSet ? '' : ':-'}}` : literal(env[rest] ?? '');
    return { text, ...(!isSet && { note: `variable ${rest} is not set: it is empty here` }) };
  }
  if (kind === 'input') {
    const text = inputs.get(rest);
    return text === undefined
      ? { text: `\${SECRET:${inputSecret(rest)}}`, missing: `nobody can be asked for the input "${rest}"; ${inputAdvice(rest)}` }
      : { text };
  }
  if (kind === 'workspaceFolder' || name === 'workspaceRoot' || name === 'cwd') return { text: literal(workspace) };
  if (name === 'workspaceFolderBasename') return { text: literal(basename(workspace)) };
  if (name === 'userHome') return { text: HOME };
  if (name === 'pathSeparator' || name === '/') return { text: sep };
  return undefined;
}

/** Name of the secret that an input becomes. */
export const inputSecret = (id: string): string => id.replace(/[^A-Za-z0-9_-]/g, '-');

function inputAdvice(id: string): string {
  const variable = id.replace(/[^A-Za-z0-9]/g, '_').toUpperCase();
  return `set ${variable}, or write it to the secret file "${inputSecret(id)}"`;
}

/** A value of 1MCP's templates that is the same for all clients, or that this machine can stand in for. */
function handlebars(name: string, { workspace }: Dialect): Found | undefined {
  const everybody = `${workspace} for all of them`;
  switch (name) {
    case 'project.path':
    case 'context.path':
      return { text: literal(workspace), note: everybody };
    case 'project.name':
      return { text: literal(basename(workspace)), note: `${basename(workspace)} for all of them` };
    case 'user.home':
      return { text: HOME };
    case 'user.username':
      return { text: '${USER:-${USERNAME:-}}' };
    default:
      return undefined;
  }
}
