import type { JsonRpcMessage } from '../../src/world.ts';

/** The messages of an event stream. */
export async function* messagesOf(answer: Response): AsyncGenerator<JsonRpcMessage> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const data = text
        .slice(0, end)
        .split('\n')
        .filter((line) => line.startsWith('data: '))
        .map((line) => line.slice(6))
        .join('\n');
      text = text.slice(end + 2);
      if (data) yield JSON.parse(data) as JsonRpcMessage;
    }
  }
}
