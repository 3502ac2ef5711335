/**
 * Bytes and their two text forms.
 *
 * A *binary string* (one char, 0-255, per byte) is how keys travel inside a process: it is a Map key and compares in
 * byte order with `<`, which a Uint8Array does not; V8 stores it one byte per char. Values stay Uint8Arrays.
 */
import type { Brand } from './brands.js';

/** A string whose every char code is a byte. Ordered by `<` exactly as its bytes by memcmp. */
export type BinaryString = Brand<string, 'BinaryString'>;

export const EMPTY_BYTES = new Uint8Array(0);

/** U+FFFD, which decoders put in the place of bytes that are no UTF-8. */
export const REPLACEMENT = '\ufffd';

/** A Buffer over the same memory: Buffer's methods are native, and V8 inlines them. No copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function toBinaryString(bytes: Uint8Array): BinaryString {
  return asBuffer(bytes).toString('latin1') as BinaryString;
}

export function fromBinaryString(text: BinaryString): Uint8Array {
  return Buffer.from(text, 'latin1');
}

/** Text to UTF-8; half a surrogate pair becomes U+FFFD. */
export function utf8Encode(text: string): Uint8Array {
  return Buffer.from(text, 'utf8');
}

/** UTF-8 to text; malformed sequences become U+FFFD. */
export function utf8Decode(bytes: Uint8Array): string {
  return asBuffer(bytes).toString('utf8');
}

/**
 * The UTF-8 of a text, or undefined where it has none: half a surrogate pair. For keys and values, which must not change on their
 * way: two texts must never become the same bytes.
 */
export function exactUtf8Encode(text: string): Uint8Array | undefined {
  return text.isWellFormed() ? utf8Encode(text) : undefined;
}

/** The text that the bytes are the UTF-8 of, a byte order mark included; undefined for bytes that are no UTF-8. */
export function exactUtf8Decode(bytes: Uint8Array): string | undefined {
  const text = utf8Decode(bytes);
  // Only a text with U+FFFD in it can have come from malformed bytes, or from the UTF-8 of that very character.
  return !text.includes(REPLACEMENT) || bytesEqual(utf8Encode(text), bytes) ? text : undefined;
}

export function toHex(bytes: Uint8Array): string {
  return asBuffer(bytes).toString('hex');
}

/** Bytes of a hex text, or undefined where it is not one. */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return undefined;
  return Buffer.from(text, 'hex');
}

export function toBase64Url(bytes: Uint8Array): string {
  return asBuffer(bytes).toString('base64url');
}

/**
 * Bytes of a base64 or base64url text, padded or not; undefined where it is not one. No two texts but for padding and alphabet
 * have the same bytes.
 */
export function fromBase64(text: string): Uint8Array | undefined {
  const digits = /^([A-Za-z0-9+/_-]*)={0,2}$/.exec(text)?.[1];
  if (digits === undefined) return undefined;
  // One digit beyond full groups of four is six bits, less than a byte: the text was cut. Padding fills up a group.
  const isCut = digits.length % 4 === 1;
  const isMispadded = digits.length < text.length && text.length % 4 !== 0;
  if (isCut || isMispadded) return undefined;
  // The last digit of an incomplete group has bits to spare. Other encoders leave them zero, and a text where they are not was
  // changed on its way.
  const rest = digits
    .slice(digits.length - (digits.length % 4))
    .replaceAll('+', '-')
    .replaceAll('/', '_');
  return Buffer.from(rest, 'base64').toString('base64url') === rest ? Buffer.from(digits, 'base64') : undefined;
}

export function bytesEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && asBuffer(a).equals(b);
}

/** memcmp order: negative, zero or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}
