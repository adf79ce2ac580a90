/** Reads what others wrote, of which nothing is sure. */

export type Fields = Readonly<Record<string, unknown>>;

export const fieldsOf = (value: unknown): Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};

export const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** Undefined for what is no text, or a blank one. */
export const wordOf = (value: unknown): string | undefined => (typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined);

/** Undefined for what is no JSON. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The words of an entry that labels and annotations may say besides its address. */
export function commonEntry(said: (key: string) => string | undefined): Fields {
  const type = said('type');
  const tags = said('tags')
    ?.split(',')
    .map((tag) => tag.trim())
    .filter((tag) => tag !== '');
  return { ...(type !== undefined && { type }), ...(tags && tags.length > 0 && { tags }) };
}

/** Undefined where the parts make no address. */
export function addressOf(origin: string, path = '/mcp'): string | undefined {
  const text = `${origin}${path.startsWith('/') ? '' : '/'}${path}`;
  return URL.canParse(text) ? text : undefined;
}

/** 1 to 65535. */
export function portOf(value: unknown): number | undefined {
  const port = typeof value === 'string' && /^\d{1,5}$/.test(value) ? Number(value) : value;
  return typeof port === 'number' && Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined;
}
