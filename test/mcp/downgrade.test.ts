import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { downgradeRequest, downgradeResult, withoutTask } from '../../src/mcp/downgrade.ts';
import type { Json } from '../../src/world.ts';

const VERSIONS = ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25'] as const;
type Version = (typeof VERSIONS)[number];

const TEXT = { type: 'text', text: 'hello' };
const AUDIO = { type: 'audio', data: 'UklGRg==', mimeType: 'audio/wav', annotations: { priority: 1 }, _meta: { 'v/a': 1 } };
const LINK = { type: 'resource_link', name: 'readme', uri: 'db://a/readme', title: 'Read me', annotations: { audience: ['user'] } };
const AUDIO_TEXT = '[audio audio/wav: left out, for the protocol version of this client has no audio]';

const toolResult = (result: Json, version: string) => downgradeResult('tools/call', structuredClone(result), version);
const contentOf = (result: Json, version: string) => toolResult(result, version).content;

describe('content that a version does not know', () => {
  it.each<[Version, Json]>([
    ['2024-11-05', { type: 'text', text: AUDIO_TEXT, annotations: AUDIO.annotations, _meta: AUDIO._meta }],
    ['2025-03-26', AUDIO],
    ['2025-06-18', AUDIO],
    ['2025-11-25', AUDIO],
  ])('for %s, audio is %j', (version, block) => {
    expect(contentOf({ content: [TEXT, AUDIO] }, version)).toEqual([TEXT, block]);
  });

  it.each<[Version, Json]>([
    ['2024-11-05', { type: 'text', text: 'readme: db://a/readme', annotations: LINK.annotations }],
    ['2025-03-26', { type: 'text', text: 'readme: db://a/readme', annotations: LINK.annotations }],
    ['2025-06-18', LINK],
    ['2025-11-25', LINK],
  ])('for %s, a resource link is %j', (version, block) => {
    expect(contentOf({ content: [LINK, TEXT] }, version)).toEqual([block, TEXT]);
  });

  it('is replaced in the messages of a prompt, one block or several', () => {
    const messages = [
      { role: 'user', content: AUDIO },
      { role: 'user', content: LINK },
      { role: 'user', content: [LINK] },
      null,
      { content: 5 },
    ];
    const texts = (version: Version) => downgradeResult('prompts/get', structuredClone({ messages, x: 1 }), version);
    expect(texts('2024-11-05')).toEqual({
      messages: [
        { role: 'user', content: { type: 'text', text: AUDIO_TEXT, annotations: AUDIO.annotations, _meta: AUDIO._meta } },
        { role: 'user', content: { type: 'text', text: 'readme: db://a/readme', annotations: LINK.annotations } },
        { role: 'user', content: [{ type: 'text', text: 'readme: db://a/readme', annotations: LINK.annotations }] },
        null,
        { content: 5 },
      ],
      x: 1,
    });
    expect(texts('2025-06-18')).toEqual({ messages, x: 1 });
  });

  it.each([
    [{ type: 'audio' }, '[audio: left out, for the protocol version of this client has no audio]'],
    [{ type: 'resource_link', uri: 'x:1' }, 'x:1'],
    [{ type: 'resource_link', name: 7 }, ''],
  ])('without what it should have (%j) is a text all the same', (block, text) => {
    expect(contentOf({ content: [block] }, '2024-11-05')).toEqual([{ type: 'text', text }]);
  });

  it('of embedded resources, images and types that nobody knows is left alone', () => {
    const content = [
      { type: 'resource', resource: { uri: 'x:1', text: '' } },
      { type: 'image', data: '' },
      { type: 'hologram' },
      null,
      'x',
    ];
    expect(contentOf({ content }, '2024-11-05')).toEqual(content);
  });
});

describe('structured content', () => {
  const structuredContent = { answer: [42] };
  const asText = { type: 'text', text: '{"answer":[42]}' };

  it.each<[string, Json, unknown]>([
    ['no content', {}, [asText]],
    ['empty content', { content: [] }, [asText]],
    ['content of null', { content: null }, [asText]],
    ['content without a text', { content: [{ type: 'image' }] }, [{ type: 'image' }, asText]],
    ['a link only', { content: [LINK] }, [expect.objectContaining({ text: 'readme: db://a/readme' }), asText]],
    ['a text', { content: [TEXT] }, [TEXT]],
  ])('with %s has a text for older clients, and stays', (_, rest, content) => {
    for (const version of ['2024-11-05', '2025-03-26']) {
      expect(toolResult({ structuredContent, ...rest }, version)).toEqual({ structuredContent, content });
    }
  });

  it('is nothing to invent where there is none', () => {
    expect(toolResult({ isError: true }, '2024-11-05')).toEqual({ isError: true });
  });
});

it('nothing is changed for a version that knows everything, nor in any other result or field', () => {
  const result = { content: [AUDIO, LINK], structuredContent: [1], messages: [{ content: LINK }], tools: [{ icons: [], execution: {} }] };
  for (const version of ['2025-06-18', '2025-11-25', '2026-07-28']) expect(toolResult(result, version)).toEqual(result);
  for (const method of ['tools/list', 'resources/read', 'completion/complete']) {
    expect(downgradeResult(method, structuredClone(result), '2024-11-05')).toEqual(result);
  }
});

it('whatever a result is, it is answered: no throw, and for a strict old client no unknown type of content', () => {
  const block = fc.oneof(fc.anything(), fc.record({ type: fc.constantFrom('audio', 'resource_link', 'text') }));
  const result = fc.record({ content: fc.oneof(fc.array(block), fc.anything()), structuredContent: fc.jsonValue() }, { requiredKeys: [] });
  fc.assert(
    fc.property(result, fc.constantFrom(...VERSIONS), (value, version) => {
      const { content } = downgradeResult('tools/call', value, version);
      if (version !== '2024-11-05' || !Array.isArray(content)) return;
      const types = content.map((each) => (each as Json | null | undefined)?.type);
      for (const type of ['audio', 'resource_link']) expect(types).not.toContain(type);
    }),
  );
});

describe('a sampling request', () => {
  const ask = (messages: unknown, version: string) =>
    downgradeRequest('sampling/createMessage', structuredClone({ messages, maxTokens: 1 } as Json), version);

  it('has one block a message before 2025-11-25, and no audio before 2025-03-26', () => {
    const messages = [{ role: 'user', content: [TEXT, AUDIO], _meta: { 'v/a': 1 } }, { role: 'assistant', content: AUDIO }, null];
    expect(ask(messages, '2025-11-25')).toEqual({ messages, maxTokens: 1 });
    const split = [
      { role: 'user', content: TEXT, _meta: { 'v/a': 1 } },
      { role: 'user', content: AUDIO, _meta: { 'v/a': 1 } },
      { role: 'assistant', content: AUDIO },
      null,
    ];
    expect(ask(split, '2025-03-26')).toEqual(ask(messages, '2025-03-26'));
    expect(ask(messages, '2025-06-18')).toEqual({ messages: split, maxTokens: 1 });
    const types = (ask(messages, '2024-11-05').messages as ({ content: Json } | null)[]).map((message) => message?.content.type);
    expect(types).toEqual(['text', 'text', 'text', undefined]);
  });

  it('keeps together what uses tools, and loses no message', () => {
    const messages = [
      { content: [{ type: 'tool_use', id: '1' }, TEXT] },
      { content: [{ type: 'tool_result' }, { type: 'tool_result' }] },
      { content: [] },
    ];
    expect(ask(messages, '2025-06-18').messages).toEqual(messages);
  });

  it('of another kind is left alone', () => {
    const params = { messages: [{ content: [AUDIO] }] };
    expect(downgradeRequest('elicitation/create', structuredClone(params), '2024-11-05')).toEqual(params);
  });
});

it('a task is taken out of parameters, and nothing else', () => {
  expect(withoutTask({ name: 't', task: { ttl: 1 }, arguments: { task: 1 } })).toEqual({ name: 't', arguments: { task: 1 } });
  expect(withoutTask({ name: 't' })).toEqual({ name: 't' });
});
