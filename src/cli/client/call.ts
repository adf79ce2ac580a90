import { WireError } from '../../errors.ts';
import { isObject } from '../../json.ts';
import { ERROR_META } from '../../mcp/metaKeys.ts';
import type { Json } from '../../world.ts';
import { EXIT } from '../process.ts';
import { argumentsFor, jsonArguments, pairsOf, promptSchema } from './arguments.ts';
import { blockPart, type Part, toolParts } from './content.ts';
import { type Found, find } from './find.ts';
import { printParts, saveParts } from './output.ts';
import { printJson, printText } from './print.ts';
import { progressLine } from './progress.ts';
import { type ClientFlags, type Visit, type Visiting, visit } from './visit.ts';

export interface CallFlags extends ClientFlags {
  /** JSON, `@file` or `-`. */
  readonly args?: string | undefined;
  /** File for what the result has that is no text. */
  readonly output?: string | undefined;
}

/** `onemcp call TOOL [key=value…]`: calls a tool and prints its result; exit code 3 when the tool says that it failed. */
export async function call(tool: string, texts: readonly string[], visiting: Visiting<CallFlags>): Promise<number> {
  const { flags, ports } = visiting;
  return visit(visiting, async (open) => {
    const pairs = pairsOf(texts);
    const base = await jsonArguments(flags.args, ports);
    const here = await open();
    const found = await find('tools', tool, here);
    const given = argumentsFor({ name: found.name, schema: found.item?.inputSchema }, pairs, base);
    const result = await asked(
      'tools/call',
      { found, params: { name: found.name, arguments: given }, what: `call ${tool}` },
      here,
      visiting,
    );
    const isError = result.isError === true;
    const parts = toolParts(result);
    if (flags.json) printJson(ports.stdout, result);
    else if (isError) printParts(ports.stderr, parts);
    if (!isError) await delivered(parts, visiting);
    return isError ? failureCode(result) : EXIT.ok;
  });
}

/** What failed is the tool, unless the gateway says that its server could not answer. */
const failureCode = ({ _meta }: Json): number => (isObject(_meta) && ERROR_META in _meta ? EXIT.failed : EXIT.toolError);

/** `onemcp get-prompt NAME [key=value…]`: the messages of a prompt. */
export async function getPrompt(prompt: string, texts: readonly string[], visiting: Visiting<CallFlags>): Promise<number> {
  const { flags, ports } = visiting;
  return visit(visiting, async (open) => {
    const pairs = pairsOf(texts);
    const base = await jsonArguments(flags.args, ports);
    const here = await open();
    const found = await find('prompts', prompt, here);
    const given = argumentsFor({ name: found.name, schema: found.item && promptSchema(found.item) }, pairs, base);
    const params = { name: found.name, arguments: found.item ? given : asTexts(given) };
    const result = await asked('prompts/get', { found, params, what: `get ${prompt}` }, here, visiting);
    if (flags.json) printJson(ports.stdout, result);
    else for (const message of [result.messages ?? []].flat()) printMessage(message, visiting);
    return EXIT.ok;
  });
}

/** Arguments of prompts are texts, whatever they look like. */
const asTexts = (given: Json): Json =>
  Object.fromEntries(Object.entries(given).map(([key, value]) => [key, typeof value === 'string' ? value : JSON.stringify(value)]));

function printMessage(message: unknown, { ports: { stdout } }: Visiting): void {
  const { role, content } = isObject(message) ? message : { role: undefined, content: message };
  printText(stdout, `${typeof role === 'string' ? role : 'message'}:`);
  printParts(stdout, [content].flat().map(blockPart));
}

/** Prints a good result, or puts it into the file that was named. */
export async function delivered(parts: readonly Part[], { flags, ports }: Visiting<CallFlags>): Promise<void> {
  const rest = flags.output === undefined ? parts : await saveParts(flags.output, parts, ports);
  if (!flags.json) printParts(ports.stdout, rest);
}

interface Question {
  readonly found: Pick<Found, 'advice'>;
  readonly params: Json;
  /** For the line that shows the progress. */
  readonly what: string;
}

/** The result of a request that may take long. @throws WireError with what may have been meant */
async function asked(method: string, { found, params, what }: Question, { request }: Visit, { ports }: Visiting): Promise<Json> {
  const line = progressLine(ports.stderr, what);
  try {
    // Who asks for progress may wait longer: it shows that something happens.
    return await request(method, params, line.show);
  } catch (error) {
    if (!(error instanceof WireError) || found.advice === '') throw error;
    throw new WireError({ ...error.error, message: `${error.error.message}; ${found.advice}` });
  } finally {
    line.end();
  }
}
