/** Remote backends that do not answer, not in time, too much, or with something else. */
import { readFileSync } from 'node:fs';
import type { Fault, Setup, Trial } from '../harness/fault.ts';
import { down } from './down.ts';

type Options = Readonly<Record<string, string | number>>;

const peer = (name: string, options?: Options) => async (setup: Setup) => ({ url: (await setup.peer(name, options)).url });
const near = (name: string, options?: Options) => async (setup: Setup) => ({ url: (await setup.near(name, options)).url });

/** The fault is in one call; the backend is usable before and after. */
const inCall = (name: string, backend: Fault['backend'], says: RegExp, more: Partial<Fault> = {}): Fault => ({
  name,
  backend,
  call: { gives: 'error', says },
  after: 'usable',
  ...more,
});

const LARGE: Partial<Fault> = {
  gateway: { requestTimeout: '20s' },
  call: { gives: 'error', says: /larger than 16 MiB/, within: 20_000 },
};
const PATIENT = { restart: { initial: '500ms', max: '30s' } };
const SILENT = /did not answer tools\/call within/;

/** Whether any socket of this machine is on its way to an IPv4 address, given as /proc writes it. */
const dialled = (hex: string): boolean => readFileSync('/proc/net/tcp', 'latin1').includes(` ${hex}:`);

const signalPeer = ({ setup }: Trial, signal: NodeJS.Signals) => process.kill(setup.peers[0]!.pid, signal);

export const HTTP: readonly Fault[] = [
  { name: 'http-good', backend: peer('good'), after: 'usable' },
  down('http-refused', { url: 'http://127.0.0.1:9/mcp' }, /refuses connections/),
  down('http-unresolvable', { url: 'http://no-such-host.invalid/mcp' }, /cannot be resolved/),
  down('http-tls-to-plain', async (setup) => ({ url: (await setup.peer('good')).url.replace('http:', 'https:') }), /trusted|TLS|SSL|HTTP/),
  down('http-blackhole', near('blackhole'), /2 s|2000 ms|in time/, {
    async steps(trial) {
      const until = performance.now() + 2500;
      let most = 0;
      while (performance.now() < until) {
        most = Math.max(most, trial.setup.nears[0]!.sockets.size);
        await trial.sleep(20);
      }
      trial.check('recovery', most <= 1, `${most} sockets at once`);
    },
  }),
  down('http-500', near('server-error'), /500/, {
    gateway: PATIENT,
    async steps(trial) {
      await trial.sleep(6000 - (performance.now() - trial.began));
      const asked = trial.setup.nears[0]!.requests.filter(({ message }) => message.method === 'initialize').length;
      trial.check('recovery', asked >= 2 && asked <= 4, `asked ${asked} times in 6 s`);
    },
  }),
  down('http-503-retry-after', near('unavailable'), /503/, {
    async steps(trial) {
      await trial.sleep(2000);
      const { requests } = trial.setup.nears[0]!;
      trial.check('recovery', requests.length === 1, `asked ${requests.length} times, though it said not to`);
      const { nextRetry } = await trial.detail();
      const ms = Date.parse(String(nextRetry)) - Date.now();
      trial.check('recovery', ms > 250_000 && ms <= 300_000, `the next try is in ${Math.round(ms / 1000)} s`);
    },
  }),
  down('http-404', peer('server-error', { status: 404 }), /404/),
  down('http-html', peer('html'), /web page/),
  down('http-401-ssrf', near('metadata-trap'), /401|authoriz/i, {
    async steps(trial) {
      const until = performance.now() + 2000;
      let seen = false;
      while (performance.now() < until) {
        seen ||= dialled('FEA9FEA9');
        await trial.sleep(20);
      }
      trial.check('answer', !seen, 'the link-local address was dialled');
    },
  }),
  down(
    'http-redirect',
    async (setup) => {
      const trap = await setup.near('good');
      return { ...(await near('redirect', { to: trap.url })(setup)), headers: { 'x-api-key': 'right', authorization: 'Bearer right' } };
    },
    /redirects to http:\/\/127\.0\.0\.1:\d+, which is not followed/,
    {
      async steps(trial) {
        await trial.sleep(1000);
        trial.check('answer', trial.setup.nears[0]!.requests.length === 0, 'the other origin was asked');
      },
    },
  ),
  inCall('http-reset', peer('reset'), /closed the connection|connection/),
  inCall('http-reset-before-headers', peer('reset', { when: 'headers' }), /closed the connection|connection/),
  inCall('http-truncated', peer('truncated'), /JSON/),
  inCall('http-text-plain', peer('text-plain'), /text\/plain/, { call: { gives: 'either' } }),
  inCall('http-accepted', peer('accepted'), /no content/),
  inCall('http-429', peer('too-many'), /429/),
  inCall('http-other-id', peer('other-id'), /./),
  inCall('http-sse-silent', near('sse-silent'), SILENT, {
    async steps(trial) {
      await trial.expectSoon('answer', 'it was told that the call is over', () => trial.setup.nears[0]!.state.cancelled.length === 1, 2000);
    },
  }),
  inCall('http-drip', peer('drip'), SILENT),
  inCall('http-huge', peer('huge'), /larger than 16 MiB/, LARGE),
  inCall('http-endless-event', peer('endless-event'), /larger than 16 MiB/, LARGE),
  inCall('http-gzip-bomb', peer('gzip-bomb'), /larger than 16 MiB/, LARGE),
  inCall('http-lost-session', near('lost-session'), /./, {
    call: { gives: 'either' },
    async steps(trial) {
      const { executed, initializes } = trial.setup.nears[0]!.state;
      const booms = executed.filter((name) => name === 'boom').length;
      trial.check('answer', booms === 1 && initializes === 2, `initialized ${initializes} times, the call was executed ${booms} times`);
    },
  }),
  inCall('http-half-open', peer('good'), SILENT, {
    call: false,
    recovers: 8000,
    async steps(trial) {
      signalPeer(trial, 'SIGSTOP');
      const { kind, text, took } = await trial.call('odd__echo', { text: 'anybody?' });
      signalPeer(trial, 'SIGCONT');
      trial.check('answer', kind === 'error' && /\bodd\b/.test(text) && took <= 3000, `${kind} after ${took.toFixed(0)} ms: ${text}`);
    },
  }),
  inCall('http-half-open-idle', peer('good'), SILENT, {
    call: false,
    recovers: 8000,
    async steps(trial) {
      signalPeer(trial, 'SIGSTOP');
      await trial.expectSoon('recovery', 'it is noticed', async () => (await trial.detail()).status !== 'connected', 8000);
      signalPeer(trial, 'SIGCONT');
    },
  }),
  { name: 'http-push-storm', backend: peer('push-storm'), after: 'usable' },
  {
    name: 'http-dropped-stream',
    backend: near('dropped-stream'),
    after: 'usable',
    async steps(trial) {
      await trial.sleep(2500);
      const opened = trial.setup.nears[0]!.state.streamsOpened;
      trial.check('recovery', opened >= 1 && opened <= 8, `its stream was opened ${opened} times in 3 s`);
    },
  },
];
