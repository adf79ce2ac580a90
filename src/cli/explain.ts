import { environmentOf } from '../config/dotenv.ts';
import { disclosed, explainConfig, inWords } from '../config/explain.ts';
import type { Explained, Word } from '../config/layers.ts';
import { formatIssue, readConfigFile } from '../config/load.ts';
import { findSetting, SETTINGS, variablesOf } from '../config/settings.ts';
import { nearest } from '../config/suggest.ts';
import { inUnit } from '../config/units.ts';
import { columns } from '../observe/table.ts';
import type { ConfigFlags } from './config.ts';
import { say } from './control.ts';
import { EXIT, type ProcessPorts } from './process.ts';

export interface ExplainFlags extends ConfigFlags {
  /** Also settings that nobody has set. */
  readonly all?: boolean | undefined;
  readonly json?: boolean | undefined;
}

export interface Explaining {
  /** A setting, or the beginning of some: `port`, `restart`. */
  readonly key: string | undefined;
  /** As the user wrote it. */
  readonly file: string;
  readonly flags: ExplainFlags;
  readonly ports: ProcessPorts;
}

/** `onemcp config explain [KEY] [FILE]`: the value of settings, where it is from, and what it hides. */
export async function explain({ key, file, flags, ports }: Explaining): Promise<number> {
  const names = key === undefined ? undefined : namesOf(key);
  if (key !== undefined && names?.length === 0) {
    if (/\.jsonc?$|[\\/]/.test(key)) return explain({ key: undefined, file: key, flags, ports });
    say(ports.stderr, `onemcp: there is no setting ${JSON.stringify(key)}${suggestion(key)}`);
    return EXIT.usage;
  }
  const read = await readConfigFile(file, ports.cwd);
  if (!read.ok) {
    for (const issue of read.issues) say(ports.stderr, formatIssue(issue));
    return EXIT.usage;
  }
  const { env, beside, warnings: besides } = await environmentOf(file, ports.env, ports.cwd);
  const { settings, issues, warnings } = await explainConfig({ file, text: read.text, base: ports.cwd, env, beside, overrides: flags });
  for (const warning of [...besides, ...warnings]) say(ports.stderr, `warning: ${formatIssue(warning)}`);
  for (const issue of issues) say(ports.stderr, formatIssue(issue));
  const isWanted = ({ setting, won }: Explained) => (names ? names.includes(setting.name) : flags.all || won.layer !== 'default');
  const wanted = settings.filter(isWanted);
  say(ports.stdout, flags.json ? JSON.stringify(wanted.map(documentOf), null, 2) : text(wanted, names !== undefined));
  return issues.length > 0 ? EXIT.usage : EXIT.ok;
}

/** One setting, or all of a group. */
function namesOf(key: string): readonly string[] {
  const one = findSetting(key);
  if (one) return [one.name];
  const group = `${key.replace(/^gateway\./, '')}.`;
  return SETTINGS.map(({ name }) => name).filter((name) => name.startsWith(group));
}

function suggestion(key: string): string {
  const guess = nearest(
    key.replace(/^gateway\./, ''),
    SETTINGS.map(({ name }) => name),
  );
  return guess === undefined ? '; see onemcp config explain --all' : `, did you mean "${guess}"?`;
}

function text(settings: readonly Explained[], isNamed: boolean): string {
  if (isNamed && settings.length === 1) return story(settings[0] as Explained);
  if (settings.length === 0) return 'Nothing is set: all settings have their defaults. See them with: onemcp config explain --all';
  const rows = settings.map((explained) => {
    const { setting, won, hidden } = explained;
    return [setting.name, inWords(setting, won.value), from(won), hidden.map((word) => hiddenWord(explained, word)).join('; ')];
  });
  return columns([['SETTING', 'VALUE', 'FROM', 'HIDES'], ...rows])
    .map((line) => line.trimEnd())
    .join('\n');
}

/** Where a word is from, as one looks for it. */
const from = ({ layer, source }: Word): string => (source === '' ? layer : source);

const hiddenWord = ({ setting }: Explained, word: Word): string => `${inWords(setting, word.value)} (${from(word)})`;

/** Everything about one setting. */
function story(explained: Explained): string {
  const { setting, won, hidden } = explained;
  const { name, path, flag, help, choices } = setting;
  const places = [
    `the variable ${variablesOf(setting).join(' or ')}`,
    ...(flag === undefined ? [] : [`the option ${flag}`]),
    ...(path === undefined ? [] : [`gateway.${name} in the file`]),
  ];
  return [
    `${name} = ${inWords(setting, won.value)}`,
    `  from   ${won.layer}${won.source && `, ${won.source}`}`,
    ...hidden.map((word) => `  hides  ${hiddenWord(explained, word)}`),
    '',
    `  ${help}`,
    ...(choices === undefined ? [] : [`  One of: ${choices.join(', ')}.`]),
    `  Set by ${places.join(', ')}; the first of these that is there wins.`,
  ].join('\n');
}

/** For programs. Limits are in their unit, whatever the form in which they are written. */
function documentOf({ setting, won, hidden }: Explained): object {
  const { name, path, variable, aliases, flag, unit, choices, help } = setting;
  const inForm = (value: unknown) => (unit === undefined ? disclosed(name, value) : inUnit(value, unit));
  const word = ({ layer, source, value }: Word) => ({ layer, ...(source && { source }), value: inForm(value) ?? null });
  return {
    name,
    ...word(won),
    hidden: hidden.map(word),
    variable,
    aliases,
    ...(flag !== undefined && { flag }),
    ...(path !== undefined && { path: ['gateway', ...path].join('.') }),
    ...(unit !== undefined && { unit }),
    ...(choices !== undefined && { choices }),
    default: setting.default ?? null,
    help,
  };
}
