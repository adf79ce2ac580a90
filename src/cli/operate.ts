import type { OperationResult } from '../http/controlOps.ts';
import type { Operation } from '../world.ts';
import { type Asking, type ControlFlags, say, withGateway } from './control.ts';
import { EXIT } from './process.ts';

export interface OperateFlags extends ControlFlags {
  /** Milliseconds after which a drain ends by itself. */
  readonly hold?: number | undefined;
  /** False: not until it has come to its end. */
  readonly wait?: boolean | undefined;
}

/** `onemcp start|stop|restart|drain|resume NAME [FILE]`: one line that says what happened. */
export async function operate(op: Operation['op'], name: string, asking: Asking & { readonly flags: OperateFlags }): Promise<number> {
  const { flags, ports } = asking;
  return withGateway(asking, async (ask) => {
    const body = { wait: flags.wait ?? true, ...(flags.hold !== undefined && { holdMs: flags.hold }) };
    const result = await ask<OperationResult>({ method: 'POST', path: `/servers/${encodeURIComponent(name)}/${op}`, body });
    if (flags.json) say(ports.stdout, JSON.stringify(result, null, 2));
    else say(result.ok ? ports.stdout : ports.stderr, result.message);
    return result.ok ? EXIT.ok : EXIT.failed;
  });
}
