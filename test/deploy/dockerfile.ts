/** As much of a Dockerfile, and of a .dockerignore, as ours have. */

export interface Instruction {
  readonly name: string;
  /** Options such as `--from=build`. */
  readonly flags: Readonly<Record<string, string>>;
  /** The rest of the line, continued lines joined. */
  readonly text: string;
}

export interface Stage {
  readonly name: string;
  readonly from: string;
  readonly instructions: readonly Instruction[];
}

const KNOWN = /^(ARG|FROM|WORKDIR|COPY|RUN|ENV|USER|EXPOSE|STOPSIGNAL|HEALTHCHECK|ENTRYPOINT|CMD)$/;

/** The instructions in order. @throws Error at a line that is none */
export function instructionsOf(dockerfile: string): readonly Instruction[] {
  const lines = dockerfile.split('\n').filter((line) => line.trim() !== '' && !line.trimStart().startsWith('#'));
  return lines
    .join('\n')
    .replaceAll(/\\\n\s*/g, ' ')
    .split('\n')
    .map((line) => {
      const [, name = '', rest = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
      if (!KNOWN.test(name)) throw new Error(`not an instruction: ${line}`);
      const flags: Record<string, string> = {};
      const text = rest.replace(/^(--[a-z-]+=\S+\s+)+/, (found) => {
        for (const [, key = '', value = ''] of found.matchAll(/--([a-z-]+)=(\S+)/g)) flags[key] = value;
        return '';
      });
      return { name, flags, text: text.trim() };
    });
}

/** The stages of a build, each with its own instructions. */
export function stagesOf(instructions: readonly Instruction[]): readonly Stage[] {
  const stages: { name: string; from: string; instructions: Instruction[] }[] = [];
  for (const instruction of instructions) {
    const [, from = '', name = ''] = (instruction.name === 'FROM' && /^(\S+) AS (\S+)$/.exec(instruction.text)) || [];
    if (from) stages.push({ name, from, instructions: [] });
    else stages.at(-1)?.instructions.push(instruction);
  }
  return stages;
}

/** The last instruction of a name, as it counts. */
export const lastOf = ({ instructions }: Stage, name: string): Instruction | undefined => instructions.findLast((one) => one.name === name);

/** The words of an instruction in exec form. @throws when it is in shell form */
export const wordsOf = (instruction: Instruction | undefined): readonly string[] => JSON.parse(instruction?.text ?? '') as string[];

/** The command of a HEALTHCHECK. */
export const healthcheckOf = (stage: Stage): readonly string[] =>
  JSON.parse(/^CMD (\[.*\])$/.exec(lastOf(stage, 'HEALTHCHECK')?.text ?? '')?.[1] ?? '') as string[];

/** The environment of a stage: `NAME=value NAME=value`. */
export const envOf = ({ instructions }: Stage): Readonly<Record<string, string>> =>
  Object.fromEntries(
    instructions
      .filter(({ name }) => name === 'ENV')
      .flatMap(({ text }) => [...text.matchAll(/(\S+?)=(\S+)/g)].map(([, key, value]) => [key as string, value as string])),
  );

export interface Copy {
  /** A stage, or undefined for the build context. */
  readonly from: string | undefined;
  readonly sources: readonly string[];
  readonly target: string;
}

export const copiesOf = ({ instructions }: Stage): readonly Copy[] =>
  instructions
    .filter(({ name }) => name === 'COPY')
    .map(({ flags, text }) => {
      const words = text.split(/\s+/);
      return { from: flags.from, sources: words.slice(0, -1), target: words.at(-1) as string };
    });

/** Whether a file is in the build context: the last rule that matches it counts; a rule also means all that is below it. */
export function isInContext(dockerignore: string, path: string): boolean {
  let isIn = true;
  for (const line of dockerignore.split('\n').filter((one) => one !== '' && !one.startsWith('#'))) {
    const pattern = line.replace(/^!/, '').replace(/\/$/, '');
    if (pattern === '*' || path === pattern || path.startsWith(`${pattern}/`)) isIn = line.startsWith('!');
  }
  return isIn;
}
