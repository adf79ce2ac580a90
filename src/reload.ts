/** The configuration while the gateway runs: read again, compared, applied or refused, and told of. */
import { createReloading } from './actors/source.ts';
import type { System } from './actors/system.ts';
import type { Config, ConfigSource, Issue, Plan, Planned, PlanVariables, Reloaded } from './config/config.ts';
import { isEmptyPlan, planOf } from './config/diff.ts';
import { formatIssue } from './config/issue.ts';
import type { Log } from './io/deps.ts';
import type { Bad, Good, Verdict } from './machines/config.ts';
import type { Redactor } from './observe/redact.ts';
import type { ReloadResult } from './observe/tally.ts';

export interface ReloaderOptions {
  readonly source: ConfigSource;
  /** The configuration the gateway was started with. */
  readonly config: Config;
  readonly system: Pick<System, 'apply' | 'rejected' | 'world'>;
  readonly learn: Redactor['learn'];
  readonly log: Log;
  /** Before the plan is carried out. */
  readonly onApply: (config: Config) => void;
  /** After each reading that was not a mere plan. */
  readonly onResult?: (result: ReloadResult) => void;
}

/** Reads the configuration again when it changes or when somebody asks. */
export interface Reloader {
  reload(): Promise<Reloaded>;
  /** What a reload would do, of another file or under other variables if they are given; nothing is changed. */
  plan(other?: string, variables?: PlanVariables): Promise<Planned>;
  close(): void;
}

/** A long list of the same mistake helps nobody who reads a log. */
const MOST_ISSUES = 20;

export function createReloader({ source, config: started, system, learn, log, onApply, onResult }: ReloaderOptions): Reloader {
  let running = started;
  /** Options that were said to need a restart, so that each is said once. */
  let told: readonly string[] = [];
  /** Warnings of the last reading. */
  let warned: ReadonlySet<string> = new Set();

  const load = async (current: Config, other?: string, variables?: PlanVariables): Promise<Verdict> => {
    const loaded = await source.load(other, variables);
    if (!loaded.ok) return loaded;
    // Before anything of it can be logged; with those in force, which no number of plans may make us forget.
    learn([...loaded.config.secrets, ...running.secrets]);
    return { ...loaded, plan: planOf(current, loaded.config, started) };
  };

  const apply = ({ config, plan, warnings }: Good) => {
    const isClean = system.world().config.lastError === undefined && plan.needsRestart.join() === told.join();
    if (isClean && isInForce(plan, running, config)) {
      onResult?.('unchanged');
      log('debug', 'config.unchanged', { message: `${config.file}: nothing has changed` });
      // A server that was found and left out changes nothing, but somebody waits for it.
      warn(warnings.filter((warning) => !warned.has(formatIssue(warning))));
      warned = new Set(warnings.map(formatIssue));
      return;
    }
    running = config;
    onApply(config);
    system.apply(plan, config);
    onResult?.('applied');
    warn(warnings);
    warned = new Set(warnings.map(formatIssue));
    const { revision } = system.world().config;
    log('info', 'config.applied', { message: `configuration applied: ${summary(plan)}`, revision, ...counts(plan) });
    const untold = plan.needsRestart.filter((option) => !told.includes(option));
    if (untold.length > 0)
      log('warn', 'config.needs_restart', {
        message: `only a restart of the gateway applies ${untold.join(', ')}; until then the old ${untold.length === 1 ? 'value is' : 'values are'} in force`,
      });
    told = plan.needsRestart;
  };

  const warn = (warnings: readonly Issue[]) => {
    for (const warning of warnings.slice(0, MOST_ISSUES)) tell('warn', 'config.warning', warning);
  };

  const reject = ({ issues }: Bad) => {
    system.rejected(issues);
    onResult?.('rejected');
    for (const issue of issues.slice(0, MOST_ISSUES)) tell('error', 'config.rejected', issue);
    const more = issues.length - MOST_ISSUES;
    const rest = more > 0 ? `${more} more ${more === 1 ? 'error' : 'errors'}; ` : '';
    log('warn', 'config.kept', {
      message: `${rest}the configuration of before stays in force until the errors are gone`,
      issues: issues.length,
    });
  };

  const tell = (level: 'warn' | 'error', event: string, issue: Issue) => {
    const { message, ...place } = issue;
    log(level, event, { message: formatIssue(issue), ...place });
  };

  const reloading = createReloading({
    config: started,
    limits: started.limits,
    load: (current) => load(current),
    watch: started.features.reload ? source.watch?.bind(source) : undefined,
    apply,
    reject,
  });
  return {
    reload: reloading.reload,
    async plan(other, variables) {
      const verdict = await load(reloading.current(), other, variables);
      if (!verdict.ok) return verdict;
      const { plan, warnings } = verdict;
      const { backends, config } = system.world();
      const touched = [...plan.stop, ...plan.swap.map(({ name }) => name)].flatMap((name) => backends.get(name) ?? []);
      const known = touched.filter(({ connects, remembered }) => connects > 0 || remembered !== undefined);
      const tools = Object.fromEntries(known.map(({ name, items }) => [name, items.tools]));
      return { ok: true, plan, warnings, revision: config.revision, tools };
    },
    close: reloading.close,
  };
}

/** Whether what runs is what a configuration wants already. */
function isInForce(plan: Plan, running: Config, next: Config): boolean {
  const same = (a: readonly string[], b: readonly string[]) => a.join('\0') === b.join('\0');
  const order = running.backends.map(({ name }) => name);
  const reasons = ({ disabled, inactive = {} }: Config) => disabled.map((name) => `${name} ${inactive[name]}`);
  return isEmptyPlan(plan) && same(order, plan.order) && same(reasons(running), reasons(next)) && running.strategy === next.strategy;
}

const counts = ({ start, stop, swap, retag, unchanged }: Plan) => ({
  started: start.length,
  stopped: stop.length,
  swapped: swap.length,
  retagged: retag.length,
  unchanged: unchanged.length,
});

function summary(plan: Plan): string {
  const { started, stopped, swapped, retagged, unchanged } = counts(plan);
  const parts = [
    [started, 'started'],
    [stopped, 'stopped'],
    [swapped, 'replaced'],
    [retagged, 'changed in place'],
    [unchanged, 'unchanged'],
  ] as const;
  return parts.flatMap(([count, what]) => (count > 0 ? [`${count} ${what}`] : [])).join(', ') || 'no servers';
}
