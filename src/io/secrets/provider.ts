import type { SecretScheme } from '../../config/config.ts';

/** Where `${SECRET:name}` comes from. `test/io/secrets/contract.ts` says what each of them has to do. */
export interface SecretProvider {
  readonly scheme: SecretScheme;
  /** Reads at the same time; more wait for their turn. Default: any number. */
  readonly atOnce?: number;
  /** It does not tell of changes: its secrets are read again every `secrets.poll`. */
  readonly polled?: boolean;
  /**
   * Resolves to undefined when this provider does not have the secret. Ends soon after `signal` aborts.
   * @throws Error that says why it cannot tell, and what to do; never with a value, nor with what others said that may hold one
   */
  read(name: string, signal: AbortSignal): Promise<string | undefined>;
  /** What to do so that it has this secret: `set API_KEY`. */
  advice?(name: string): string;
  /** Calls back when one of these may have another value, and once when it has begun to watch; returns the unsubscriber. */
  watch?(names: readonly string[], onHint: () => void): () => void;
}

/**
 * A secret as editors and programs write it: one line end at the end is no part of it.
 * @throws Error when it is too large, or no text
 */
export function secretText(bytes: Uint8Array, maxBytes: number): string {
  let end = bytes.length;
  if (bytes[end - 1] === 0x0a) end -= bytes[end - 2] === 0x0d ? 2 : 1;
  if (end > maxBytes) throw tooLarge(maxBytes);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.subarray(0, end));
  } catch {
    // Not the reason of the decoder.
    throw new Error('it is not UTF-8 text; encode it, for instance as base64');
  }
}

/** No file that is read as a secret has this text: whoever watches one is called back once when the watching has begun. */
export const NOTHING_SEEN = '\0 nothing';

export const tooLarge = (maxBytes: number): Error => new Error(`it is larger than gateway.secrets.maxBytes (${maxBytes} bytes)`);
