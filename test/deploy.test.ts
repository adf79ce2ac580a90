/** What `deploy/` says of our metrics is true. Whether Prometheus accepts it: test/slow/promtool.test.ts. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CallStats } from '../src/mcp/callStats.ts';
import { FAMILIES, type MetricName } from '../src/observe/families.ts';
import { viewOf, worldOf } from './support/fakeWorld.ts';
import { exposed } from './support/metrics.ts';
import { verifies } from './support/verifies.ts';

const deploy = (file: string) => readFileSync(join(import.meta.dirname, '../deploy', file), 'utf8');

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly datasource?: { readonly uid: string };
  readonly targets?: readonly { readonly expr: string; readonly refId: string; readonly datasource: { readonly uid: string } }[];
}
const dashboard = JSON.parse(deploy('grafana/onemcp.json')) as {
  readonly title: string;
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly type: string; readonly query: string | { query: string } }[];
  };
};
const targets = dashboard.panels.flatMap(({ targets = [] }) => targets);
const variables = dashboard.templating.list.map(({ query }) => (typeof query === 'string' ? query : query.query));

/** Expressions of the rules, one line or several. */
const rules = [...deploy('prometheus/alerts.yml').matchAll(/^ {8}expr: (?:\|\n((?: {10}.*\n)+)|(.*)\n)/gm)].map(
  ([, many, one]) => (many ?? one) as string,
);
const alerts = [...deploy('prometheus/alerts.yml').matchAll(/^ {6}- alert: (\w+)$/gm)].map(([, name]) => name as string);

const METRIC = /\b(?:onemcp|process|nodejs)_[a-z0-9_]+/g;
const SELECTOR = /\b(onemcp_[a-z0-9_]+)\{([^}]*)\}/g;
const BY = /\bby \(([^)]*)\)/g;
const TARGET_LABELS = ['job', 'instance'];
const EXPRESSIONS = [...targets.map(({ expr }) => expr), ...variables, ...rules];

const familyOf = (name: string): MetricName => name.replace(/_(bucket|sum|count)$/, '') as MetricName;

describe('the dashboard and the alert rules', () => {
  it('are read by this test as a whole', () => {
    expect(targets.length).toBeGreaterThan(25);
    expect(rules).toHaveLength(alerts.length);
    expect(alerts.length).toBeGreaterThan(9);
    expect(new Set(alerts).size).toBe(alerts.length);
  });

  it(verifies('metrics-named', 'name only metrics that there are'), async () => {
    const { lines } = await exposed(worldOf([viewOf('a')]), {
      calls: () => ({ stats: new CallStats(), inFlight: 0, queued: 0, queueAgeMs: 0 }),
    });
    const there = new Set([...lines.map(({ name }) => name), ...Object.keys(FAMILIES)]);
    const named = EXPRESSIONS.flatMap((expression) => expression.match(METRIC) ?? []);
    expect(named.length).toBeGreaterThan(40);
    expect(named.filter((name) => !there.has(name))).toEqual([]);
  });

  it(verifies('metrics-named', 'use only labels that these metrics have, with values they can have'), () => {
    for (const expression of EXPRESSIONS) {
      for (const [, name = '', matchers = ''] of expression.matchAll(SELECTOR)) {
        const labels: readonly string[] = FAMILIES[familyOf(name)].labels;
        const used = [...matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label]) => label as string);
        expect([...labels, ...TARGET_LABELS], expression).toEqual(expect.arrayContaining(used));
      }
      const names = expression.match(METRIC) ?? [];
      const known = new Set([
        ...names.filter((name) => name in FAMILIES || familyOf(name) in FAMILIES).flatMap((name) => FAMILIES[familyOf(name)].labels),
      ]);
      for (const [, list = ''] of expression.matchAll(BY)) {
        const grouped = list.split(',').map((label) => label.trim());
        const bare = grouped.filter((label) => !known.has(label as never) && ![...TARGET_LABELS, 'le'].includes(label));
        expect(bare, expression).toEqual([]);
      }
    }
  });

  it('show every metric of the gateway somewhere', () => {
    const named = new Set(EXPRESSIONS.flatMap((expression) => (expression.match(METRIC) ?? []).map(familyOf)));
    expect(Object.keys(FAMILIES).filter((name) => !named.has(name as MetricName))).toEqual([]);
  });

  it('are a dashboard that Grafana can import: one data source to choose, panels that do not overlap', () => {
    const { panels, templating, title } = dashboard;
    expect(title).toBe('onemcp');
    expect(templating.list.map(({ name, type }) => `${name} ${type}`)).toEqual([
      'datasource datasource',
      'job query',
      'instance query',
      'server query',
    ]);
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = new Set<string>();
    for (const { gridPos, title: panel } of panels) {
      expect(gridPos.x + gridPos.w, panel).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(cells.has(`${x} ${y}`), panel).toBe(false);
          cells.add(`${x} ${y}`);
        }
      }
    }
    const sources = [...panels.flatMap(({ datasource }) => datasource ?? []), ...targets.map(({ datasource }) => datasource)];
    expect(new Set(sources.map(({ uid }) => uid))).toEqual(new Set(['${datasource}']));
    for (const { type, targets: asked, title: panel } of panels) if (type !== 'row') expect(asked?.length, panel).toBeGreaterThan(0);
  });

  it('say of each alert how bad it is, what it is and what to look at', () => {
    const text = deploy('prometheus/alerts.yml');
    expect(text.match(/^ {10}summary: /gm)).toHaveLength(alerts.length);
    expect(text.match(/^ {10}description: /gm)).toHaveLength(alerts.length);
    expect(text.match(/^ {8}labels: \{ severity: (critical|warning|info) \}$/gm)).toHaveLength(alerts.length);
  });
});
