import { parseAllDocuments } from 'yaml';

/** Of Compose: takes back what an earlier file says. */
const customTags = [
  { tag: '!reset', resolve: (text: string) => (text === 'null' ? null : text) },
  { tag: '!reset', collection: 'seq' as const },
];

/** The documents of a YAML text. @throws Error with every flaw of it */
export function yamlOf<T = unknown>(text: string): readonly T[] {
  return parseAllDocuments(text, { customTags }).map((document) => {
    const flaws = [...document.errors, ...document.warnings].map(({ message }) => message);
    if (flaws.length > 0) throw new Error(flaws.join('\n'));
    return document.toJS() as T;
  });
}
