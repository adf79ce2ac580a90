import { jsonSchema } from '../src/config/schema.ts';

/** A committed file that is made from the source. */
interface Generated {
  /** Relative to the root of the repository. */
  readonly file: string;
  content(): string | Promise<string>;
}

/** Every generated file. A new one is one entry here: `npm run generate` writes it, `--check` compares it. */
export const generated: readonly Generated[] = [
  { file: 'config.schema.json', content: () => `${JSON.stringify(jsonSchema(), null, 2)}\n` },
];
