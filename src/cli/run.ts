import { resolve } from 'node:path';
import type { Config } from '../config/config.ts';
import { formatIssue } from '../config/issue.ts';
import { logSettings } from '../config/layers.ts';
import { OnemcpError } from '../errors.ts';
import { createGateway, createInspection, createRedactor, type Gateway } from '../gateway.ts';
import { controlPaths } from '../io/controlSocket.ts';
import { createLogFile, type LogFile } from '../io/logFile.ts';
import { createDiscovery } from '../io/sources/index.ts';
import type { ServiceManager } from '../io/systemd.ts';
import { createLogger, type LogFormat, type Logger, type LogLevel } from '../observe/log.ts';
import { parseLogLevels } from '../observe/logLevels.ts';
import { worldTable } from '../observe/table.ts';
import { type ConfigFlags, configSource, explained } from './config.ts';
import { EXIT, type ProcessPorts } from './process.ts';
import { VERSION } from './version.ts';

export interface RunFlags extends ConfigFlags {
  readonly stdio?: boolean | undefined;
  readonly inspect?: boolean | 'stately' | undefined;
  /** False: no control socket. */
  readonly control?: boolean | undefined;
  /** Default: that of the environment, or of `config/settings.ts`. */
  readonly logFormat?: LogFormat | undefined;
  readonly logLevel?: LogLevel | undefined;
  /** `backend=debug,http=error` */
  readonly logLevels?: string | undefined;
  readonly logFile?: string | undefined;
  /** What to say of options before anything else. */
  readonly notes?: readonly string[] | undefined;
}

/** `onemcp run [FILE]`: serves until a signal, or until the client on stdio has gone. */
export async function run(file: string, flags: RunFlags, ports: ProcessPorts): Promise<number> {
  const { stderr } = ports;
  /** Said before there is a log. */
  const early: string[] = [];
  let skipped = (message: string): void => void early.push(message);
  const discovery = createDiscovery({ onSkip: (sentence) => skipped(sentence) });
  const source = configSource(file, flags, { ...ports, discovery });
  const loaded = await source.load();
  const { logFormat, logLevel, logLevels = '', logFile } = logSettings(source.env(), flags);
  const tags = parseLogLevels(logLevels);
  if ('problem' in tags) {
    stderr.write(`levels of the log (--log-levels, ONEMCP_LOG_LEVELS): ${tags.problem}\n`);
    return EXIT.usage;
  }
  // Collectors read JSON from the first line on.
  const asJson = logFormat === 'json' && loaded.ok;
  if (!asJson) for (const note of flags.notes ?? []) stderr.write(`note: ${note}\n`);
  const config = explained(asJson ? { ...loaded, warnings: [] } : loaded, ports);
  if (!config) return EXIT.usage;
  const redactor = createRedactor(config.secrets);
  const { redact } = redactor;
  ports.hide?.(redact);
  const toFile = logFile
    ? openLogFile(resolve(ports.cwd, logFile), config, (message) => logger.log('warn', 'log.file', { message }))
    : undefined;
  const logger: Logger = createLogger({
    format: logFormat as LogFormat,
    level: logLevel as LogLevel,
    levels: tags.levels,
    file: toFile?.write,
    stream: stderr,
    colors: useColors(ports),
    redact,
  });
  skipped = (message) => logger.log('warn', 'discovery.skipped', { message });
  early.forEach(skipped);
  if (asJson) {
    for (const message of flags.notes ?? []) logger.log('info', 'config.note', { message });
    for (const warning of loaded.warnings) logger.log('warn', 'config.warning', { message: formatIssue(warning) });
  }
  const inspection = flags.inspect
    ? await createInspection({ mode: flags.inspect === 'stately' ? 'stately' : 'page', history: config.limits['inspect.history'], redact })
    : undefined;
  const transport = flags.stdio ? 'stdio' : 'http';
  const soleClient = isSole(flags);
  const shown = { log: logger.log, version: VERSION, inspection, transport } as const;
  const gateway = createGateway({ config, source, redactor, env: ports.env, ...shown, soleClient });
  try {
    return await serve({ gateway, config, flags, ports, logger, toFile, inspectionPath: inspection?.path });
  } catch (error) {
    if (!(error instanceof OnemcpError)) throw error;
    stderr.write(`${redact(error.message)}\n`);
    await gateway.close();
    return EXIT.failed;
  } finally {
    await toFile?.close(LOG_GRACE);
  }
}

/** Milliseconds that a disk which does not answer may delay the end. */
const LOG_GRACE = 1_000;

const openLogFile = (path: string, { limits }: Config, onProblem: (message: string) => void): LogFile =>
  createLogFile({ path, maxBytes: limits['log.maxBytes'], files: limits['log.files'], onProblem });

interface Serving {
  readonly gateway: Gateway;
  readonly config: Config;
  readonly flags: RunFlags;
  readonly ports: ProcessPorts;
  readonly logger: Logger;
  readonly toFile: LogFile | undefined;
  readonly inspectionPath: string | undefined;
}

async function serve({ gateway, config, flags, ports, logger, toFile, inspectionPath }: Serving): Promise<number> {
  const { log } = logger;
  const stopped = stopOnSignal(gateway, ports, logger);
  const manager = await serviceManager(gateway, ports, logger);
  const ready = () => manager?.ready(`serving ${gateway.world().backends.size} servers`);
  ports.onHangup(() => {
    toFile?.reopen();
    log('info', 'gateway.signal', { message: 'SIGHUP: reading the configuration again' });
    manager?.reloading();
    void gateway.reload?.().finally(ready);
  });
  if (isSole(flags)) gateway.start();
  else {
    const { url } = await gateway.listen();
    const { publicUrl = url } = config;
    const behind = publicUrl === url ? '' : `, listening on ${url}`;
    log('info', 'gateway.listening', { message: `onemcp ${VERSION} serves ${publicUrl}/mcp${behind}`, servers: config.backends.length });
    if (inspectionPath) log('info', 'gateway.inspect', { message: `inspect the machines at ${publicUrl}${inspectionPath}` });
  }
  if (flags.control !== false && config.features.control) await openControl(gateway, config, ports, logger);
  ready();
  if (config.insecureNoAuth) log('warn', 'gateway.insecure', { message: `no authentication, although listening on ${config.host}` });
  printTable(gateway, config, logger);
  const gone = flags.stdio ? gateway.serveStdio({ input: ports.stdin, output: ports.stdout }) : new Promise<never>(() => {});
  await Promise.race([gone, stopped]);
  manager?.stopping();
  await gateway.close();
  log('info', 'gateway.stopped', { message: 'stopped' });
  await manager?.close();
  return EXIT.ok;
}

/** systemd, where it has started us and wants to know how we are. */
async function serviceManager({ fetch }: Gateway, { env }: ProcessPorts, { log }: Logger): Promise<ServiceManager | undefined> {
  if (!env.NOTIFY_SOCKET) return undefined;
  const { createServiceManager } = await import('../io/systemd.ts');
  return createServiceManager({ env, isAlive: async () => (await fetch(new Request('http://localhost/health/live'))).ok, log });
}

/** Without it the gateway serves as well: it only cannot be operated. */
async function openControl(gateway: Gateway, { file, stateDir }: Config, ports: ProcessPorts, { log }: Logger): Promise<void> {
  try {
    const { path } = await gateway.openControl(controlPaths({ ...ports, file, stateDir }));
    log('debug', 'gateway.control', { message: `operators come in at ${path}` });
  } catch (error) {
    log('warn', 'gateway.control', { message: (error as Error).message });
  }
}

/** A client starts its own gateway on stdio; a port is opened only where one was asked for. */
const isSole = ({ stdio, port, inspect }: RunFlags): boolean => Boolean(stdio) && port === undefined && !inspect;

/** The first signal drains; the second kills what is left and leaves. */
function stopOnSignal(gateway: Gateway, { onSignal, exit }: ProcessPorts, { log }: Logger): Promise<void> {
  let signals = 0;
  return new Promise((resolve) => {
    onSignal((signal) => {
      signals++;
      log('info', 'gateway.signal', { message: signals === 1 ? `${signal}: shutting down` : `${signal} again: leaving at once` });
      if (signals === 1) return resolve();
      gateway.kill();
      exit(EXIT.failed);
    });
  });
}

/** Shows all servers once each of them was seen connected or failed, but not later than `initialWait`. */
function printTable({ world, onChange }: Gateway, { limits }: Config, { print }: Logger): void {
  const show = () => {
    clearTimeout(timer);
    unsubscribe();
    print(worldTable(world()));
  };
  const timer = setTimeout(show, limits.initialWait);
  timer.unref();
  const unsubscribe = onChange(() => {
    if ([...world().backends.values()].every(({ settled, remembered, lastError }) => settled && (remembered === undefined || lastError)))
      show();
  });
}

/** https://no-color.org */
const useColors = ({ env, stderr }: ProcessPorts): boolean => Boolean(stderr.isTTY) && !env.NO_COLOR && env.TERM !== 'dumb';
