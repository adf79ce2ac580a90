import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir, rename, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { connect } from 'node:net';
import { dirname, isAbsolute, join } from 'node:path';
import { OnemcpError } from '../errors.ts';

export interface ControlPlace {
  /** Absolute path of the configuration. */
  readonly file: string;
  readonly stateDir: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: NodeJS.Platform;
  /** Undefined on Windows. */
  readonly uid: number | undefined;
  readonly tmpdir: string;
}

/** Bytes of `sun_path` on macOS and the BSDs, less the zero; Linux has four more. */
const LONGEST_PATH = 103;

/**
 * Where the control socket of a configuration may be, best first. There is more than one, for a gateway and a terminal may
 * have different environments. Never empty.
 */
export function controlPaths({ file, stateDir, env, platform, uid, tmpdir }: ControlPlace): readonly string[] {
  const hash = createHash('sha256').update(file).digest('hex').slice(0, 16);
  if (platform === 'win32') return [`\\\\.\\pipe\\onemcp-${hash}`];
  const runtime = env.XDG_RUNTIME_DIR;
  const name = `${hash}.sock`;
  const folders = [
    ...(runtime && isAbsolute(runtime) ? [join(runtime, 'onemcp')] : []),
    ...(stateDir === undefined ? [] : [join(stateDir, 'run')]),
    join(tmpdir, `onemcp-${uid}`),
  ];
  const fitting = folders.map((folder) => join(folder, name)).filter((path) => Buffer.byteLength(path) <= LONGEST_PATH);
  // A temporary folder with a name that long would be a strange one.
  return fitting.length > 0 ? fitting : [join('/tmp', `onemcp-${uid}`, name)];
}

export interface ControlServer {
  readonly path: string;
  /** Removes the socket. */
  close(): Promise<void>;
}

/**
 * Serves HTTP on the first of these paths that can be used: a socket (0600) in a folder that is ours alone (0700), so that
 * nobody else can connect to it at any moment. What a dead gateway left is replaced.
 * @throws OnemcpError `busy` when a gateway answers there already, `port_in_use` when no path can be used
 */
export async function openControl(paths: readonly string[], onRequest: RequestListener): Promise<ControlServer> {
  let reason = '';
  for (const path of paths) {
    try {
      return await openAt(path, onRequest);
    } catch (error) {
      if (error instanceof OnemcpError) throw error;
      reason ||= (error as Error).message;
    }
  }
  throw new OnemcpError('port_in_use', `no control socket can be opened: ${reason}`);
}

async function openAt(path: string, onRequest: RequestListener): Promise<ControlServer> {
  const isPipe = path.startsWith('\\\\');
  if (!isPipe) await claimFolder(dirname(path));
  const server = createServer({ keepAliveTimeout: 1_000 }, onRequest);
  try {
    await listen(server, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    if (isPipe || !(await clear(path))) throw taken(path);
    await listen(server, path);
  }
  if (!isPipe) await chmod(path, 0o600);
  server.unref();
  return {
    path,
    // Closing unlinks the socket.
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const taken = (path: string) =>
  new OnemcpError('busy', `another gateway serves the same configuration and answers at ${path}; this one runs without a control socket`);

/** Makes sure that a folder is ours and nobody else's. In /tmp anybody may have made it, also as a link. */
async function claimFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const { mode, uid } = await lstat(folder).then((stats) => {
    if (!stats.isDirectory()) throw new Error(`${folder} is not a folder`);
    return stats;
  });
  if (uid !== process.getuid?.()) throw new Error(`${folder} belongs to another user`);
  if ((mode & 0o077) !== 0) await chmod(folder, 0o700);
}

const listen = (server: Server, path: string) =>
  new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      resolve();
    });
  });

/**
 * Removes what a dead gateway left; false if somebody answers there. It is moved away first and looked at again: another
 * gateway may have taken the place in between.
 */
async function clear(path: string): Promise<boolean> {
  if (await answers(path)) return false;
  const aside = `${path}.${process.pid}`;
  try {
    await rename(path, aside);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
  if (await answers(aside)) {
    await rename(aside, path);
    return false;
  }
  await rm(aside, { force: true });
  return true;
}

const answers = (path: string) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
