/** Codecs: between the application's values and the opaque bytes that Armature stores (paper, section 2.3: "binary objects (blobs)"). */
import { ArmatureError, utf8Decode, utf8Encode } from '@armature/kernel';

export interface Codec<T> {
  encode(value: T): Uint8Array;
  /** Throws for bytes that are no `T`. */
  decode(bytes: Uint8Array): T;
  /** Stored as the metadata entry `content-type`, which the plain API and gateways show. */
  readonly contentType: string;
}

/** Bytes as they are. A value that was read is a view into memory that may be shared: copy it before changing it. */
export const bytes: Codec<Uint8Array> = {
  encode: (value) => value,
  decode: (stored) => stored,
  contentType: 'application/octet-stream',
};

export const utf8: Codec<string> = { encode: utf8Encode, decode: utf8Decode, contentType: 'text/plain; charset=utf-8' };

/**
 * JSON. `validate` turns what was parsed into a `T` or throws; without it values are what somebody once stored, whatever its
 * type says. A schema library's parse function fits: `json(Cart.parse)`.
 */
export function json<T>(validate?: (input: unknown) => T): Codec<T> {
  return {
    encode(value) {
      const text = JSON.stringify(value) as string | undefined;
      if (text === undefined) throw new TypeError('the value has no JSON form');
      return utf8Encode(text);
    },
    decode(stored) {
      const parsed: unknown = JSON.parse(utf8Decode(stored));
      return validate === undefined ? (parsed as T) : validate(parsed);
    },
    contentType: 'application/json',
  };
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
