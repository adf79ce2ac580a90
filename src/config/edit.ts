/**
 * Changes to the text of a configuration file that leave the rest of it as it was written: comments, order, indentation, line
 * ends, trailing commas. Pure: text in, text out.
 */
import { applyEdits, createScanner, type Edit, type Node, type ParseError, parseTree } from 'jsonc-parser';
import { createPrinter, type Printer } from './print.ts';

/** What a new file begins as. */
export const EMPTY_FILE = '{\n  "mcpServers": {}\n}\n';

/** Where files keep servers, ours first. */
const PLACES = [['mcpServers'], ['servers'], ['mcp', 'servers'], ['mcpTemplates']] as const;

/** A text that can be changed. */
interface Sheet {
  /** Without a byte order mark. */
  readonly body: string;
  readonly root: Node;
  readonly printer: Printer;
}

/**
 * Adds a server behind the others, or replaces the one of that name.
 * @throws Error when the text is not an object
 */
export function withServer(text: string, name: string, entry: object): string {
  return changed(text, (sheet) => {
    const old = serverOf(sheet.root, name);
    if (old) return [replacement(sheet, old, entry)];
    const place = PLACES.slice(0, 3)
      .map((path) => propertyAt(sheet.root, path))
      .find((found) => found?.value.type === 'object');
    return place ? insertion(sheet, place.value, [name, entry]) : insertion(sheet, sheet.root, ['mcpServers', { [name]: entry }]);
  });
}

/** Takes a server out, with what is written behind it on its last line. @throws Error when there is none of that name */
export function withoutServer(text: string, name: string): string {
  return changed(text, (sheet) => removal(sheet, known(sheet, name)));
}

/** Switches a server off, or on again. @throws Error when there is none of that name */
export function withDisabled(text: string, name: string, disabled: boolean): string {
  return changed(text, (sheet) => {
    const entry = known(sheet, name).value;
    const old = propertyAt(entry, ['disabled']);
    if (!disabled) return old ? removal(sheet, old) : [];
    return old ? [replacement(sheet, old, true)] : insertion(sheet, entry, ['disabled', true]);
  });
}

/** Sets an option of the gateway, such as `port`. @throws Error when the text is not an object */
export function withGatewayOption(text: string, key: string, value: unknown): string {
  return changed(text, (sheet) => {
    const gateway = propertyAt(sheet.root, ['gateway']);
    if (gateway?.value.type !== 'object') return insertion(sheet, sheet.root, ['gateway', { [key]: value }]);
    const old = propertyAt(gateway.value, [key]);
    return old ? [replacement(sheet, old, value)] : insertion(sheet, gateway.value, [key, value]);
  });
}

/** Whether there is an entry of that name, anywhere in the file. */
export function hasServer(text: string, name: string): boolean {
  const root = parseTree(withoutMark(text), [], { allowTrailingComma: true });
  return root !== undefined && serverOf(root, name) !== undefined;
}

const withoutMark = (text: string): string => text.replace(/^\uFEFF/, '');

function changed(text: string, edit: (sheet: Sheet) => Edit[]): string {
  const body = withoutMark(text);
  const errors: ParseError[] = [];
  const root = parseTree(body, errors, { allowTrailingComma: true });
  if (errors.length > 0) throw new Error('the file has a syntax error; see onemcp check');
  if (root?.type !== 'object') throw new Error('the file is not a JSON object; correct it first');
  const mark = text.slice(0, text.length - body.length);
  return mark + applyEdits(body, edit({ body, root, printer: createPrinter(body) }));
}

/** A key with its value, and the object it is in. */
interface Property {
  readonly node: Node;
  readonly value: Node;
  readonly parent: Node;
}

function propertyAt(root: Node, path: readonly string[]): Property | undefined {
  const [key, ...rest] = path;
  // Of equal keys the last one counts.
  const node = root.type === 'object' ? root.children?.findLast(({ children }) => children?.[0]?.value === key) : undefined;
  const value = node?.children?.[1];
  if (!node || !value) return undefined;
  return rest.length > 0 ? propertyAt(value, rest) : { node, value, parent: root };
}

function serverOf(root: Node, name: string): Property | undefined {
  for (const path of PLACES) {
    const found = propertyAt(root, [...path, name]);
    if (found) return found;
  }
  return undefined;
}

function known({ root }: Sheet, name: string): Property {
  const found = serverOf(root, name);
  if (found?.value.type === 'object') return found;
  throw new Error(`there is no server ${JSON.stringify(name)} in it`);
}

const endOf = ({ offset, length }: Node): number => offset + length;

const replacement = ({ body, printer }: Sheet, { node, value }: Property, by: unknown): Edit => ({
  offset: value.offset,
  length: value.length,
  content: printer.print(by, indentAt(body, node.offset)),
});

/** A property at the end of an object, behind the comments on the line of the one before it. */
function insertion({ body, printer }: Sheet, object: Node, [key, value]: readonly [string, unknown]): Edit[] {
  const { eol, unit, print } = printer;
  const last = object.children?.at(-1);
  const close = endOf(object) - 1;
  const outer = indentAt(body, object.offset);
  if (!last) return [firstProperty({ body, printer }, object, [key, value])];
  const end = endOf(last);
  const comma = commaAt(body, end);
  if (!body.slice(object.offset, close).includes('\n')) {
    return [
      {
        offset: comma === undefined ? end : comma + 1,
        length: 0,
        content: `${comma === undefined ? ',' : ''} ${JSON.stringify(key)}: ${printer.line(value)}`,
      },
    ];
  }
  const inner = startsLine(body, last.offset) ? indentAt(body, last.offset) : outer + unit;
  const tail = lineRest(body, comma === undefined ? end : comma + 1).end;
  const property = `${eol}${inner}${JSON.stringify(key)}: ${print(value, inner)}${comma === undefined ? '' : ','}`;
  if (comma !== undefined) return [{ offset: tail, length: 0, content: property }];
  if (tail === end) return [{ offset: end, length: 0, content: `,${property}` }];
  return [
    { offset: end, length: 0, content: ',' },
    { offset: tail, length: 0, content: property },
  ];
}

/** The first property of an object, behind the comments that are in it already. */
function firstProperty({ body, printer }: Pick<Sheet, 'body' | 'printer'>, object: Node, [key, value]: readonly [string, unknown]): Edit {
  const { eol, unit, print } = printer;
  const outer = indentAt(body, object.offset);
  const inner = outer + unit;
  const gap = body.slice(object.offset + 1, endOf(object) - 1);
  const kept = gap.trimEnd();
  const content = `${eol}${inner}${JSON.stringify(key)}: ${print(value, inner)}${eol}${outer}`;
  return { offset: object.offset + 1 + kept.length, length: gap.length - kept.length, content };
}

/** Without a property; if it was the last one, the comma before it goes too. */
function removal({ body }: Sheet, { node, parent }: Property): Edit[] {
  const siblings = parent.children ?? [];
  const before = siblings[siblings.indexOf(node) - 1];
  const comma = commaAt(body, endOf(node));
  const end = comma === undefined ? endOf(node) : comma + 1;
  const isBlank = (from: number, to: number) => body.slice(from, to).trim() === '';
  if (siblings.length === 1 && isBlank(parent.offset + 1, node.offset) && isBlank(end, endOf(parent) - 1)) {
    return [{ offset: parent.offset + 1, length: parent.length - 2, content: '' }];
  }
  const dangling = before && comma === undefined ? commaAt(body, endOf(before)) : undefined;
  const { lineBreak } = lineRest(body, end);
  if (startsLine(body, node.offset) && lineBreak !== undefined) {
    const start = body.lastIndexOf('\n', node.offset - 1) + 1;
    const lines = { offset: start, length: lineBreak - start, content: '' };
    return dangling === undefined ? [lines] : [{ offset: dangling, length: 1, content: '' }, lines];
  }
  if (dangling === undefined) {
    const spaces = /^[ \t]*/.exec(body.slice(end))?.[0].length ?? 0;
    return [{ offset: node.offset, length: end + (comma === undefined ? 0 : spaces) - node.offset, content: '' }];
  }
  if (isBlank(dangling + 1, node.offset)) return [{ offset: dangling, length: end - dangling, content: '' }];
  return [
    { offset: dangling, length: 1, content: '' },
    { offset: node.offset, length: end - node.offset, content: '' },
  ];
}

/** Where the comma behind a value is, if there is one before the next value. */
function commaAt(body: string, from: number): number | undefined {
  const scanner = createScanner(body, true);
  scanner.setPosition(from);
  scanner.scan();
  return body[scanner.getTokenOffset()] === ',' ? scanner.getTokenOffset() : undefined;
}

/** What is left of a line: where its last comment ends, and where the next line begins if nothing else is on this one. */
function lineRest(body: string, from: number): { readonly end: number; readonly lineBreak?: number } {
  const scanner = createScanner(body, false);
  scanner.setPosition(from);
  let end = from;
  for (;;) {
    scanner.scan();
    const tokenEnd = scanner.getTokenOffset() + scanner.getTokenLength();
    const first = body[scanner.getTokenOffset()] ?? '';
    if (first === '\n' || first === '\r') return { end, lineBreak: tokenEnd };
    if (first === '/') end = tokenEnd;
    else if (first.trim() !== '' || first === '') return { end };
  }
}

/** The white space that a line begins with. */
const indentAt = (body: string, offset: number): string =>
  /^[ \t]*/.exec(body.slice(body.lastIndexOf('\n', offset - 1) + 1, offset))?.[0] ?? '';

const startsLine = (body: string, offset: number): boolean => body.slice(body.lastIndexOf('\n', offset - 1) + 1, offset).trim() === '';
