import { nearest } from '../../config/suggest.ts';
import { WireError } from '../../errors.ts';
import { isObject } from '../../json.ts';
import { EXIT } from '../process.ts';
import { type CallFlags, delivered } from './call.ts';
import { resourcePart } from './content.ts';
import { allOf } from './items.ts';
import { printJson } from './print.ts';
import { progressLine } from './progress.ts';
import { type Visit, type Visiting, visit } from './visit.ts';

const NOT_FOUND = -32002;

/** `onemcp read URI`: the contents of a resource, as they are. */
export async function read(uri: string, visiting: Visiting<CallFlags>): Promise<number> {
  const { flags, ports } = visiting;
  return visit(visiting, async (open) => {
    const here = await open();
    const line = progressLine(ports.stderr, `read ${uri}`);
    const result = await here
      .request('resources/read', { uri }, line.show)
      .catch(async (error: unknown) => {
        throw await withAdvice(error, uri, here);
      })
      .finally(line.end);
    const contents = (Array.isArray(result.contents) ? result.contents : []).filter(isObject);
    if (flags.json) printJson(ports.stdout, result);
    await delivered(contents.map(resourcePart), visiting);
    return EXIT.ok;
  });
}

/** An error for a URI that nobody has says which may have been meant. */
async function withAdvice(error: unknown, uri: string, here: Visit): Promise<unknown> {
  if (!(error instanceof WireError) || error.error.code !== NOT_FOUND) return error;
  const { items } = await allOf('resources', here).catch(() => ({ items: [] }));
  const guess = nearest(
    uri,
    items.map((item) => String(item.uri)),
  );
  const advice = guess === undefined ? 'see onemcp resources' : `did you mean "${guess}"?`;
  return new WireError({ ...error.error, message: `${error.error.message}; ${advice}` });
}
