/** Keys of other MCP clients, with ours. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  servers: 'mcpServers',
  mcp: 'mcpServers',
  mcp_servers: 'mcpServers',
  cmd: 'command',
  arguments: 'args',
  environment: 'env',
  workingdirectory: 'cwd',
  serverurl: 'url',
  httpurl: 'url',
  baseurl: 'url',
  uri: 'url',
  transport: 'type',
  transporttype: 'type',
  enabled: 'disabled',
  category: 'tags',
};

const LONGEST_LIST = 16;

/** The known word a misspelt one most likely stands for. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const lower = word.toLowerCase();
  const translated = Object.hasOwn(ELSEWHERE, lower) ? ELSEWHERE[lower] : undefined;
  if (translated !== undefined && known.includes(translated)) return translated;
  // A long word cannot be near, and its distance would be expensive.
  if (word.length > 64) return undefined;
  const ranked = known
    .map((candidate) => ({ candidate, edits: distance(lower, candidate.toLowerCase()) }))
    .sort((a, b) => a.edits - b.edits);
  const best = ranked[0];
  return best && best.edits <= Math.max(1, Math.floor(best.candidate.length / 3)) ? best.candidate : undefined;
}

/** What to say about a key that does not exist. */
export function unknownKey(key: string, known: readonly string[]): string {
  const guess = nearest(key, known);
  if (guess !== undefined) return `unknown key, did you mean "${guess}"?`;
  return known.length > LONGEST_LIST
    ? 'unknown key; see config.schema.json for the known ones'
    : `unknown key; known here: ${known.join(', ')}`;
}

/** Edit distance in which swapping two neighbours counts once (optimal string alignment). */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swap = swapped ? before[j - 2]! + 1 : Number.POSITIVE_INFINITY;
      row.push(Math.min(above[j]! + 1, row[j - 1]! + 1, change, swap));
    }
    [before, above] = [above, row];
  }
  return above[b.length]!;
}
