import { type Flag, inner, type Place, quoted } from './places.ts';

/** The completion script for bash, 3.2 (macOS) and later. */
export function bashScript(places: readonly Place[]): string {
  return `# Completion of onemcp for bash; made by: onemcp completion bash
_onemcp() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]}
  local place='' words='' options='' servers='' valued='' arguments=0 word name i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    case "$place $word" in
      ${inner(places)
        .map(({ path }) => quoted(path))
        .join(' | ')}) place="$place $word"; arguments=0; continue ;;
    esac
    [[ $word == -* ]] || arguments=$((arguments + 1))
  done
  COMPREPLY=()
  case "$place $prev" in
${places.flatMap(({ path, options }) => options.flatMap((flag) => valueCase(path, flag))).join('\n')}
  esac
  if [[ -z $valued ]]; then
    case "$place" in
${places.map(placeCase).join('\n')}
    esac
  fi
  if [[ $cur == -* ]]; then words=$options; servers=''; fi
  # The words are ours; names of servers are not, and are never given to a shell to expand.
  if [[ -n $words ]]; then COMPREPLY=($(compgen -W "$words" -- "$cur")); fi
  if [[ -n $servers ]]; then
    while IFS= read -r name; do
      if [[ $name == "$cur"* ]]; then COMPREPLY+=("$(printf '%q' "$name")"); fi
    done < <(onemcp completion-names 2>/dev/null)
  fi
}
complete -o default -F _onemcp onemcp
`;
}

/** What follows an option that takes a value; nothing of ours lets the shell offer files. */
function valueCase(path: string, { names, value }: Flag): readonly string[] {
  if (value === undefined) return [];
  const after = names.map((name) => quoted(`${path} ${name}`)).join(' | ');
  const what = value === 'any' ? '' : value === 'server' ? ' servers=1' : ` words=${quoted(value.join(' '))}`;
  return [`    ${after}) valued=1${what} ;;`];
}

function placeCase({ path, commands, options, argument }: Place): string {
  const words = commands.map(({ name }) => name);
  const first = argument === 'server' ? 'servers=1' : argument ? `words=${quoted(argument.join(' '))}` : '';
  return [
    `      ${quoted(path)})`,
    `        options=${quoted(options.flatMap(({ names }) => names).join(' '))}`,
    ...(words.length > 0 ? [`        words=${quoted(words.join(' '))}`] : []),
    ...(first ? [`        if [[ $arguments -eq 0 ]]; then ${first}; fi`] : []),
    '        ;;',
  ].join('\n');
}
