import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { type EncryptedStore, openStore } from '../io/secrets/encrypted.ts';
import { storeFileOf } from '../io/secrets/store.ts';
import { LIMITS } from '../limits.ts';
import { placeOf } from './place.ts';
import { EXIT, type ProcessPorts } from './process.ts';
import { askHidden, readAll } from './prompt.ts';

interface Place {
  /** Configuration file that says where the state folder is, as the user wrote it. */
  readonly file: string;
  readonly ports: ProcessPorts;
}

/** The one of every command; it may be missing. */
const USUAL_FILE = './mcp.json';
/** Names that `${SECRET:name}` can say. */
const NAME = /^[A-Za-z0-9_./][A-Za-z0-9_./-]*$/;
const LARGEST = LIMITS['secrets.maxBytes'].default;
/** A person may have to unlock the keyring. */
const KEYRING_MS = 60_000;

/** `onemcp secret set NAME [FILE]`: the value comes from stdin, never from the command line, which everybody can see. */
export async function setSecret(name: string, place: Place): Promise<number> {
  const { stdin, stdout, stderr } = place.ports;
  if (!NAME.test(name) || name.includes('..')) {
    stderr.write('onemcp: the name of a secret has only letters, digits, "_", "-", "/" and single dots\n');
    return EXIT.usage;
  }
  return withStore(place, async (store) => {
    const asked = stdin.isTTY ? await askHidden(`Value of ${name} (it is not shown): `, place.ports) : await readAll(stdin, LARGEST + 2);
    if (asked === undefined) throw new Error('nothing was stored');
    const value = asked.replace(/\r?\n$/, '');
    if (value === '') throw new Error('the value is empty; nothing was stored');
    if (Buffer.byteLength(value) > LARGEST) throw new Error(`the value is larger than ${LARGEST} bytes; nothing was stored`);
    const where = await store.set(name, value, AbortSignal.timeout(KEYRING_MS));
    stdout.write(`stored ${name} in ${store.file}; its key is in ${where}. Write \${SECRET:${name}} to use it.\n`);
    return EXIT.ok;
  });
}

/** `onemcp secret list [FILE]`: names and dates. */
export async function listSecrets(place: Place, { json }: { readonly json?: boolean }): Promise<number> {
  return withStore(place, async (store) => {
    const { stdout } = place.ports;
    const secrets = await store.list();
    if (json) {
      stdout.write(`${JSON.stringify(secrets, null, 2)}\n`);
      return EXIT.ok;
    }
    const width = Math.max(4, ...secrets.map(({ name }) => name.length));
    if (secrets.length === 0) stdout.write(`no secrets in ${store.file}\n`);
    else
      stdout.write(
        [['NAME', 'SET'], ...secrets.map(({ name, set }) => [name, set])].map(([a = '', b]) => `${a.padEnd(width)}  ${b}\n`).join(''),
      );
    return EXIT.ok;
  });
}

/** `onemcp secret rm NAME [FILE]` */
export async function removeSecret(name: string, place: Place): Promise<number> {
  return withStore(place, async (store) => {
    if (!(await store.remove(name))) throw new Error(`there is no secret ${JSON.stringify(name)} in ${store.file}; see onemcp secret list`);
    place.ports.stdout.write(`removed ${name}\n`);
    return EXIT.ok;
  });
}

/** The file of the configuration is only looked at: it may be broken, or not be there. */
async function withStore({ file, ports }: Place, command: (store: EncryptedStore) => Promise<number>): Promise<number> {
  const { cwd, platform, stderr } = ports;
  try {
    // Not repeated: it may be a secret.
    if (file !== USUAL_FILE && !existsSync(resolve(cwd, file)))
      throw new Error('there is no configuration file of this name; a value is never an argument: it comes from stdin, or is asked for');
    const { env, stateDir: folder } = await placeOf(file, ports);
    if (folder === undefined) throw new Error('there is no state folder: gateway.stateDir is false, or HOME is not set');
    return await command(openStore({ file: storeFileOf(folder), env, platform }));
  } catch (error) {
    stderr.write(`onemcp: ${(error as Error).message}\n`);
    return EXIT.failed;
  }
}
