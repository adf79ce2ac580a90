/** What one Service says about a server (core/v1 Service). */
import { type Candidate, compare } from './choose.ts';
import { addressOf, commonEntry, type Fields, fieldsOf, listOf, portOf, wordOf } from './fields.ts';

const PREFIX = 'onemcp.io/';
/** Names of a port by which one of several is chosen, the first first. */
const PORT_NAMES = ['mcp', 'http'];

/** `namespace/name`; undefined for what is no object of the API. */
export function keyOf(service: Fields): string | undefined {
  const { namespace, name } = fieldsOf(service.metadata);
  const [space, own] = [wordOf(namespace), wordOf(name)];
  return space === undefined || own === undefined ? undefined : `${space}/${own}`;
}

/** The oldest first, so that of two with one name the same is taken each time. */
export function inOrder(services: Iterable<Fields>): readonly Fields[] {
  const age = (service: Fields) => wordOf(fieldsOf(service.metadata).creationTimestamp) ?? '~';
  return [...services].sort((a, b) => compare(age(a), age(b)) || compare(keyOf(a) ?? '', keyOf(b) ?? ''));
}

export function candidateOf(service: Fields): Candidate {
  const { name, namespace, annotations } = fieldsOf(service.metadata);
  const place = `Service ${namespace}/${name}`;
  const notes = fieldsOf(annotations);
  const said = (key: string) => wordOf(notes[`${PREFIX}${key}`]);
  const url = said('url') ?? urlOf(service, said);
  if (typeof url !== 'string') return { place, ...url };
  return { name: said('name') ?? String(name), entry: { url, ...commonEntry(said) }, place };
}

function urlOf(service: Fields, said: (key: string) => string | undefined): string | { readonly why: string } {
  const { name, namespace } = fieldsOf(service.metadata);
  const spec = fieldsOf(service.spec);
  const external = spec.type === 'ExternalName' ? wordOf(spec.externalName) : undefined;
  if (spec.type === 'ExternalName' && external === undefined) return { why: 'is of the type ExternalName and has no externalName' };
  const scheme = said('scheme') ?? 'http';
  if (scheme !== 'http' && scheme !== 'https') return { why: `has the annotation ${PREFIX}scheme, which is neither http nor https` };
  const port = choosePort(spec, said('port'));
  if (typeof port !== 'number') return port;
  const host = external ?? `${name}.${namespace}.svc`;
  return addressOf(`${scheme}://${host}:${port}`, said('path')) ?? { why: `has no address that can be used, ${host} with its path` };
}

function choosePort(spec: Fields, written: string | undefined): number | { readonly why: string } {
  const ports = listOf(spec.ports)
    .map(fieldsOf)
    .filter(({ protocol = 'TCP' }) => protocol === 'TCP');
  if (written !== undefined) {
    const number = portOf(written);
    const named = ports.find(({ name, port }) => name === written || port === number);
    if (named) return numberOf(spec, named);
    // Where no cluster address stands between, each port of the host can be reached.
    if (number !== undefined && isDirect(spec)) return number;
    return { why: `has no port ${JSON.stringify(written)}, which its annotation ${PREFIX}port names` };
  }
  const [chosen] = [...PORT_NAMES.flatMap((wanted) => ports.filter(({ name }) => name === wanted)), ...(ports.length === 1 ? ports : [])];
  if (chosen) return numberOf(spec, chosen);
  if (ports.length === 0) return { why: `has no TCP port; write the annotation ${PREFIX}port` };
  return { why: `has several ports, of which none is named mcp or http; write the annotation ${PREFIX}port` };
}

/** Its name leads to pods, or to another host. */
const isDirect = ({ type, clusterIP }: Fields): boolean => type === 'ExternalName' || clusterIP === 'None';

/** A headless Service translates no ports. */
function numberOf(spec: Fields, { port, targetPort }: Fields): number | { readonly why: string } {
  const target = spec.clusterIP === 'None' ? portOf(targetPort) : undefined;
  return target ?? portOf(port) ?? { why: 'has a port that is no number' };
}
