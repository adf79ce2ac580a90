import { resolve } from 'node:path';
import { environmentOf } from '../config/dotenv.ts';
import { readConfigFile } from '../config/file.ts';
import { wholeText } from '../config/stack.ts';
import { stateDirOfText } from '../config/stateDir.ts';
import type { ProcessPorts } from './process.ts';

/** Where a configuration and what belongs to it are. */
export interface ConfigPlace {
  /** The file, absolute. */
  readonly path: string;
  /** The real environment over the `.env` beside the file. */
  readonly env: ProcessPorts['env'];
  /** Folder for what outlives a run; undefined: there is none. */
  readonly stateDir: string | undefined;
}

/** The file, as the user wrote it, is only looked at: it may be broken, or gone. */
export async function placeOf(file: string, { env: real, cwd }: Pick<ProcessPorts, 'env' | 'cwd'>): Promise<ConfigPlace> {
  const path = resolve(cwd, file);
  const read = await readConfigFile(file, cwd);
  const { env } = await environmentOf(path, real);
  const text = read.ok ? await wholeText(read.text, { file: path, base: cwd, environment: env.ONEMCP_ENV?.trim() }) : undefined;
  return { path, env, stateDir: stateDirOfText(path, text, env) };
}
