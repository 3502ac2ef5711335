/**
 * Codecs: between the application's values and the opaque bytes that Armature stores (paper, section 2.3: "binary objects
 * (blobs)").
 */
import { ArmatureError, exactUtf8Decode, exactUtf8Encode } from '@armature/kernel';

export interface Codec<T> {
  encode(value: T): Uint8Array;
  /** Throws for bytes that are no `T`. */
  decode(bytes: Uint8Array): T;
  /** Stored as the metadata entry `content-type`, which the plain API and gateways show. */
  readonly contentType: string;
}

/** Bytes as they are. A value that was read is a view into memory that may be shared: copy it before changing it. */
export const bytes: Codec<Uint8Array> = {
  encode(value) {
    if (!((value as unknown) instanceof Uint8Array))
      throw new TypeError('the value is no Uint8Array, which the codec `bytes` stores');
    return value;
  },
  decode: (stored) => stored,
  contentType: 'application/octet-stream',
};

/**
 * Text as UTF-8. Throws for text that has none (half a surrogate pair) and for bytes that are none, so that no value changes on
 * its way.
 */
export const utf8: Codec<string> = { encode: encodeText, decode: decodeText, contentType: 'text/plain; charset=utf-8' };

/**
 * JSON. `validate` turns what was parsed into a `T` or throws; without it values are what somebody once stored, whatever its
 * type says. A schema library's parse function fits: `json(Cart.parse)`.
 */
export function json<T>(validate?: (input: unknown) => T): Codec<T> {
  return {
    encode(value) {
      const text = JSON.stringify(value) as string | undefined;
      if (text === undefined) throw new TypeError('the value has no JSON form');
      return encodeText(text);
    },
    decode(stored) {
      const parsed: unknown = JSON.parse(decodeText(stored));
      return validate === undefined ? (parsed as T) : validate(parsed);
    },
    contentType: 'application/json',
  };
}

function encodeText(text: string): Uint8Array {
  if (typeof text !== 'string') throw new TypeError('the value is no text; give the bucket the codec `bytes`, or `json()`');
  const encoded = exactUtf8Encode(text);
  if (encoded === undefined) throw new TypeError('the text holds half a surrogate pair, which UTF-8 cannot express');
  return encoded;
}

function decodeText(stored: Uint8Array): string {
  const text = exactUtf8Decode(stored);
  if (text === undefined) throw new TypeError('the stored bytes are not UTF-8; read them with the codec `bytes`');
  return text;
}

/** Runs a piece of the application, and names it in the error if it throws. */
export function applying<T>(what: string, run: () => T): T {
  try {
    return run();
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    throw new ArmatureError('application-error', `${what} failed: ${message}`, {
      cause: thrown,
      remedy: 'The stored data is untouched. Correct the codec, validator or merge function of this bucket.',
    });
  }
}
