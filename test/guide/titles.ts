/** The tests of a file, as its text says them. */
import { readFileSync } from 'node:fs';
import ts from 'typescript';

interface Declared {
  readonly title: string;
  /** Whether it, or a group it is in, is `skip` or `todo`. `skipIf` is not: that depends on the machine. */
  readonly off: boolean;
  /** The ids of `runs` or `verifies`, when it has any. */
  readonly ids: readonly string[];
}

/** Every `it` and `test` of a file. */
export function testsOf(file: string): readonly Declared[] {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest);
  const found: Declared[] = [];
  const visit = (node: ts.Node, off: boolean): void => {
    const call = ts.isCallExpression(node) ? node : undefined;
    const words = call && wordsOf(call.expression);
    const isOff = off || !!words?.some((word) => word === 'skip' || word === 'todo');
    const named = call?.arguments[0] && titleOf(call.arguments[0]);
    if (named && (words?.[0] === 'it' || words?.[0] === 'test')) found.push({ ...named, off: isOff });
    ts.forEachChild(node, (child) => visit(child, isOff));
  };
  visit(source, false);
  return found;
}

/** `it.skipIf(x).each(y)` is it, skipIf, each. */
function wordsOf(callee: ts.Expression): readonly string[] {
  if (ts.isIdentifier(callee)) return [callee.text];
  if (ts.isPropertyAccessExpression(callee)) return [...wordsOf(callee.expression), callee.name.text];
  return ts.isCallExpression(callee) ? wordsOf(callee.expression) : [];
}

function titleOf(node: ts.Expression): Pick<Declared, 'title' | 'ids'> | undefined {
  if (ts.isStringLiteralLike(node)) return { title: node.text, ids: [] };
  if (!ts.isCallExpression(node)) return undefined;
  const [ids, title] = node.arguments;
  if (!ids || !title || !ts.isStringLiteralLike(title)) return undefined;
  const all = ts.isArrayLiteralExpression(ids) ? ids.elements : [ids];
  return { title: title.text, ids: all.flatMap((id) => (ts.isStringLiteralLike(id) ? [id.text] : [])) };
}
