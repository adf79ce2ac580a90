import { resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { EMPTY_FILE, withGatewayOption } from '../config/edit.ts';
import { type Imported, type Product, TITLES } from '../config/importing.ts';
import { readConfigFile } from '../config/load.ts';
import { listServers } from '../config/servers.ts';
import { say } from './control.ts';
import { editFile, isMissing } from './editing.ts';
import { readInto, tell } from './import.ts';
import { presentFile } from './known.ts';
import { EXIT, type ProcessPorts } from './process.ts';
import type { FileFlags, Serverwise } from './servers.ts';

export interface InitFlags extends FileFlags {
  /** Asks nothing. */
  readonly yes?: boolean | undefined;
  /** Imports the files of other products that are found. */
  readonly import?: boolean | undefined;
  readonly port?: number | undefined;
  readonly force?: boolean | undefined;
}

/** A file of another product that has servers. */
interface Found {
  readonly product: Product;
  readonly path: string;
  readonly servers: number;
}

/** What the new file is to hold. */
interface Choice {
  readonly from: readonly Found[];
  readonly port: number | undefined;
}

const PRODUCTS = Object.keys(TITLES) as Product[];
const DEFAULT_PORT = 3050;

/** `onemcp init`: a configuration to begin with; asks on a terminal. */
export async function init({ flags, ports }: Serverwise<InitFlags>): Promise<number> {
  const { file, force } = flags;
  if (!force && !(await isMissing(resolve(ports.cwd, file)))) {
    say(ports.stderr, `onemcp: ${file} is there already; --force replaces it, keeping the old one beside it`);
    return EXIT.usage;
  }
  const found = await findFiles(ports);
  const asks = !flags.yes && isTerminal(ports);
  const choice = asks ? await ask(found, flags, ports) : { from: flags.import ? found : [], port: flags.port };
  if (!choice) {
    say(ports.stderr, 'onemcp: nothing was written');
    return EXIT.failed;
  }
  const reports: [Imported, Found][] = [];
  const edit = async () => {
    let text = EMPTY_FILE;
    for (const source of choice.from) {
      const imported = await readInto(text, source, { onConflict: 'rename', ports });
      reports.push([imported, source]);
      text = imported.text;
    }
    return choice.port === undefined || choice.port === DEFAULT_PORT ? text : withGatewayOption(text, 'port', choice.port);
  };
  const edited = await editFile({ file, ports, edit, creates: true, backs: true });
  if (!edited.ok) return edited.code;
  for (const [imported, source] of reports) tell(imported, source, { out: ports.stdout, err: ports.stderr });
  if (edited.backup) say(ports.stdout, `the former ${file} is ${edited.backup}`);
  say(ports.stdout, nextSteps(file, choice.from.length > 0 ? [] : found));
  return EXIT.ok;
}

const isTerminal = ({ stdin, stdout }: ProcessPorts): boolean => Boolean((stdin as { isTTY?: boolean }).isTTY && stdout.isTTY);

async function findFiles(ports: ProcessPorts): Promise<readonly Found[]> {
  const found = await Promise.all(
    PRODUCTS.map(async (product): Promise<Found[]> => {
      const path = await presentFile(product, ports);
      const read = path === undefined ? undefined : await readConfigFile(path);
      const listed = read?.ok ? listServers(path as string, read.text) : undefined;
      return path !== undefined && listed?.ok && listed.servers.length > 0 ? [{ product, path, servers: listed.servers.length }] : [];
    }),
  );
  return found.flat();
}

/** Asks for each file that was found, and for the port; undefined: the terminal was closed. */
async function ask(found: readonly Found[], flags: InitFlags, { stdin, stdout }: ProcessPorts): Promise<Choice | undefined> {
  const terminal = createInterface({ input: stdin, output: stdout });
  const closed = new Promise<undefined>((done) => terminal.once('close', () => done(undefined)));
  const question = (text: string) => Promise.race([terminal.question(text), closed]);
  try {
    const from: Found[] = [];
    for (const source of found) {
      const answer = flags.import
        ? 'y'
        : await question(`Import ${counted(source.servers)} of ${TITLES[source.product]} from ${source.path}? [Y/n] `);
      if (answer === undefined) return undefined;
      if (!/^\s*n/i.test(answer)) from.push(source);
    }
    let port = flags.port;
    while (port === undefined) {
      const answer = await question(`Port to listen on [${DEFAULT_PORT}] `);
      if (answer === undefined) return undefined;
      const number = answer.trim() === '' ? DEFAULT_PORT : Number(answer);
      if (Number.isInteger(number) && number >= 0 && number <= 65_535) port = number;
      else say(stdout, 'A port is a whole number from 0 to 65535.');
    }
    return { from, port };
  } finally {
    terminal.close();
  }
}

const counted = (servers: number): string => (servers === 1 ? '1 server' : `${servers} servers`);

function nextSteps(file: string, unused: readonly Found[]): string {
  const imports = unused.map(({ product, servers }) => `  onemcp import ${product}   # ${counted(servers)} of ${TITLES[product]}`);
  return [`${file}: written. Next:`, ...imports, '  onemcp add NAME -- COMMAND   # a server of your own', `  onemcp run ${file}`].join(
    '\n',
  );
}
