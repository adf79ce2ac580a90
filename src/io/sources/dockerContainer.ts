/** What one container of `GET /containers/json` says about a server. */
import { type Candidate, compare } from './choose.ts';
import { addressOf, commonEntry, type Fields, fieldsOf, listOf, portOf, wordOf } from './fields.ts';

/** The oldest first, so that of a scaled service the same one is taken each time. */
export function inOrder(containers: readonly unknown[]): readonly Fields[] {
  const age = ({ Created }: Fields) => (typeof Created === 'number' ? Created : Number.MAX_SAFE_INTEGER);
  return containers
    .map(fieldsOf)
    .filter(({ Id }) => wordOf(Id) !== undefined)
    .sort((a, b) => age(a) - age(b) || compare(String(a.Id), String(b.Id)));
}

/** @param label what the labels begin with */
export function candidateOf(container: Fields, label: string): Candidate {
  const labels = fieldsOf(container.Labels);
  const said = (key: string) => wordOf(labels[`${label}.${key}`]);
  const own = nameOf(container);
  const place = `container ${own ?? String(container.Id).slice(0, 12)}`;
  const name = said('name') ?? wordOf(labels['com.docker.compose.service']) ?? own;
  if (name === undefined) return { place, why: `has no name; give it the label ${label}.name` };
  const url = said('url') ?? urlOf(container, label, said);
  if (typeof url !== 'string') return { place, ...url };
  const headers = headersOf(labels, `${label}.headers.`);
  return { name, entry: { url, ...commonEntry(said), ...(headers && { headers }) }, place };
}

/** A name with a second slash is that of a link from another container. */
function nameOf({ Names }: Fields): string | undefined {
  const names = listOf(Names).flatMap((name) => wordOf(name)?.replace(/^\//, '') ?? []);
  return names.find((name) => !name.includes('/'));
}

function urlOf(container: Fields, label: string, said: (key: string) => string | undefined): string | { readonly why: string } {
  const written = said('port');
  if (written === undefined) return { why: `has neither the label ${label}.url nor ${label}.port` };
  const port = portOf(written);
  if (port === undefined) return { why: `has the label ${label}.port, which is no port` };
  const host = hostOf(container, said('network'));
  if (host === undefined) {
    const advice = said('network') === undefined ? `; write ${label}.url` : `; check ${label}.network`;
    return { why: `has no address in a network${advice}` };
  }
  return addressOf(`http://${host}:${port}`, said('path')) ?? { why: `has the label ${label}.path, which is no path` };
}

/** Compose puts the name of its project before that of a network. */
function hostOf({ NetworkSettings, Labels }: Fields, network: string | undefined): string | undefined {
  const networks = fieldsOf(fieldsOf(NetworkSettings).Networks);
  const project = wordOf(fieldsOf(Labels)['com.docker.compose.project']);
  const wanted = network === undefined ? Object.keys(networks).sort(compare) : [network, `${project}_${network}`];
  for (const name of wanted) {
    const { IPAddress, GlobalIPv6Address } = fieldsOf(networks[name]);
    const [v4, v6] = [wordOf(IPAddress), wordOf(GlobalIPv6Address)];
    if (v4 !== undefined) return v4;
    if (v6 !== undefined) return `[${v6}]`;
  }
  return undefined;
}

function headersOf(labels: Fields, prefix: string): Record<string, string> | undefined {
  const headers = Object.entries(labels).flatMap(([key, value]) =>
    key.startsWith(prefix) && key.length > prefix.length && typeof value === 'string' ? [[key.slice(prefix.length), value] as const] : [],
  );
  return headers.length > 0 ? Object.fromEntries(headers) : undefined;
}
