import { type Flag, inner, type Place, quoted } from './places.ts';

/** The completion script for zsh: a file `_onemcp` in `fpath`, or sourced. */
export function zshScript(places: readonly Place[]): string {
  return `#compdef onemcp
# Completion of onemcp for zsh; made by: onemcp completion zsh
_onemcp_servers() {
  local -a names
  names=("\${(@f)$(onemcp completion-names 2>/dev/null)}")
  names=(\${names:#})
  compadd -a names
}
_onemcp() {
  local place='' word previous=\${words[CURRENT-1]}
  local -i i arguments=0
  local -a subcommands flags
  for ((i = 2; i < CURRENT; i++)); do
    word=\${words[i]}
    case "$place $word" in
      ${inner(places)
        .map(({ path }) => `(${quoted(path)})`)
        .map((pattern) => `${pattern} place="$place $word"; arguments=0; continue ;;`)
        .join('\n      ')}
    esac
    [[ $word == -* ]] || arguments=$((arguments + 1))
  done
  case "$place $previous" in
${places.flatMap(({ path, options }) => options.flatMap((flag) => valueCase(path, flag))).join('\n')}
  esac
  case "$place" in
${places.map(placeCase).join('\n')}
  esac
  if [[ \${words[CURRENT]} == -* ]]; then
    _describe -o 'option' flags
  elif ((\${#subcommands})); then
    _describe 'command' subcommands
  else
    _files
  fi
}
if [[ $funcstack[1] == _onemcp ]]; then _onemcp "$@"; else compdef _onemcp onemcp; fi
`;
}

function valueCase(path: string, { names, value }: Flag): readonly string[] {
  if (value === undefined) return [];
  const what = value === 'any' ? '_files' : value === 'server' ? '_onemcp_servers' : `compadd ${value.map(quoted).join(' ')}`;
  return names.map((name) => `    (${quoted(`${path} ${name}`)}) ${what}; return ;;`);
}

/** \`_describe\` parts a word from its description at the first colon. */
const described = (name: string, description: string): string => quoted(`${name.replaceAll(':', '\\:')}:${description}`);

function placeCase({ path, commands, options, argument }: Place): string {
  const flags = options.flatMap(({ names, description }) => names.map((name) => described(name, description)));
  const first = argument === 'server' ? '_onemcp_servers' : argument ? `compadd ${argument.map(quoted).join(' ')}` : '';
  return [
    `    (${quoted(path)})`,
    `      flags=(${flags.join(' ')})`,
    ...(commands.length > 0
      ? [`      subcommands=(${commands.map(({ name, description }) => described(name, description)).join(' ')})`]
      : []),
    ...(first ? [`      if ((arguments == 0)) && [[ \${words[CURRENT]} != -* ]]; then ${first}; return; fi`] : []),
    '      ;;',
  ].join('\n');
}
