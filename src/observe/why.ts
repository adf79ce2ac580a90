import type { BackendSpec } from '../config/config.ts';
import type { OnemcpError } from '../errors.ts';
import type { World } from '../world.ts';
import { advice } from './advice.ts';
import { escapeControls } from './escape.ts';
import { type Change, changeOf, iso, isoIf, notUsed, optional, type ServerStatus, type StatusFacts, serverStatus } from './status.ts';
import { facts, lastLines, type Story } from './story.ts';
import { columns, sentence, since, span, time } from './text.ts';

/** What `onemcp why NAME --json` prints. Times are ISO 8601; fields that do not apply are left out. */
export interface WhyDocument {
  readonly timestamp: string;
  /** As in `onemcp status --json`; a server that is no longer configured has none. */
  readonly server?: ServerStatus;
  readonly name: string;
  /** State changes, oldest first. */
  readonly path: readonly Change[];
  readonly lastError?: {
    readonly code: string;
    readonly message: string;
    /** When it was seen. */
    readonly at?: string;
    readonly exitCode?: number;
    readonly signal?: string;
  };
  /** Last lines of stderr: now while it is connected, else at its last failure. */
  readonly stderr?: readonly string[];
  /** `open`: it failed too often and is only probed. `half-open`: it is being probed. */
  readonly circuit: 'closed' | 'half-open' | 'open';
  readonly dependsOn?: readonly string[];
  /** Servers that depend on it. */
  readonly neededBy?: readonly string[];
  /** Why it does not run, when it is configured but not used. */
  readonly notUsed?: string;
  /** What a human can do. */
  readonly advice?: string;
}

/** The story of one backend; undefined if it was never heard of. */
export function whyOf(
  name: string,
  world: World,
  about: StatusFacts & { readonly spec: BackendSpec | undefined },
): WhyDocument | undefined {
  const view = world.backends.get(name);
  const story = about.story(name);
  if (!view)
    return (
      story && {
        timestamp: iso(about.now),
        name,
        path: story.path.map(changeOf),
        ...optional('notUsed', notUsed(world.config, name)),
        circuit: 'closed',
        ...stderrLines(story.stderr),
      }
    );
  const neededBy = [...world.backends.values()].filter(({ dependsOn }) => dependsOn.includes(name)).map((other) => other.name);
  const text = advice({ view, spec: about.spec });
  const probing = view.state === 'starting' && cameFrom(story) === 'failed';
  return {
    timestamp: iso(about.now),
    name,
    server: serverStatus(view, world, about),
    path: (story?.path ?? []).map(changeOf),
    ...optional('lastError', view.lastError && errorOf(view.lastError, story)),
    ...stderrLines(view.session ? lastLines(view.session.stderrTail) : story?.stderr),
    circuit: view.state === 'failed' ? 'open' : probing ? 'half-open' : 'closed',
    ...(view.dependsOn.length > 0 && { dependsOn: view.dependsOn }),
    ...(neededBy.length > 0 && { neededBy }),
    ...optional('advice', text === '' ? undefined : text),
  };
}

const cameFrom = (story: Story | undefined) => story?.path.findLast(({ successor }) => !successor)?.from;

function errorOf(error: OnemcpError, story: Story | undefined): NonNullable<WhyDocument['lastError']> {
  const { error: message, ...end } = facts(error, (text) => text);
  return { code: error.code, message, ...optional('at', isoIf(story?.failedAt)), ...end };
}

const stderrLines = (tail: string | undefined) => (tail ? { stderr: tail.split('\n') } : {});

/** The same for people. */
export function whyText(document: WhyDocument): string {
  const { name, server, path, lastError, stderr, neededBy, dependsOn, advice: todo, timestamp } = document;
  const now = Date.parse(timestamp);
  const head = server
    ? `${name} is ${server.status}, ${since(server.since, now)}${sentence(server, now) && `: ${sentence(server, now)}`}`
    : `${name} ${document.notUsed ?? 'is no longer configured'}`;
  const circuit = {
    closed: '',
    open: 'It failed too often, or in a way that trying again seldom mends: it is only probed, until a probe succeeds.',
    'half-open': 'It had failed too often, and is being probed right now.',
  }[document.circuit];
  const relations = [
    dependsOn && `It needs ${dependsOn.join(', ')}.`,
    neededBy && `${neededBy.join(', ')} need${neededBy.length === 1 ? 's' : ''} it.`,
  ];
  const retry =
    server?.nextRetry &&
    `The next start in ${span(Date.parse(server.nextRetry) - now)}, at ${time(server.nextRetry, now)} (failure ${server.failures}).`;
  return [
    escapeControls(head),
    ...[circuit, retry, ...relations].flatMap((line) => (line ? [`  ${escapeControls(line)}`] : [])),
    ...section('Its path', columns(path.map((change) => pathRow(change, now)))),
    ...section(
      'Last error',
      lastError ? [`${lastError.at ? `${time(lastError.at, now)}  ` : ''}${lastError.message}${ending(lastError)}`] : [],
    ),
    ...section(server?.status === 'connected' ? 'Last lines on stderr' : 'Last lines on stderr when it failed', stderr ?? []),
    ...section('What you can do', todo ? [todo] : []),
  ].join('\n');
}

const ending = ({ exitCode, signal }: NonNullable<WhyDocument['lastError']>): string =>
  exitCode !== undefined ? ` (exit code ${exitCode})` : signal === undefined ? '' : ` (${signal})`;

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ['', `${title}:`, ...lines.map((line) => `  ${escapeControls(line)}`)];
}

const pathRow = ({ at, from, to, generation, successor, error }: Change, now: number): readonly string[] => [
  time(at, now),
  from === to ? `${to}, replaced` : `${from === undefined ? '' : `${from} → `}${to ?? 'removed'}`,
  successor ? `successor, generation ${generation}` : generation > 0 ? `generation ${generation}` : '',
  error ?? '',
];
