import { createScanner, type Node, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser';
import type { Path, Problem } from './issue.ts';

/** Line and column from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
  /** Where there is more than one file. */
  readonly file?: string;
}

/** A parsed file that still knows where everything was written. */
export interface Document {
  /** Plain JSON data; the last of several equal keys wins. Objects have no forbidden keys. */
  readonly value: unknown;
  /** Place of a problem. A path that does not exist is placed at its nearest existing parent. */
  locate(problem: Problem): Position;
  /** Of several files: the place in the lowest one that has it, and which one that is. */
  locateFirst?(problem: Problem): Position & { readonly sheet: number };
}

interface Parsed {
  /** Missing after a syntax error. */
  readonly document: Document | undefined;
  readonly problems: readonly Problem[];
  readonly positionOf: (offset: number) => Position;
}

const MOST_SYNTAX_ERRORS = 5;
const DEEPEST = 64;

/** Keys that mean something else to JavaScript objects. */
const FORBIDDEN = new Set(['__proto__', 'constructor', 'prototype']);

const SYNTAX: Readonly<Record<string, string>> = {
  InvalidSymbol: 'unexpected text; keys and strings need double quotes',
  InvalidNumberFormat: 'this is not a number',
  PropertyNameExpected: 'expected a key in double quotes',
  ValueExpected: 'expected a value',
  ColonExpected: 'expected ":" after the key',
  CommaExpected: 'expected "," before this',
  CloseBraceExpected: 'expected "}"',
  CloseBracketExpected: 'expected "]"',
  EndOfFileExpected: 'expected the end of the file; there is something after the closing "}"',
  UnexpectedEndOfComment: 'the comment is not closed; add "*/"',
  UnexpectedEndOfString: 'the string is not closed; add a double quote',
  UnexpectedEndOfNumber: 'this is not a number',
  InvalidUnicode: 'expected four hexadecimal digits after \\u',
  InvalidEscapeCharacter: 'unknown escape; write \\\\ for a backslash',
  InvalidCharacter: 'control characters must be escaped, such as \\n or \\t',
};

/** JSON with comments and trailing commas, as data with places. */
export function parseDocument(source: string): Parsed {
  const text = source.startsWith('\uFEFF') ? source.slice(1) : source;
  const positionOf = positions(text);
  const obstacle = emptiness(text) ?? depth(text);
  if (obstacle) return { document: undefined, problems: [obstacle], positionOf };

  const errors: ParseError[] = [];
  const root = parseTree(text, errors, { allowTrailingComma: true });
  if (errors.length > 0 || !root) return { document: undefined, problems: syntaxProblems(errors, positionOf), positionOf };

  const problems: Problem[] = [];
  const index: Index = new Map();
  const value = plainValue(root, [], { problems, positionOf, index });
  const locate = (problem: Problem) => positionOf(problem.offset ?? offsetOf(root, problem, index));
  return { document: { value, locate }, problems, positionOf };
}

function emptiness(text: string): Problem | undefined {
  const scanner = createScanner(text, true);
  scanner.scan();
  if (scanner.getTokenOffset() < text.length) return undefined;
  return { path: [], at: 'value', message: 'the file is empty; start with { "mcpServers": {} }', offset: 0 };
}

/** The tree builder is recursive: a bomb of brackets must not reach it. */
function depth(text: string): Problem | undefined {
  const scanner = createScanner(text, true);
  let open = 0;
  while (scanner.getPosition() < text.length) {
    scanner.scan();
    const token = text[scanner.getTokenOffset()];
    if (token === '{' || token === '[') open++;
    if (token === '}' || token === ']') open--;
    if (open > DEEPEST)
      return { path: [], at: 'value', message: `more than ${DEEPEST} brackets inside each other`, offset: scanner.getTokenOffset() };
  }
  return undefined;
}

/** One error a line: what follows on the same line is most often only its echo. */
function syntaxProblems(errors: readonly ParseError[], positionOf: (offset: number) => Position): Problem[] {
  const lines = new Map<number, Problem>();
  for (const { error, offset } of errors) {
    const line = positionOf(offset).line;
    const message = SYNTAX[printParseErrorCode(error)] ?? 'this is not JSON';
    if (!lines.has(line) && lines.size < MOST_SYNTAX_ERRORS) lines.set(line, { path: [], at: 'value', message, offset });
  }
  return [...lines.values()];
}

interface Property {
  readonly keyNode: Node;
  readonly valueNode: Node;
}

/** The properties of every object by key; of equal keys the last. */
type Index = Map<Node, Map<string, Property>>;

interface Reading {
  readonly index: Index;
  readonly problems: Problem[];
  readonly positionOf: (offset: number) => Position;
}

function plainValue(node: Node, path: Path, reading: Reading): unknown {
  if (node.type === 'array') return (node.children ?? []).map((child, index) => plainValue(child, [...path, index], reading));
  if (node.type !== 'object') return node.value;
  const object: Record<string, unknown> = {};
  const seen = new Map<string, Property>();
  reading.index.set(node, seen);
  for (const { children = [] } of node.children ?? []) {
    const [keyNode, valueNode] = children;
    if (!keyNode || !valueNode) continue;
    const key = String(keyNode.value);
    const here = [...path, key];
    const report = (message: string) => reading.problems.push({ path: here, at: 'key', message, offset: keyNode.offset });
    if (FORBIDDEN.has(key)) {
      report(`"${key}" cannot be a key; use another word`);
      continue;
    }
    const before = seen.get(key);
    if (before) report(duplicate(here, reading.positionOf(before.keyNode.offset)));
    seen.set(key, { keyNode, valueNode });
    object[key] = plainValue(valueNode, here, reading);
  }
  return object;
}

function duplicate(path: Path, before: Position): string {
  const what = path.length === 2 && path[0] === 'mcpServers' ? 'there is already a server of this name' : 'this key was already written';
  return `${what} on line ${before.line}; keep one of them`;
}

function offsetOf(root: Node, { path, at }: Problem, index: Index): number {
  let node = root;
  let offset = root.offset;
  for (const [depth, segment] of path.entries()) {
    const property = typeof segment === 'string' ? index.get(node)?.get(segment) : undefined;
    const next = typeof segment === 'string' ? property?.valueNode : node.children?.[segment];
    if (!next) return offset;
    const wantsKey = at === 'key' && depth === path.length - 1;
    offset = wantsKey && property ? property.keyNode.offset : next.offset;
    node = next;
  }
  return offset;
}

function positions(text: string): (offset: number) => Position {
  const starts = [0, ...Array.from(text.matchAll(/\r\n|\r|\n/g), (end) => end.index + end[0].length)];
  return (offset) => {
    let [low, high] = [0, starts.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (starts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - starts[low]! + 1 };
  };
}
