/** Backends whose lists are late, endless, broken or hostile. */
import { fixture } from '../../e2e/gateway.ts';
import type { Fault } from '../harness/fault.ts';
import { listChanges, toolNames } from './count.ts';

/** Pages take their time; the start of the backend includes them. */
const ROOMY = { startTimeout: '20s' };

export const LISTS: readonly Fault[] = [
  { name: 'hang-list', backend: fixture('hang-list'), ready: 'any', call: { tool: 'echo', gives: 'either' }, after: 'either' },
  {
    name: 'slow-list',
    backend: fixture('slow-list', { DELAY_MS: '1500' }),
    ready: 'any',
    call: false,
    after: 'usable',
    async steps(trial) {
      trial.check('answer', (await toolNames(trial)).includes('good__echo'), 'the healthy tools are not listed');
      await trial.expectSoon('answer', 'its tools are listed', async () => (await toolNames(trial)).includes('odd__echo'), 4000);
    },
  },
  {
    name: 'list-error',
    backend: fixture('list-error'),
    ready: 'failed',
    call: { tool: 'echo', gives: 'error', says: /no list today/ },
    after: 'error',
    afterSays: /no list today/,
  },
  {
    name: 'list-not-a-list',
    backend: fixture('list-not-a-list'),
    ready: 'any',
    call: { tool: 'echo', gives: 'either' },
    after: 'either',
  },
  {
    name: 'endless-pages',
    backend: fixture('cursor-loop'),
    after: 'usable',
    async steps(trial) {
      trial.check('answer', (await toolNames(trial)).includes('odd__slow'), 'what was read is not served');
      trial.check('alive', JSON.stringify((await trial.detail()).notes ?? '').includes('cut'), 'health does not say that the list was cut');
    },
  },
  {
    name: 'growing-pages',
    backend: fixture('growing-pages'),
    gateway: ROOMY,
    after: 'usable',
    async steps(trial) {
      const count = (await toolNames(trial)).filter((name) => name.startsWith('odd__')).length;
      trial.check('answer', count > 3 && count <= 10_000, `${count} of its tools are served`);
    },
  },
  {
    name: 'many-tools',
    backend: fixture('many-tools', { TOOLS: '5000' }),
    gateway: ROOMY,
    after: 'usable',
    async steps(trial) {
      const first = await toolNames(trial);
      const count = first.filter((name) => name.startsWith('odd__')).length;
      trial.check('answer', count === 5003, `${count} of its tools are listed`);
      const began = performance.now();
      await toolNames(trial);
      const took = performance.now() - began;
      trial.check('answer', took <= 500, `the second list took ${took.toFixed(0)} ms`);
    },
  },
  {
    name: 'fat-tools',
    backend: fixture('fat-tools'),
    gateway: ROOMY,
    after: 'usable',
    async steps(trial) {
      trial.check('answer', (await toolNames(trial)).includes('odd__echo'), 'its other tools are not listed');
    },
  },
  {
    name: 'duplicate-tools',
    backend: fixture('duplicate-tools'),
    after: 'usable',
    async steps(trial) {
      const names = await toolNames(trial);
      trial.check('answer', new Set(names).size === names.length, `names come twice: ${names.join(' ')}`);
      trial.check('alive', (await trial.detail()).notes !== undefined, 'health does not say that one was left out');
    },
  },
  {
    name: 'bad-schemas',
    backend: fixture('bad-items'),
    after: 'usable',
    async steps(trial) {
      const names = (await toolNames(trial)).filter((name) => name.startsWith('odd__'));
      const good = ['odd__echo', 'odd__slow', 'odd__boom'].every((name) => names.includes(name));
      trial.check('answer', good, `of the good ones there are: ${names.join(' ').slice(0, 500)}`);
      // Names that only need other characters get them (gateway-semantics §naming); everything else is left out.
      const legal = names.every((name) => /^[\w-]{6,64}$/.test(name) && !/schema|42/.test(name)) && names.length <= 5;
      trial.check('answer', legal, `listed: ${names.join(' ').slice(0, 500)}`);
      trial.check('alive', (await trial.detail()).notes !== undefined, 'health does not say that some were left out');
    },
  },
  {
    name: 'shadow',
    backend: fixture('shadow', { NAMES: 'good__echo,good_echo' }),
    after: 'usable',
    async steps(trial) {
      const names = await toolNames(trial);
      trial.check('answer', new Set(names).size === names.length, `names come twice: ${names.join(' ')}`);
      const { text } = await trial.call('good__echo', { text: 'whose?' });
      trial.check('answer', text.includes('whose?'), `an impostor answered: ${text}`);
    },
  },
  {
    name: 'rug-pull',
    backend: fixture('rug-pull'),
    call: false,
    after: 'usable',
    async steps(trial) {
      await trial.client.request('tools/list');
      await trial.call('odd__boom');
      await trial.expectSoon('answer', 'clients are told', () => listChanges(trial) === 1);
      const { message } = await trial.client.request('tools/list');
      trial.check('answer', JSON.stringify(message.result).includes('keys of your user'), 'the list is not the new one');
      const told = trial.running.logs.filter(({ event }) => event === 'tool.changed');
      trial.check('answer', told.length === 1, `the log tells ${told.length} times that a tool is not what it was`);
    },
  },
  {
    name: 'proto-pollution',
    backend: fixture('proto-pollution'),
    call: { says: /poison/ },
    after: 'usable',
    async steps(trial) {
      for (const name of ['__proto__', 'constructor', 'odd____proto__', 'toString', 'hasOwnProperty']) {
        const { kind, text } = await trial.call(name);
        trial.check('answer', kind === 'error' || text === 'called', `${name} gave a ${kind}: ${text.slice(0, 200)}`);
      }
      trial.check('answer', (await toolNames(trial)).includes('odd__boom'), 'its tools are not listed');
    },
  },
];
