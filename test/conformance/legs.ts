/** The ways through the gateway on which the server scenarios are run. */
import { type Service, STDIO_FIXTURE, startFixture, startGateway, transparent } from './processes.ts';
import { POLLING, type Scenarios, SERVER_SCENARIOS } from './scenarios.ts';

export interface Leg {
  readonly name: string;
  readonly what: string;
  readonly scenarios: Scenarios;
  start(): Promise<Service>;
}

export const LEGS: readonly Leg[] = [
  {
    name: 'direct',
    what: 'the fixture itself, no gateway',
    scenarios: { ...SERVER_SCENARIOS, ...POLLING },
    start: startFixture,
  },
  {
    name: 'http',
    what: 'a server over Streamable HTTP',
    scenarios: SERVER_SCENARIOS,
    start: () => chain(startFixture, ({ url }) => startGateway(transparent({ url }))),
  },
  {
    name: 'stdio',
    what: 'a server over stdio, one process for each session',
    scenarios: SERVER_SCENARIOS,
    start: () => startGateway(transparent({ ...STDIO_FIXTURE, isolation: 'session' })),
  },
  {
    name: 'gateways',
    what: 'a gateway behind a gateway',
    scenarios: SERVER_SCENARIOS,
    start: () =>
      chain(
        startFixture,
        ({ url }) => startGateway(transparent({ url })),
        ({ url }) => startGateway(transparent({ url })),
      ),
  },
  {
    name: 'polling',
    what: 'a server over Streamable HTTP, and a gateway that closes streams of long calls',
    scenarios: POLLING,
    start: () =>
      chain(startFixture, ({ url }) => startGateway(transparent({ url }, { sse: { upgradeAfter: '200ms', maxConnection: '2s' } }))),
  },
];

/** Starts services, each in front of the one before, and stops them in reverse order; all of them when one does not start. */
async function chain(first: () => Promise<Service>, ...rest: ((behind: Service) => Promise<Service>)[]): Promise<Service> {
  const services = [await first()];
  const stop = async (): Promise<void> => {
    for (const service of services.toReversed()) await service.stop();
  };
  try {
    for (const start of rest) services.push(await start(services.at(-1) as Service));
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: (services.at(-1) as Service).url, stop };
}
