import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { generated } from '../../scripts/generated.ts';
import { jsonSchema } from '../../src/config/schema.ts';
import { complaint, inUnit } from '../../src/config/units.ts';
import { LIMITS, type LimitName } from '../../src/limits.ts';

type Node = { description?: string; default?: unknown; properties?: Record<string, Node>; additionalProperties?: Node | boolean };

describe('config.schema.json', () => {
  it.each(generated.filter(({ file }) => file.endsWith('.json')))(
    '$file is fresh; else run: npm run generate',
    async ({ file, content }) => {
      expect(await readFile(new URL(`../../${file}`, import.meta.url), 'utf8')).toBe(await content());
    },
  );

  const { mcpServers, gateway } = (jsonSchema() as Node).properties ?? {};

  it('describes every key of a server and of the gateway', () => {
    const server = (mcpServers?.additionalProperties as Node | undefined)?.properties ?? {};
    const undescribed = Object.entries({ ...server, ...gateway?.properties }).filter(([, node]) => !node.description && !node.properties);
    expect(undescribed).toEqual([]);
  });

  it.each(Object.keys(LIMITS) as LimitName[])('has the limit %s with its default', (name) => {
    const node = name.split('.').reduce<Node | undefined>((parent, key) => parent?.properties?.[key], gateway);
    expect(node).toMatchObject({ description: LIMITS[name].help, default: LIMITS[name].default });
  });
});

describe('units', () => {
  it.each(Object.keys(LIMITS) as LimitName[])('accept the default of %s', (name) => {
    expect(complaint(LIMITS[name].default, name)).toBeUndefined();
  });

  it.each([
    ['500ms', 500],
    ['10s', 10_000],
    ['10 s', 10_000],
    ['1.1s', 1100],
    ['5m', 300_000],
    ['1h', 3_600_000],
    [7, 7],
    ['0.5ms', undefined],
    ['1d', undefined],
    ['10', undefined],
    ['10S', undefined],
    [Number.NaN, undefined],
    ['1s '.repeat(2), undefined],
  ])('%j is a duration of %s ms', (written, expected) => {
    expect(inUnit(written, 'ms')).toBe(expected);
  });

  it.each([
    ['4MiB', 4_194_304],
    ['64KiB', 65_536],
    ['10MB', 10_000_000],
    ['1.5KiB', 1536],
    ['12B', 12],
    ['4M', undefined],
  ])('%j is a size of %s bytes', (written, expected) => {
    expect(inUnit(written, 'bytes')).toBe(expected);
  });
});
