import { OnemcpError } from '../../errors.ts';
import type { Json } from '../../world.ts';
import { LOG_LEVELS, type LogLevel } from '../levels.ts';
import type { Call, Context, Method } from '../method.ts';

/** `logging/setLevel`: this client's own level; never the log level of the gateway. MCP server/utilities/logging. */
export const setLevel: Method = {
  name: 'logging/setLevel',
  async handle({ client, params }: Call, { levels }: Context): Promise<Json> {
    const { level } = params;
    if (!LOG_LEVELS.includes(level as LogLevel)) {
      throw new OnemcpError('invalid_params', `logging/setLevel needs a "level", one of ${LOG_LEVELS.join(', ')}`);
    }
    levels.set(client, level as LogLevel);
    return {};
  },
};
