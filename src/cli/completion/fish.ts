import { type Flag, inner, type Place } from './places.ts';

/** The completion script for fish. */
export function fishScript(places: readonly Place[]): string {
  return `# Completion of onemcp for fish; made by: onemcp completion fish
function __onemcp_place
    set -l place ''
    set -l arguments 0
    set -l words (commandline -opc)
    set -e words[1]
    for word in $words
        switch "$place $word"
            case ${inner(places)
              .map(({ path }) => quoted(path))
              .join(' ')}
                set place "$place $word"
                set arguments 0
            case '* -*'
            case '*'
                set arguments (math $arguments + 1)
        end
    end
    echo "$place"
    echo $arguments
end
function __onemcp_at
    set -l found (__onemcp_place)
    test "$found[1]" = "$argv[1]"
end
function __onemcp_first
    set -l found (__onemcp_place)
    test "$found[1]" = "$argv[1]" -a "$found[2]" = 0
end
${places.flatMap(placeLines).join('\n')}
`;
}

/** A text in single quotes, in which only these two mean something else. */
const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

const SERVERS = quoted('(onemcp completion-names 2>/dev/null)');

function placeLines({ path, commands, options, argument }: Place): readonly string[] {
  const at = `complete -c onemcp -n ${quoted(`__onemcp_at ${quoted(path)}`)}`;
  // Files come after it.
  const first = `complete -c onemcp -n ${quoted(`__onemcp_first ${quoted(path)}`)}`;
  return [
    ...commands.map(({ name, description }) => `${at} -f -a ${quoted(name)} -d ${quoted(description)}`),
    ...(argument === 'server' ? [`${first} -f -a ${SERVERS} -d 'server'`] : []),
    ...(Array.isArray(argument) ? [`${first} -f -a ${quoted(argument.join(' '))}`] : []),
    ...options.map((flag) => `${at} ${flagText(flag)}`),
  ];
}

function flagText({ names, description, value }: Flag): string {
  const spelt = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`)).join(' ');
  const takes = value === undefined ? '' : value === 'any' ? ' -r' : ` -x -a ${value === 'server' ? SERVERS : quoted(value.join(' '))}`;
  return `${spelt}${takes} -d ${quoted(description)}`;
}
