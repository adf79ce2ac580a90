/** `${SECRET:name}`: who is asked, in which order, for how long, and whether somebody would answer differently now. */
import type { SecretReader, SecretScheme, SecretSettings } from '../../config/config.ts';
import { createEnvProvider } from './env.ts';
import { createExecProvider } from './exec.ts';
import { createFileProvider } from './file.ts';
import type { SecretProvider } from './provider.ts';
import { createStoreProvider } from './store.ts';
import { createTurns } from './turns.ts';
import { createVaultProvider, type VaultTokens } from './vault.ts';

export interface SecretPorts {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform?: NodeJS.Platform;
}

/** Reads for one load of a configuration, and knows afterwards whether the next load would find something else. */
export interface WatchedSecrets extends SecretReader {
  /** @throws Error naming where the secret was looked for, or who could not tell; never with a value */
  read(reference: string): Promise<string>;
  /** Calls back when what was read has changed, at once if it has already; returns the unsubscriber. */
  watch(onChange: () => void): () => void;
}

/** Makes the readers of one process: what they share is kept from one load to the next. */
export function createSecrets(ports: SecretPorts): (settings: SecretSettings) => WatchedSecrets {
  const tokens: VaultTokens = new Map();
  return (settings) => openSecrets(settings, () => providersOf(settings, ports, tokens));
}

/** Every provider that is set up. A new one is one file and one line here. */
function providersOf(
  settings: SecretSettings,
  { env, platform = process.platform }: SecretPorts,
  tokens: VaultTokens,
): readonly SecretProvider[] {
  const { folders, maxBytes, filePoll, stateDir, exec, vault } = settings;
  return [
    createFileProvider({ folders, maxBytes, poll: filePoll }),
    createStoreProvider({ folder: stateDir, maxBytes, poll: filePoll, env, platform }),
    createEnvProvider({ env, maxBytes }),
    ...(exec ? [createExecProvider({ ...exec, inherited: env, maxBytes })] : []),
    ...(vault ? [createVaultProvider({ ...vault, env, maxBytes, tokens })] : []),
  ];
}

/** What a provider said of one name. */
type Answer = { readonly value: string | undefined } | { readonly error: string };

/** @param create makes the providers; anew for each look, for they may remember what they have read */
export function openSecrets(settings: SecretSettings, create: () => readonly SecretProvider[]): WatchedSecrets {
  const providers = create();
  const byScheme = new Map(providers.map((provider) => [provider.scheme, provider]));
  const ask = asker(settings.timeout);
  const answers = new Map<SecretProvider, Map<string, Answer>>();

  const answerOf = async (provider: SecretProvider, name: string): Promise<string | undefined> => {
    const own = answers.get(provider) ?? new Map<string, Answer>();
    answers.set(provider, own);
    const answer = await ask(provider, name);
    own.set(name, answer);
    if ('error' in answer) throw new Error(`the provider "${provider.scheme}" cannot tell "${name}": ${answer.error}`);
    return answer.value;
  };

  return {
    async read(reference) {
      const { scheme, name } = parts(reference);
      const asked = (scheme === undefined ? settings.providers : [scheme]).flatMap((wanted) => byScheme.get(wanted as SecretScheme) ?? []);
      for (const provider of asked) {
        const value = await answerOf(provider, name);
        if (value !== undefined) return value;
      }
      throw new Error(`secret "${reference}" was not found${absence(scheme, asked, { name, providers })}`);
    },
    watch: (onChange) => follow({ answers, create, settings, onChange }),
  };
}

/** `scheme:name`, or a name for whoever has it. */
function parts(reference: string): { readonly scheme: string | undefined; readonly name: string } {
  const at = reference.indexOf(':');
  return at < 0 ? { scheme: undefined, name: reference } : { scheme: reference.slice(0, at), name: reference.slice(at + 1) };
}

interface Wanted {
  readonly name: string;
  readonly providers: readonly SecretProvider[];
}

/** Why a secret is not there, and what to do. */
function absence(scheme: string | undefined, asked: readonly SecretProvider[], { name, providers }: Wanted): string {
  if (scheme !== undefined && asked.length === 0) {
    if (scheme === 'exec' || scheme === 'vault') return `: the provider "${scheme}" is not set up; add gateway.secrets.${scheme}`;
    return `: there is no provider "${scheme}"; there are ${providers.map((provider) => provider.scheme).join(', ')}`;
  }
  // The last resort first: it is the simplest.
  const advice = asked.flatMap((provider) => provider.advice?.(name) ?? []).reverse();
  return advice.length === 0 ? '' : `; ${advice.join(', or ')}`;
}

/** Asks one provider after the other, or many times at once, whatever each of them can take; never longer than `timeout`. */
function asker(timeout: number) {
  const turns = new Map<SecretProvider, ReturnType<typeof createTurns>>();
  return async (provider: SecretProvider, name: string): Promise<Answer> => {
    const line = turns.get(provider) ?? createTurns(provider.atOnce ?? Number.POSITIVE_INFINITY);
    turns.set(provider, line);
    return line(() => answerWithin(timeout, provider, name));
  };
}

/** Some things cannot be aborted, such as a read from a file system that hangs: then nobody waits for them any more. */
async function answerWithin(timeout: number, provider: SecretProvider, name: string): Promise<Answer> {
  const aborter = new AbortController();
  const late = new Promise<Answer>((resolve) => {
    aborter.signal.addEventListener('abort', () => resolve({ error: `there was no answer within ${timeout / 1000} s` }));
  });
  const timer = setTimeout(() => aborter.abort(), timeout);
  const read = (async () => provider.read(name, aborter.signal))().then(
    (value): Answer => ({ value }),
    (error: unknown): Answer => ({ error: error instanceof Error ? error.message : 'it failed' }),
  );
  try {
    return await Promise.race([late, read]);
  } finally {
    clearTimeout(timer);
  }
}

interface Following {
  readonly answers: ReadonlyMap<SecretProvider, ReadonlyMap<string, Answer>>;
  readonly create: () => readonly SecretProvider[];
  readonly settings: SecretSettings;
  readonly onChange: () => void;
}

/** Looks again at whatever may have changed; what is still the same is nobody's business. */
function follow({ answers, create, settings: { timeout, poll }, onChange }: Following): () => void {
  let closed = false;
  const unwatchers: (() => void)[] = [];

  for (const [provider, known] of answers) {
    let last: ReadonlyMap<string, Answer> = known;
    const look = oneAtATime(async () => {
      const again = create().find(({ scheme }) => scheme === provider.scheme);
      if (!again || closed) return;
      const ask = asker(timeout);
      const now = new Map(await Promise.all([...last.keys()].map(async (name) => [name, await ask(again, name)] as const)));
      if (closed) return;
      const changed = [...now].some(([name, answer]) => isNews(last.get(name), answer));
      last = new Map([...now].map(([name, answer]) => [name, 'error' in answer ? (last.get(name) ?? answer) : answer]));
      if (changed) onChange();
    });
    const names = [...known.keys()];
    if (provider.watch) {
      unwatchers.push(provider.watch(names, look));
    } else if (provider.polled && poll > 0) {
      const timer = setInterval(look, poll).unref();
      unwatchers.push(() => clearInterval(timer));
    }
  }
  return () => {
    closed = true;
    for (const unwatch of unwatchers) unwatch();
  };
}

/** A provider that cannot tell at the moment has not changed anything: what is in force stays. */
function isNews(before: Answer | undefined, now: Answer): boolean {
  if ('error' in now) return false;
  return before === undefined || 'error' in before || before.value !== now.value;
}

/** Once more after a call that came meanwhile. */
function oneAtATime(action: () => Promise<void>): () => void {
  let running = false;
  let again = false;
  const run = async () => {
    running = true;
    do {
      again = false;
      await action();
    } while (again);
    running = false;
  };
  return () => {
    if (running) again = true;
    else void run();
  };
}
