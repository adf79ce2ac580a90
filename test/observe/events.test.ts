import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { backendMachine } from '../../src/machines/backend.ts';
import { EVENTS } from '../../src/observe/events.ts';
import { LOG_LEVELS } from '../../src/observe/log.ts';
import { parseLogLevels } from '../../src/observe/logLevels.ts';
import { verifies } from '../support/verifies.ts';

const SOURCE = join(import.meta.dirname, '../../src');
const sources = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.endsWith('events.ts'))
  .map((name) => readFileSync(join(SOURCE, name), 'utf8'));

/** What is given to a log as an event: the second argument, after a level. */
const CALL = /\b(?:log|tell)(?:\?\.)?\(\s*((?:[^,;()]|\([^()]*\))+),\s*'([a-z_.]+)'/g;
const used = sources.flatMap((text) => [...text.matchAll(CALL)].map(([, level = '', event = '']) => ({ level, event })));

describe('the table of events', () => {
  it(verifies('log-events', 'has every event that is logged, with its level, and no other'), () => {
    expect(used.length).toBeGreaterThan(50);
    expect(sources.join('').match(/\blog\([^`;]*`[a-z]+\.\$\{/g)).toHaveLength(1);
    const states = Object.keys(backendMachine.states).map((state) => `backend.${state}`);
    // The log writes this one itself, past its own door.
    const names = new Set([...used.map(({ event }) => event), ...states, 'log.dropped']);
    expect([...names].sort()).toEqual(Object.keys(EVENTS).sort());
    for (const { level, event } of used) {
      const known: readonly string[] = EVENTS[event as keyof typeof EVENTS].levels;
      const written = LOG_LEVELS.filter((name) => level.includes(`'${name}'`));
      expect(known, event).toEqual(expect.arrayContaining(written));
    }
  });

  it('is in the order of the alphabet', () => expect(Object.keys(EVENTS)).toEqual(Object.keys(EVENTS).sort()));
});

describe('levels of tags', () => {
  it('are read', () => {
    expect(parseLogLevels(' backend=debug, http=error,')).toEqual({ levels: { backend: 'debug', http: 'error' } });
    expect(parseLogLevels('')).toEqual({ levels: {} });
  });

  it.each([
    ['bakend=debug', 'there is no tag "bakend"; there are alert, backend, '],
    ['backend=loud', 'there is no level "loud" for backend; there are error, warn, info, debug'],
    ['backend', 'expected TAG=LEVEL, separated by commas; found "backend"'],
    ['a=b=c', 'expected TAG=LEVEL, separated by commas; found "a=b=c"'],
  ])('%s is refused', (text, problem) => expect(parseLogLevels(text)).toEqual({ problem: expect.stringContaining(problem) }));
});
