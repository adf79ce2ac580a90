import { isAbsolute, join } from 'node:path';
import type { Product } from '../config/importing.ts';
import { isMissing } from './editing.ts';
import type { ProcessPorts } from './process.ts';

type Where = Pick<ProcessPorts, 'env' | 'platform' | 'cwd'>;

/** Where a product keeps its servers on this machine: what belongs to the project first. */
export function knownFiles(product: Product, { env, platform, cwd }: Where): readonly string[] {
  const home = env.HOME ?? env.USERPROFILE;
  const settings = settingsFolder({ env, platform }, home);
  const inHome = (...parts: string[]) => (home ? [join(home, ...parts)] : []);
  const inSettings = (...parts: string[]) => (settings ? [join(settings, ...parts)] : []);
  switch (product) {
    case 'claude':
      return inSettings('Claude', 'claude_desktop_config.json');
    case 'cursor':
      return [join(cwd, '.cursor', 'mcp.json'), ...inHome('.cursor', 'mcp.json')];
    case 'vscode':
      return [join(cwd, '.vscode', 'mcp.json'), ...inSettings('Code', 'User', 'mcp.json'), ...inSettings('Code', 'User', 'settings.json')];
    case '1mcp': {
      if (env.ONE_MCP_CONFIG_DIR) return [join(env.ONE_MCP_CONFIG_DIR, 'mcp.json')];
      return platform === 'win32' ? inSettings('1mcp', 'mcp.json') : inHome('.config', '1mcp', 'mcp.json');
    }
  }
}

/** The folder in which applications keep their settings. */
function settingsFolder({ env, platform }: Omit<Where, 'cwd'>, home: string | undefined): string | undefined {
  if (platform === 'win32') return env.APPDATA ?? (home && join(home, 'AppData', 'Roaming'));
  if (platform === 'darwin') return home && join(home, 'Library', 'Application Support');
  const { XDG_CONFIG_HOME: xdg } = env;
  return xdg && isAbsolute(xdg) ? xdg : home && join(home, '.config');
}

/** The first of them that is there. */
export async function presentFile(product: Product, where: Where): Promise<string | undefined> {
  for (const file of knownFiles(product, where)) if (!(await isMissing(file))) return file;
  return undefined;
}
