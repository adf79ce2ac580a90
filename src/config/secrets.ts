/** `gateway.secrets`: its shape, and what it says with defaults. */
import { resolve } from 'node:path';
import { z } from 'zod';
import type { Limits } from '../limits.ts';
import type { ExecSettings, MaybeSecret, SecretScheme, SecretSettings, VaultSettings } from './config.ts';
import { createFillings, type Fillings } from './fillings.ts';
import type { Findings, Path } from './issue.ts';
import { kindOf } from './units.ts';

type Env = Readonly<Record<string, string | undefined>>;

const SCHEMES = ['file', 'store', 'env', 'exec', 'vault'] as const satisfies readonly SecretScheme[];
const USUAL: readonly SecretScheme[] = ['file', 'store', 'env'];
const USUAL_FOLDER = '/run/secrets';
const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount/token';

const text = z.string().min(1, { error: 'expected text, found an empty string' });

/** @param limits its options that are rows of the table of limits */
export const secretsSchema = (limits: Readonly<Record<string, z.ZodType>>) =>
  z.strictObject({
    ...limits,
    providers: z
      .array(z.enum(SCHEMES))
      .min(1, { error: 'the list is empty; leave the key out for file, store, env' })
      .optional()
      .describe(
        `Who is asked for a secret, in this order; \${SECRET:provider:name} asks one only. file: mounted files; store: onemcp secret set; env: the environment; exec: a program; vault: HashiCorp Vault. Default: file, store, env.`,
      ),
    file: z
      .strictObject({
        folders: z
          .array(text)
          .min(1, { error: 'the list is empty; name a folder' })
          .describe('Folders of files that are named like secrets, in order, relative to the folder of this file.'),
      })
      .optional()
      .describe('Secrets as Docker and Kubernetes mount them. Default: the folder in ONEMCP_SECRETS, else /run/secrets.'),
    exec: z
      .strictObject({
        command: z
          .array(z.string(), {
            error: ({ input }) => `expected a list of the program and its arguments, found ${kindOf(input)}; there is no shell`,
          })
          .min(1, { error: 'the list is empty; its first item is the program' })
          .describe('Program that prints a secret, and its arguments; the argument "{name}" is the name. Never a shell line.'),
        env: z.record(z.string(), z.string()).optional().describe('Environment variables of the program, besides a minimal environment.'),
      })
      .optional()
      .describe('A program that prints secrets, such as the one of a password manager.'),
    vault: z
      .strictObject({
        address: text.optional().describe('Address of the server. Default: VAULT_ADDR.'),
        mount: text.optional().meta({ description: 'Path of the KV engine (version 2).', default: 'secret' }),
        namespace: text.optional().describe('Namespace (Vault Enterprise). Default: VAULT_NAMESPACE.'),
        tokenFile: text.optional().describe('File with the token; it is read each time. Default: the token in VAULT_TOKEN.'),
        kubernetes: z
          .strictObject({
            role: text.describe('Role to log in as.'),
            mount: text.optional().meta({ description: 'Path of the authentication method.', default: 'kubernetes' }),
            tokenFile: text.optional().meta({ description: 'File with the token of the service account.', default: SERVICE_ACCOUNT }),
          })
          .optional()
          .describe('Log in with the service account of the pod instead of a token.'),
      })
      .optional()
      .describe(`A HashiCorp Vault: \${SECRET:vault:path#field}.`),
  });

type SecretsShape = z.infer<ReturnType<typeof secretsSchema>>;

interface Written {
  readonly shape: SecretsShape | undefined;
  readonly env: Env;
  /** Folder of the file, absolute. */
  readonly folder: string;
  readonly stateDir: string | undefined;
  readonly limits: Limits;
  /** Gets every value that must never be printed. */
  readonly hidden: Set<string>;
}

const HERE: Path = ['gateway', 'secrets'];

/** What is written, with defaults. Variables may be used in it; secrets may not, for nobody could read them yet. */
export async function secretSettings(
  { shape = {}, env, folder, stateDir, limits, hidden }: Written,
  findings: Findings,
): Promise<SecretSettings> {
  const none = {
    read: () => {
      throw new Error('a secret is not known yet where it is said how secrets are read; use a variable');
    },
  };
  const fillings = createFillings({ env, secrets: none }, findings.problems, hidden);
  const plain = async (template: string, path: Path) => {
    const value = await fillings.text(template, [...HERE, ...path]);
    return typeof value === 'string' ? value : '';
  };
  const folders = await Promise.all((shape.file?.folders ?? []).map((written, index) => plain(written, ['file', 'folders', index])));
  const { problems } = findings;
  for (const [index, scheme] of (shape.providers ?? []).entries()) {
    const path = [...HERE, 'providers', index];
    if ((scheme === 'exec' || scheme === 'vault') && !shape[scheme])
      problems.push({ path, at: 'value', message: `"${scheme}" is not set up; add "${scheme}" to gateway.secrets` });
  }
  return {
    providers: shape.providers ?? USUAL,
    folders: shape.file ? folders.map((written) => resolve(folder, written)) : [env.ONEMCP_SECRETS ?? USUAL_FOLDER],
    stateDir,
    exec: shape.exec && (await execSettings(shape.exec, { fillings, folder, findings })),
    vault: shape.vault && (await vaultSettings(shape.vault, { plain, folder, findings, env })),
    timeout: limits['secrets.timeout'],
    maxBytes: limits['secrets.maxBytes'],
    poll: limits['secrets.poll'],
    filePoll: limits['reload.poll'],
  };
}

interface ExecDesk {
  readonly fillings: Fillings;
  readonly folder: string;
  readonly findings: Findings;
}

async function execSettings(shape: NonNullable<SecretsShape['exec']>, { fillings, folder, findings }: ExecDesk): Promise<ExecSettings> {
  const path = [...HERE, 'exec', 'command'];
  const [program, ...args] = shape.command;
  if (program?.includes('{name}'))
    findings.problems.push({ path: [...path, 0], at: 'value', message: 'the program cannot be "{name}"; name a program' });
  const inside = args.findIndex((word) => word !== '{name}' && word.includes('{name}'));
  if (inside >= 0) {
    const message = '"{name}" is replaced only where it is a whole argument; split the argument, or use a script of your own';
    findings.problems.push({ path: [...path, inside + 1], at: 'value', message });
  } else if (!args.includes('{name}')) {
    findings.problems.push({ path, at: 'value', message: 'no argument is "{name}": the program would not know which secret is wanted' });
  }
  const command = await Promise.all(shape.command.map((word, index) => fillings.text(word, [...path, index])));
  const pairs = await Promise.all(
    Object.entries(shape.env ?? {}).map(
      async ([key, word]) => [key, await fillings.named(key, word, [...HERE, 'exec', 'env', key])] as const,
    ),
  );
  return {
    command: command.map((word) => (typeof word === 'string' ? word : '')),
    env: Object.fromEntries(pairs.filter((pair): pair is readonly [string, MaybeSecret] => pair[1] !== undefined)),
    cwd: folder,
  };
}

interface VaultDesk {
  readonly plain: (template: string, path: Path) => Promise<string>;
  readonly folder: string;
  readonly findings: Findings;
  readonly env: Env;
}

async function vaultSettings(
  shape: NonNullable<SecretsShape['vault']>,
  { plain, folder, findings, env }: VaultDesk,
): Promise<VaultSettings> {
  const { problems, warnings } = findings;
  const option = async (value: string | undefined, ...path: string[]) => value && (await plain(value, ['vault', ...path]));
  const address = ((await option(shape.address, 'address')) ?? env.VAULT_ADDR ?? '').replace(/\/+$/, '');
  const path = shape.address === undefined ? [...HERE, 'vault'] : [...HERE, 'vault', 'address'];
  const known = problems.some((problem) => problem.path.join() === path.join());
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (address === '' && !known) {
    problems.push({ path, at: 'value', message: 'the address of Vault is not known; set "address", or the variable VAULT_ADDR' });
  } else if (!known && (!url || !/^https?:$/.test(url.protocol) || url.username || url.search || url.hash)) {
    problems.push({
      path,
      at: 'value',
      message: 'expected the address of Vault such as "https://vault.example:8200", without a query or a password',
    });
  } else if (url?.protocol === 'http:' && !/^(localhost|127\.[\d.]+|\[::1\])$/.test(url.hostname)) {
    warnings.push({ path, at: 'value', message: 'everybody between here and Vault can read the secrets; use https' });
  }
  const tokenFile = await option(shape.tokenFile, 'tokenFile');
  const { kubernetes } = shape;
  if (kubernetes && tokenFile !== undefined) {
    const message = 'there are two ways to log in; remove "tokenFile" or "kubernetes"';
    problems.push({ path: [...HERE, 'vault', 'tokenFile'], at: 'key', message });
  }
  return {
    address,
    mount: trimmed((await option(shape.mount, 'mount')) ?? 'secret'),
    namespace: (await option(shape.namespace, 'namespace')) ?? (env.VAULT_NAMESPACE || undefined),
    tokenFile: tokenFile === undefined ? undefined : resolve(folder, tokenFile),
    kubernetes: kubernetes && {
      role: (await option(kubernetes.role, 'kubernetes', 'role')) ?? '',
      mount: trimmed((await option(kubernetes.mount, 'kubernetes', 'mount')) ?? 'kubernetes'),
      tokenFile: resolve(folder, (await option(kubernetes.tokenFile, 'kubernetes', 'tokenFile')) ?? SERVICE_ACCOUNT),
    },
  };
}

/** `/secret/` is what people write of a path. */
const trimmed = (path: string): string => path.replace(/^\/+|\/+$/g, '');
