/** What depends on what: in which order servers can start, and the circles in which none can. */

/** A server and the names it depends on; names of others than those given are left out of account. */
export interface Dependent {
  readonly name: string;
  readonly dependsOn: readonly string[];
}

/** More circles than these are not worth reading. */
const MOST_CYCLES = 20;

/**
 * The names in the order in which they can start: each wave depends only on waves before it. Within a wave the order stays.
 * Those that are in a circle, or behind one, are in no wave.
 */
export function waves(servers: readonly Dependent[]): string[][] {
  const known = new Map(servers.map((server) => [server.name, server]));
  const missing = new Map<string, number>();
  const dependants = new Map<string, string[]>();
  for (const { name, dependsOn } of servers) {
    const needed = [...new Set(dependsOn)].filter((other) => known.has(other));
    missing.set(name, needed.length);
    for (const other of needed) {
      const those = dependants.get(other);
      if (those) those.push(name);
      else dependants.set(other, [name]);
    }
  }
  const order = new Map([...known.keys()].map((name, index) => [name, index]));
  const inOrder = (a: string, b: string) => order.get(a)! - order.get(b)!;
  const result: string[][] = [];
  let wave = [...known.keys()].filter((name) => missing.get(name) === 0);
  while (wave.length > 0) {
    result.push(wave);
    const ready: string[] = [];
    for (const name of wave.flatMap((done) => dependants.get(done) ?? [])) {
      const left = missing.get(name)! - 1;
      missing.set(name, left);
      if (left === 0) ready.push(name);
    }
    wave = ready.sort(inOrder);
  }
  return result;
}

/**
 * The circles of dependencies, each from its first server to the one whose dependency closes it. Without the dependencies
 * that close them there is none left.
 */
export function cycles(servers: readonly Dependent[]): string[][] {
  const found: string[][] = [];
  let left = servers;
  while (found.length < MOST_CYCLES) {
    const started = new Set(waves(left).flat());
    left = left.filter(({ name }) => !started.has(name));
    const cycle = firstCycle(left);
    if (!cycle) return found;
    found.push(cycle);
    const [closing, first] = [cycle.at(-1), cycle[0]];
    left = left.map((server) =>
      server.name === closing ? { ...server, dependsOn: server.dependsOn.filter((other) => other !== first) } : server,
    );
  }
  return found;
}

/** Of servers that all wait for one of them: going on to what each waits for ends in a circle. */
function firstCycle(servers: readonly Dependent[]): string[] | undefined {
  const known = new Map(servers.map((server) => [server.name, server]));
  const path = new Map<string, number>();
  let at = servers[0];
  while (at && !path.has(at.name)) {
    path.set(at.name, path.size);
    at = at.dependsOn.map((other) => known.get(other)).find((other) => other !== undefined);
  }
  return at && [...path.keys()].slice(path.get(at.name));
}
