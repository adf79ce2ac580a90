import { resolve } from 'node:path';
import type { Config, Issue, Plan, Planned } from '../config/config.ts';
import { planOf } from '../config/diff.ts';
import { formatIssue } from '../config/load.ts';
import { OnemcpError } from '../errors.ts';
import { type Probe, probeBackends, type ToolChange, toolChanges } from '../gateway.ts';
import { configSource, explained } from './config.ts';
import { type Asking, type ControlFlags, isAbsent, say, withGateway } from './control.ts';
import { EXIT, type ProcessPorts } from './process.ts';
import { untilSignal } from './untilSignal.ts';
import { VERSION } from './version.ts';

export interface PlanFlags extends ControlFlags {
  readonly probe?: boolean | undefined;
  /** Of `--env`: the overlay that is planned. */
  readonly env?: string | undefined;
  /** Of `--profile`: the profiles that are planned. */
  readonly profiles?: readonly string[] | undefined;
}

interface PlanAsking extends Asking {
  readonly flags: PlanFlags;
}

type Good = Planned & { readonly ok: true };

/** What is printed; names instead of specifications, which hold more than anybody wants to see. */
interface PlanDocument {
  /** Revision of the configuration that runs; null when no gateway runs, and the plan begins with nothing. */
  readonly revision: number | null;
  readonly start: readonly string[];
  readonly stop: readonly string[];
  readonly swap: readonly string[];
  readonly retag: readonly string[];
  readonly unchanged: readonly string[];
  readonly needsRestart: readonly string[];
  /** By server, as far as it is known. */
  readonly tools: Readonly<Record<string, readonly ToolChange[]>>;
  /** Servers that could not be opened with `--probe`, and why. */
  readonly failures: Readonly<Record<string, string>>;
}

/** `onemcp plan [FILE]`: what a reload would change. Without a running gateway, what a start would. */
export async function plan(asking: PlanAsking): Promise<number> {
  const { file, flags, ports } = asking;
  return withGateway(asking, async (ask) => {
    const body = {
      ...(flags.socket !== undefined && { file: resolve(ports.cwd, file) }),
      ...(flags.env !== undefined && { env: flags.env }),
      ...(flags.profiles && { profiles: flags.profiles.join(',') }),
    };
    let running: Good | undefined;
    try {
      running = await ask<Good>({ method: 'POST', path: '/plan', body });
    } catch (error) {
      if (error instanceof OnemcpError && error.code === 'invalid_config') return refused(error, ports);
      if (!isAbsent(error)) throw error;
    }
    for (const warning of running?.warnings ?? []) say(ports.stderr, `warning: ${formatIssue(warning)}`);
    // The gateway has read it already, with its own environment; here it is needed to start something.
    const config = running && !flags.probe ? undefined : await loaded(asking, running === undefined);
    if (!config && (!running || flags.probe)) return EXIT.usage;
    const changes = running?.plan ?? planOf({ ...(config as Config), backends: [] }, config as Config);
    const probes = flags.probe ? await probed(config as Config, changes, ports) : new Map<string, Probe>();
    const document = documentOf(changes, running, probes);
    say(ports.stdout, flags.json ? JSON.stringify(document, null, 2) : text(document, asking));
    return Object.keys(document.failures).length > 0 ? EXIT.failed : EXIT.ok;
  });
}

function refused(error: OnemcpError, { stderr }: ProcessPorts): number {
  for (const issue of (error.data?.issues ?? []) as readonly Issue[]) say(stderr, formatIssue(issue));
  return EXIT.usage;
}

async function loaded({ file, flags: { profiles }, ports }: PlanAsking, warns: boolean): Promise<Config | undefined> {
  // Whether the gateway may listen where it does was settled when it was started.
  const found = await configSource(file, { profiles, ...(!warns && { insecureNoAuth: true }) }, ports).load();
  return explained(found.ok && !warns ? { ...found, warnings: [] } : found, ports);
}

async function probed(config: Config, { start, swap }: Plan, { env, onSignal }: ProcessPorts): Promise<ReadonlyMap<string, Probe>> {
  const { signal, dispose } = untilSignal({ onSignal });
  try {
    const names = [...start, ...swap].map(({ name }) => name);
    return await probeBackends(config, names, { env, version: VERSION, signal });
  } finally {
    dispose();
  }
}

function documentOf(changes: Plan, running: Good | undefined, probes: ReadonlyMap<string, Probe>): PlanDocument {
  const names = (specs: Plan['start']) => specs.map(({ name }) => name);
  const known = running?.tools ?? {};
  const tools: Record<string, readonly ToolChange[]> = {};
  const failures: Record<string, string> = {};
  for (const name of changes.stop) if (known[name]) tools[name] = toolChanges({ tools: known[name] }, { tools: [] });
  for (const [name, probe] of probes) {
    if (!probe.ok) failures[name] = probe.message;
    // What a replaced server has now is not known when it never was connected.
    else if (known[name] || !names(changes.swap).includes(name)) tools[name] = toolChanges({ tools: known[name] ?? [] }, probe.items);
  }
  return {
    revision: running?.revision ?? null,
    start: names(changes.start),
    stop: changes.stop,
    swap: names(changes.swap),
    retag: names(changes.retag),
    unchanged: changes.unchanged,
    needsRestart: changes.needsRestart,
    tools,
    failures,
  };
}

function text(document: PlanDocument, { file, flags }: PlanAsking): string {
  const { revision, start, stop, swap, retag, unchanged, needsRestart, failures } = document;
  const row = (what: string, names: readonly string[], hint = '') =>
    names.length > 0 ? [`  ${what.padEnd(10)} ${names.join(', ')}${hint && `  (${hint})`}`] : [];
  const rows = [
    ...row('start', start),
    ...row('stop', stop, 'calls in flight finish'),
    ...row('replace', swap, 'calls in flight finish on the old one'),
    ...row('change', retag, 'without a restart'),
    ...row('unchanged', unchanged),
    ...row('not yet', needsRestart, 'only a restart of the gateway applies these'),
  ];
  const head =
    revision === null
      ? `${file}: no gateway runs for it; compared with an empty configuration:`
      : `${file}: compared with the running configuration (revision ${revision}):`;
  const tools = toolRows(document);
  const unknown = !flags.probe && start.length + swap.length > 0 ? ['Which tools change is known after a start: onemcp plan --probe'] : [];
  const failed = Object.entries(failures).map(([name, message]) => `  ${name}: ${message}`);
  return [
    head,
    ...(rows.length > 0 ? rows : ['  nothing']),
    ...(tools.length > 0 ? ['tools:', ...tools] : []),
    ...(failed.length > 0 ? ['failures:', ...failed] : []),
    ...unknown,
  ].join('\n');
}

const SIGNS = { appears: '+', vanishes: '-', incompatible: '!' } as const;

function toolRows({ tools }: PlanDocument): string[] {
  return Object.entries(tools).flatMap(([name, changes]) =>
    changes.map(({ tool, change, message }) => `  ${SIGNS[change]} ${name}: ${tool}${change === 'incompatible' ? `: ${message}` : ''}`),
  );
}
