import { expect, it } from 'vitest';
import type { Json } from '../../src/world.ts';
import { type Comparing, differencesOf, report } from './compare.ts';
import type { Step } from './play.ts';

const LIST: Step = { name: 'a list', send: [{ id: 1, method: 'tools/list' }] };
const CALL: Step = { name: 'a call', send: [{ id: 1, method: 'tools/call', params: { name: 'a' } }] };
const PLAIN: Comparing = { namespace: undefined, rules: [], ordered: true };

const compare = (step: Step, direct: readonly Json[], gateway: readonly Json[], comparing = PLAIN) =>
  differencesOf([{ step, messages: direct }], [{ step, messages: gateway }], comparing).map(({ what, path }) => `${what}: ${path}`);
const answer = (text: string): Json => ({ jsonrpc: '2.0', id: 1, result: JSON.parse(text) });
const log = (data: string): Json => ({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data } });

it('finds what is lost, added, changed or in another order', () => {
  const whole = answer('{"content":[{"type":"text","x":null}],"__proto__":{"a":1},"b":2}');
  expect(compare(CALL, [whole], [whole])).toEqual([]);
  const cases: readonly (readonly [string, string])[] = [
    ['{"content":[{"type":"text"}],"__proto__":{"a":1},"b":2}', 'result.content.0.x'],
    ['{"content":[{"type":"text","x":null}],"b":2}', 'result.__proto__'],
    ['{"content":[{"type":"text","x":null}],"__proto__":{"a":1},"b":"2"}', 'result.b'],
    ['{"content":[{"type":"text","x":null}],"__proto__":{"a":1},"b":2,"c":null}', 'result.c'],
    ['{"content":[],"__proto__":{"a":1},"b":2}', 'result.content'],
    ['{"content":{"0":{"type":"text","x":null}},"__proto__":{"a":1},"b":2}', 'result.content'],
    ['{"b":2,"content":[{"type":"text","x":null}],"__proto__":{"a":1}}', 'result (order of keys)'],
  ];
  for (const [text, path] of cases) expect(compare(CALL, [whole], [answer(text)]), text).toEqual([`answer to 1: ${path}`]);
});

it('finds messages that are missing, too many, or in another order', () => {
  const done = answer('{}');
  expect(compare(CALL, [log('a'), done], [done])).toEqual(['notifications/message: #1']);
  expect(compare(CALL, [done], [done, log('a')])).toEqual(['notifications/message: #1']);
  expect(compare(CALL, [done], [])).toEqual(['answer to 1: #1']);
  expect(compare(CALL, [done], [{ ...done, id: '1' }])).toEqual(['answer to 1: #1', 'answer to "1": #1']);
  expect(compare(CALL, [log('a'), done], [done, log('a')])).toEqual(['order of messages: ']);
  expect(compare(CALL, [log('a'), log('b'), done], [log('b'), log('a'), done])).toHaveLength(2);
});

it('a namespace changes names and adds provenance, and nothing else', () => {
  const namespaced: Comparing = { ...PLAIN, namespace: 'ns' };
  const direct = answer('{"tools":[{"name":"b"},{"name":"a","_meta":{"ui":{"resourceUri":"ui://w"}}}]}');
  const exposed = (meta: string) =>
    answer(
      `{"tools":[{"name":"ns__a","_meta":${meta}},{"name":"ns__b","_meta":{"dev.onemcp/server":"ns","dev.onemcp/originalName":"b"}}]}`,
    );
  const right = '{"ui":{"resourceUri":"ui://ns/w"},"dev.onemcp/server":"ns","dev.onemcp/originalName":"a"}';
  expect(compare(LIST, [direct], [exposed(right)], namespaced)).toEqual([]);
  expect(compare(LIST, [direct], [exposed(right.replace('ui://ns/w', 'ui://w'))], namespaced)).toEqual([
    'answer to 1: result.tools.0._meta.ui.resourceUri',
  ]);
});

it('what the gateway refuses itself is compared by its code only', () => {
  const step: Step = { ...CALL, own: -32602 };
  const refused = (code: number): Json => ({ jsonrpc: '2.0', id: 1, error: { code, message: 'whatever' } });
  expect(compare(step, [answer('{"isError":true}')], [refused(-32602)])).toEqual([]);
  expect(compare(step, [refused(-32603)], [refused(-32601)])).toEqual(['answer to 1: error.code']);
  expect(compare(step, [answer('{}')], [refused(-32602)])).toEqual(['answer to 1: ']);
  expect(compare(step, [refused(-32603)], [])).toEqual(['answer to 1: error.code']);
});

it('reports step, place and both values', () => {
  const text = report([{ step: 'a call', what: 'answer to 1', path: 'result.a', direct: 1, gateway: '(missing)' }]);
  expect(text).toBe('a call\n  answer to 1: result.a\n    direct:  1\n    gateway: "(missing)"');
});
