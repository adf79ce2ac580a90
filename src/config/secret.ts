import type { Secret } from './config.ts';

const HIDDEN = '***';
const INSPECT = Symbol.for('nodejs.util.inspect.custom');

/** A text that prints as `***` in strings, JSON and `util.inspect`. */
export function createSecret(value: string): Secret {
  return Object.freeze({
    reveal: () => value,
    toString: () => HIDDEN,
    toJSON: () => HIDDEN,
    [INSPECT]: () => HIDDEN,
  });
}

/** A list whose items can be read but are not printed. */
export function hiddenList(values: readonly string[]): readonly string[] {
  const hide = { value: () => values.map(() => HIDDEN) };
  return Object.freeze(Object.defineProperties([...values], { toJSON: hide, toString: { value: () => HIDDEN }, [INSPECT]: hide }));
}
