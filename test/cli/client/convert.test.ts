import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { argumentsFor, jsonArguments, pairsOf, promptSchema } from '../../../src/cli/client/arguments.ts';
import { convert as convertTexts } from '../../../src/cli/client/convert.ts';
import { shapeText } from '../../../src/cli/client/shape.ts';
import type { Json } from '../../../src/world.ts';
import { verifies } from '../../support/verifies.ts';
import { terminal } from './kit.ts';

const convert = (schema: unknown, ...texts: readonly string[]) => convertTexts(texts, schema, schema);

/** A schema, a value of it, and the texts that a user would type for the value. */
const scalar = fc.oneof(
  fc.string().map((value) => ({ schema: { type: 'string' } as Json, value: value as unknown, text: value })),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => ({ schema: { type: 'number' } as Json, value, text: String(value) })),
  fc.maxSafeInteger().map((value) => ({ schema: { type: 'integer' } as Json, value, text: String(value) })),
  fc.boolean().map((value) => ({ schema: { type: 'boolean' } as Json, value, text: String(value) })),
  fc.constant({ schema: { type: ['integer', 'null'] } as Json, value: null, text: 'null' }),
  fc.constantFrom('a', 7, true, null).map((value) => ({ schema: { enum: ['a', 7, true, null] } as Json, value, text: String(value) })),
  fc.dictionary(fc.string(), fc.jsonValue()).map((value) => ({ schema: { type: 'object' } as Json, value, text: JSON.stringify(value) })),
);

/** JSON has one zero. */
const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe('a value', () => {
  it(verifies('cli-arguments', 'of a simple schema is what it was before it was typed'), () => {
    fc.assert(
      fc.property(scalar, ({ schema, value, text }) => {
        const converted = convert(schema, text);
        expect('value' in converted && json(converted.value)).toEqual(json(value));
      }),
    );
  });

  it(verifies('cli-arguments', 'of a list is typed by its key several times, or as JSON'), () => {
    const list = fc.record({ first: fc.boolean(), values: fc.array(fc.maxSafeInteger(), { minLength: 1 }) });
    fc.assert(
      fc.property(list, ({ values }) => {
        const schema = { type: 'array', items: { type: 'integer' } };
        expect(convert(schema, ...values.map(String))).toEqual({ value: values });
        expect(convert(schema, JSON.stringify(values))).toEqual({ value: values });
      }),
    );
    expect(convert({ type: 'array', items: { type: 'string' } }, '[x')).toEqual({ value: ['[x'] });
    expect(convert({ type: 'array', items: { type: 'string' } }, '5')).toEqual({ value: ['5'] });
    expect(convert({ type: 'array' }, '5', 'a', '{"b":1}')).toEqual({ value: [5, 'a', { b: 1 }] });
  });

  it.each<[what: string, schema: unknown, text: string, value: unknown]>([
    ['text that looks like a number', { type: 'string' }, '007', '007'],
    ['text that may be null', { anyOf: [{ type: 'string' }, { type: 'null' }] }, 'null', 'null'],
    ['number that may be null', { anyOf: [{ type: 'integer' }, { type: 'null' }] }, '5', 5],
    ['list that may be null', { anyOf: [{ type: 'array' }, { type: 'null' }] }, 'null', null],
    ['choice by reference', { allOf: [{ $ref: '#/$defs/c' }], $defs: { c: { enum: [1, 2] } } }, '2', 2],
    ['schema that refers to itself', { $ref: '#' }, '2', 2],
    ['schema that refers to nothing', { $ref: '#/$defs/none/at/all' }, '[2]', [2]],
    ['JSON without a schema', undefined, '{"a":[1]}', { a: [1] }],
    ['text without a schema', undefined, 'plain', 'plain'],
    ['constant', { const: 'on' }, 'on', 'on'],
  ])('%s', (_, schema, text, value) => {
    expect(convert(schema, text)).toEqual({ value });
  });

  it.each<[schema: unknown, texts: readonly string[], expected: string]>([
    [{ type: 'integer' }, ['1.5'], 'a whole number'],
    [{ type: 'integer' }, [''], 'a whole number'],
    [{ type: 'integer' }, ['9007199254740993'], 'a whole number'],
    [{ type: 'number' }, ['0x10'], 'a number'],
    [{ type: 'number' }, ['1e999'], 'a number'],
    [{ type: 'boolean' }, ['yes'], 'true or false'],
    [{ type: 'object' }, ['[]'], 'a JSON object'],
    [{ type: ['integer', 'null'] }, ['x'], 'a whole number or null'],
    [{ type: 'string' }, ['a', 'b'], 'one value, not several'],
    [{ type: 'array', items: { type: 'integer' } }, ['1', 'x'], 'a list whose elements are each a whole number'],
    [{ enum: ['ascending', 'descending'] }, ['acsending'], 'one of ascending, descending; did you mean "ascending"?'],
  ])('%j refuses %j', (schema, texts, expected) => {
    expect(convert(schema, ...texts)).toEqual({ expected });
  });

  it('has a shape in words', () => {
    const words = [{ type: 'array', items: { type: 'string' } }, { enum: ['a', 1] }, { type: ['integer', 'null'] }, {}];
    expect(words.map((schema) => shapeText(schema, schema))).toEqual(['list of string', 'a|1', 'integer', 'any']);
  });
});

const schema = {
  type: 'object',
  properties: { path: { type: 'string', description: 'Where\nit is' }, head: { type: 'integer' }, follow: { type: 'boolean' } },
  required: ['path', 'head'],
};
const given = (texts: readonly string[], base: Json = {}, of: unknown = schema) =>
  argumentsFor({ name: 'a__read', schema: of }, pairsOf(texts), base);

describe('the arguments of a call', () => {
  it('are those of --args, and over them the pairs', () => {
    expect(given(['head=3', 'path=a=b'], { head: 1, more: { x: 1 } })).toEqual({ head: 3, path: 'a=b', more: { x: 1 } });
  });

  it(verifies('cli-arguments', 'are refused with everything that is wrong, before anything is sent'), () => {
    expect(() => given(['pth=/x', 'follow=maybe'], { head: 1 })).toThrow(
      [
        'a__read: there is no argument "pth", did you mean "path"?; follow has to be true or false; path is missing',
        'arguments of a__read:',
        '  path    string   required  Where',
        '  head    integer  required',
        '  follow  boolean',
      ].join('\n'),
    );
  });

  it('of an open schema, or of none, may be anything', () => {
    expect(given(['x=1'], {}, { properties: {}, additionalProperties: true })).toEqual({ x: 1 });
    expect(given(['x=1', 'x=b'], {}, { type: 'object' })).toEqual({ x: [1, 'b'] });
    expect(given(['x=a'], {}, null)).toEqual({ x: 'a' });
    expect(() => given(['x=a'], {}, { properties: {} })).toThrow('it takes no arguments, so not "x" either');
  });

  it('have a key and a value', () => {
    for (const text of ['plain', '=x', '']) expect(() => pairsOf([text])).toThrow('arguments are key=value');
  });

  it('have keys that mean nothing to JavaScript', () => {
    const values = given(['__proto__=1', 'constructor=2'], {}, null);
    expect(Object.entries(values)).toEqual([
      ['__proto__', 1],
      ['constructor', 2],
    ]);
  });

  it('of a prompt are texts', () => {
    const prompt = { name: 'p', arguments: [{ name: 'number', required: true, description: 'Which' }, { name: 'style' }, 5] };
    expect(given(['number=17'], {}, promptSchema(prompt))).toEqual({ number: '17' });
    expect(() => given(['style=x'], {}, promptSchema(prompt))).toThrow('number is missing');
  });

  it('come as JSON, from a file or from stdin', async () => {
    const term = terminal({ stdin: '{"a":1}' });
    expect(await jsonArguments('{"a":1}', term.ports)).toEqual({ a: 1 });
    expect(await jsonArguments('-', term.ports)).toEqual({ a: 1 });
    expect(await jsonArguments(undefined, term.ports)).toEqual({});
    await expect(jsonArguments('@none.json', term.ports)).rejects.toThrow(/^--args: ENOENT/);
    await expect(jsonArguments('[1]', term.ports)).rejects.toThrow('--args has to be a JSON object');
    await expect(jsonArguments('{a', term.ports)).rejects.toThrow('--args is not JSON');
  });
});
