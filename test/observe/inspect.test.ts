import { createContext, Script } from 'node:vm';
import { expect, it } from 'vitest';
import { MODEL } from '../../src/http/inspect/model.ts';
import { appOf, historyOf, inspected, inspectionWith, type Message, settled } from '../http/inspectKit.ts';
import { fakeSession } from '../support/fakeWorld.ts';
import { instanceOf, opened, specOf } from '../support/machines.ts';

interface Model {
  receive(message: Message): void;
  backends(): { key: string; kind: string; title: string; generation: number; context: Record<string, unknown> }[];
}

/** What the page makes of messages. */
function modelOf(messages: readonly Message[]): Model {
  const context = createContext({ chartOf: () => undefined }) as { model: Model };
  new Script(`${MODEL}; globalThis.model = { receive, backends };`).runInContext(context);
  for (const message of messages) context.model.receive(message);
  return context.model;
}

it('an instance is inspected as an actor of its own, under its id', async () => {
  const inspection = inspectionWith();
  const { io, root } = inspected([specOf('a')], inspection);
  root.send({ type: 'NEED', instance: instanceOf('a', 'client-7', { capabilities: { 'a-capability': {} } }) });
  io.openOf('a').resolve(opened());
  io.openOf('a@client-7').resolve(opened({}, fakeSession({ pid: 4711 })));
  await settled();
  const { text, messages } = await historyOf(appOf(inspection));
  expect(text).not.toContain('a-capability');
  expect(messages.filter(({ type }) => type === '@xstate.actor').map(({ name }) => name)).toContain('a@client-7#0');
  expect(messages.findLast(({ actor }) => actor === 'root')?.snapshot?.context).toMatchObject({
    backends: { a: 'connected' },
    instances: { 'a@client-7': 'connected' },
  });
  const shown = modelOf(messages).backends();
  expect(shown.map(({ key, kind }) => [key, kind])).toEqual([
    ['a', 'backend'],
    ['a@client-7', 'backend'],
  ]);
  expect(shown[0]?.context).not.toHaveProperty('instanceOf');
  expect(shown[1]?.context).toMatchObject({ name: 'a@client-7', instanceOf: 'a', pid: 4711 });
  root.stop();
});

it('an instance that came back is shown in place of one that has ended, whatever their generations', async () => {
  const inspection = inspectionWith();
  const { io, root } = inspected([specOf('a')], inspection);
  const instance = instanceOf('a', 'k');
  io.openOf('a').resolve(opened());
  for (let n = 0; n < 2; n++) {
    root.send({ type: 'NEED', instance });
    root.send({ type: 'RELEASE', id: 'a@k' });
  }
  root.send({ type: 'NEED', instance });
  await settled(10);
  expect(root.getSnapshot().context.alive.has('a@k#1')).toBe(true);
  root.send({ type: 'RELEASE', id: 'a@k' });
  await settled();
  root.send({ type: 'NEED', instance });
  io.openOf('a@k').resolve(opened());
  await settled();
  const shown = modelOf((await historyOf(appOf(inspection))).messages).backends();
  expect(shown.map(({ key, generation, context }) => [key, generation, context.connects])).toEqual([
    ['a', 0, 1],
    ['a@k', 0, 1],
  ]);
  root.stop();
});
