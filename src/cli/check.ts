import { type ConfigFlags, configSource, explained } from './config.ts';
import { EXIT, type ProcessPorts } from './process.ts';

/** `onemcp check [FILE]`: the pipeline of `run`, without starting anything. */
export async function check(file: string, ports: ProcessPorts, flags: ConfigFlags = {}): Promise<number> {
  const config = explained(await configSource(file, flags, ports).load(), ports);
  if (!config) return EXIT.usage;
  const { backends, disabled } = config;
  const off = disabled.length > 0 ? `, ${disabled.length} disabled` : '';
  ports.stdout.write(`${file}: ok, ${backends.length} server${backends.length === 1 ? '' : 's'}${off}\n`);
  return EXIT.ok;
}
