import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toolChanges } from '../../src/mcp/changes.ts';
import type { Json } from '../../src/world.ts';

const tool = (inputSchema: Json, more: Json = {}): Json => ({ name: 't', inputSchema: { type: 'object', ...inputSchema }, ...more });
const between = (before: Json, after: Json) => toolChanges({ tools: [before] }, { tools: [after] });
const flaw = (before: Json, after: Json) => between(tool(before), tool(after))[0]?.message;
const property = (schema: Json, more: Json = {}): Json => ({ properties: { x: schema }, ...more });

describe('a tool', () => {
  it('appears and vanishes', () => {
    const [a, b, c] = ['a', 'b', 'c'].map((name) => ({ name, inputSchema: {} }));
    expect(toolChanges({ tools: [a!, b!] }, { tools: [b!, c!] })).toEqual([
      { tool: 'a', change: 'vanishes', message: 'it is gone' },
      { tool: 'c', change: 'appears', message: 'it is new' },
    ]);
  });

  it.each<[string, Json, Json]>([
    ['"x" is required now', property({}), property({}, { required: ['x'] })],
    ['"x" is required now', {}, property({}, { required: ['x'] })],
    ['"x" is gone', property({}), {}],
    ['"x" is no longer number', property({ type: ['string', 'number'] }), property({ type: 'string' })],
    ['"x" is no longer number', property({ type: 'number' }), property({ type: 'integer' })],
    ['"x" has to be string now', property({}), property({ type: 'string' })],
    ['"x" no longer takes "b"', property({ enum: ['a', 'b'] }), property({ enum: ['a'] })],
    ['"x" no longer takes "b"', property({ enum: ['a', 'b'] }), property({ const: 'a' })],
    ['"x" takes only some values now', property({ type: 'string' }), property({ type: 'string', enum: ['a'] })],
    ['its input takes no further properties now', {}, { additionalProperties: false }],
    ['"*" has to be string now', {}, { additionalProperties: { type: 'string' } }],
    ['"x" has a "maximum" of 5 now', property({ maximum: 10 }), property({ maximum: 5 })],
    ['"x" has a "minLength" of 1 now', property({}), property({ minLength: 1 })],
    ['"pattern" of "x" changed', property({ pattern: 'a' }), property({ pattern: 'b' })],
    ['"anyOf" of "x" changed', property({ anyOf: [{ type: 'string' }] }), property({ anyOf: [{ type: 'number' }] })],
    ['"x" is not accepted any longer', property({}), { properties: { x: false } }],
    ['"x[]" is no longer string', property({ items: { type: 'string' } }), property({ items: { type: 'number' } })],
    [
      '"x.y" is required now; "x.z" is gone',
      property({ properties: { y: {}, z: {} } }),
      property({ properties: { y: {} }, required: ['y'] }),
    ],
  ])('is incompatible: %s', (message, before, after) => {
    expect(between(tool(before), tool(after))).toEqual([{ tool: 't', change: 'incompatible', message }]);
  });

  it.each<[string, Json, Json]>([
    ['a new optional property', {}, property({ type: 'string' })],
    ['a property that is no longer required', property({}, { required: ['x'] }), property({})],
    ['another description', property({ description: 'a' }), property({ description: 'b', title: 'X', default: 1, examples: [1] })],
    ['a wider type', property({ type: 'string' }), property({ type: ['string', 'null'] })],
    ['a whole number that becomes any', property({ type: 'integer' }), property({ type: 'number' })],
    ['more choices', property({ enum: ['a'] }), property({ enum: ['b', 'a'] })],
    ['wider bounds', property({ minimum: 1, maximum: 5 }), property({ minimum: 0 })],
    ['further properties', { additionalProperties: false }, {}],
    ['no pattern any longer', property({ pattern: 'a' }), property({})],
    ['another text inside anyOf', property({ anyOf: [{ title: 'a' }] }), property({ anyOf: [{ title: 'b' }] })],
  ])('is compatible with %s', (_, before, after) => {
    expect(flaw(before, after)).toBeUndefined();
  });

  it('promises the form of its results', () => {
    const withOutput = (outputSchema?: Json) => tool({}, outputSchema && { outputSchema });
    const message = (before?: Json, after?: Json) => between(withOutput(before), withOutput(after))[0]?.message;
    expect(message({ type: 'object' }, undefined)).toBe('it no longer says what its results look like');
    expect(message({ type: 'object' }, { type: 'array' })).toBe('the form of its results changed');
    expect(message(undefined, { type: 'object' })).toBeUndefined();
    expect(message({ type: 'object', title: 'a' }, { title: 'b', type: 'object' })).toBeUndefined();
    expect(message(property({}), { properties: { description: {} } })).toBe('the form of its results changed');
  });

  it('with very many flaws is told of in a sentence', () => {
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`p${index}`, {}]));
    expect(flaw({ properties: many }, {})).toMatch(/^("p\d" is gone; ){5}and 95 more$/);
    expect(flaw(property({}), { required: ['n'.repeat(5_000)] })?.length).toBeLessThan(200);
  });

  it('never throws, whatever its schema is, and equal ones are compatible', () => {
    const anything = fc.jsonValue({ maxDepth: 4 });
    const keyword = fc.constantFrom('type', 'properties', 'required', 'items', 'enum', 'const', 'additionalProperties', 'minimum', 'anyOf');
    const schema = fc.oneof(anything, fc.dictionary(keyword, anything, { noNullPrototype: true }));
    fc.assert(
      fc.property(schema, schema, (before, after) => {
        expect(between({ name: 't', inputSchema: before }, { name: 't', inputSchema: structuredClone(before) })).toEqual([]);
        expect(Array.isArray(between({ name: 't', inputSchema: before }, { name: 't', inputSchema: after }))).toBe(true);
      }),
    );
    // No message of a server is deeper than `http.jsonDepth`.
    const deep = (levels: number, leaf: Json) => Array.from({ length: levels }).reduce<Json>((inner) => property(inner), leaf);
    expect(flaw(deep(250, { type: 'string' }), deep(250, { type: 'number' }))).toBeUndefined();
  });
});
