import { describe, expect, it } from 'vitest';
import { answeredId } from '../../src/io/answeredId.ts';

const big = 'x'.repeat(10_000);
const ends = (json: string) => answeredId(json.slice(0, 4096), json.slice(-4096));

describe('the id of an answer of which only both ends are known', () => {
  it.each([
    ['id first', `{"jsonrpc":"2.0","id":7,"result":{"a":"${big}"}}`, 7],
    ['id last, as the MCP SDK writes it', `{"result":{"a":"${big}"},"jsonrpc":"2.0","id":7}`, 7],
    ['id before jsonrpc, last', `{"result":{"a":"${big}"},"id":7,"jsonrpc":"2.0"}`, 7],
    ['text id', `{"id":"a\\"b","jsonrpc":"2.0","result":"${big}"}`, 'a"b'],
    ['text id, last', `{"result":"${big}","id":"seven"}`, 'seven'],
    ['spaces', ` { "jsonrpc" : "2.0" , "id" : 7 , "result" : "${big}" } `, 7],
    ['spaces, last', `{ "result" : "${big}" , "jsonrpc" : "2.0" , "id" : 7 } `, 7],
    ['unknown fields first', `{"_meta":{"id":1,"a":["]\\"}",{}]},"id":7,"result":"${big}"}`, 7],
    ['an error', `{"jsonrpc":"2.0","id":7,"error":{"code":1,"message":"${big}"}}`, 7],
    ['another id in the result', `{"result":{"id":1,"a":"${big}","id":2},"jsonrpc":"2.0","id":7}`, 7],
    ['another id in a text at the end', `{"id":7,"result":{"a":"${big},\\"id\\":3}"}}`, 7],
  ])('%s', (_title, json, id) => {
    expect(ends(json)).toBe(id);
  });

  it.each([
    ['a request with the same id', `{"jsonrpc":"2.0","id":7,"method":"sampling/createMessage","params":{"a":"${big}"}}`],
    ['a request, id last', `{"method":"sampling/createMessage","params":{"result":"${big}"},"jsonrpc":"2.0","id":7}`],
    ['params before the method', `{"params":{"a":"${big}"},"method":"x","id":7}`],
    ['a notification', `{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"${big}"}}`],
    ['a batch', `[{"jsonrpc":"2.0","id":7,"result":"${big}"}]`],
    ['an id that is not one', `{"jsonrpc":"2.0","id":{"a":1},"result":"${big}"}`],
    ['null', `{"jsonrpc":"2.0","id":null,"result":"${big}"}`],
    ['an id in a text only', `{"result":"${big},\\"id\\":3}"}`],
    ['an id cut off', `{"jsonrpc":"2.0","id":"${big}"`],
    ['no JSON', big],
    ['nothing', ''],
  ])('is not guessed: %s', (_title, json) => {
    expect(ends(json)).toBeUndefined();
  });
});
