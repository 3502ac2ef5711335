/**
 * Writes the binary formats of Armature (messages, version sets, stored records): a growing buffer with a cursor.
 * Integers are little-endian or LEB128 varints; strings and blobs are length-prefixed. `ByteReader` is its inverse.
 */
import { assert } from './assert.js';
import type { BinaryString } from './bytes.js';

/** Nearly every message and record without its value fits in this. */
const FIRST_CAPACITY_BYTES = 256;

/** What a writer holds after it has given its memory away: most write once, and are not worth a second buffer. */
const NOTHING = Buffer.alloc(0);

export class ByteWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(capacityBytes = FIRST_CAPACITY_BYTES) {
    this.#buffer = Buffer.allocUnsafe(capacityBytes);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  u8(value: number): this {
    this.#reserve(1);
    this.#buffer[this.#length++] = value;
    return this;
  }

  u32(value: number): this {
    this.#reserve(4);
    this.#length = this.#buffer.writeUInt32LE(value, this.#length);
    return this;
  }

  /** A non-negative safe integer, in 1 to 8 bytes. */
  varint(value: number): this {
    assert(Number.isSafeInteger(value) && value >= 0, 'varint takes a non-negative safe integer');
    this.#reserve(8);
    let rest = value;
    // Bitwise operators work on 32 bits, so the high part is divided down first.
    while (rest > 0x7fffffff) {
      this.#buffer[this.#length++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    while (rest > 0x7f) {
      this.#buffer[this.#length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#buffer[this.#length++] = rest;
    return this;
  }

  /** Bytes as they are, no length. */
  raw(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  /** A length and the bytes. */
  blob(bytes: Uint8Array): this {
    return this.varint(bytes.length).raw(bytes);
  }

  /** A length and the bytes of a binary string. */
  binary(text: BinaryString): this {
    this.varint(text.length);
    this.#reserve(text.length);
    this.#length += this.#buffer.write(text, this.#length, 'latin1');
    return this;
  }

  /** Bytes of a binary string, no length. */
  rawBinary(text: BinaryString): this {
    this.#reserve(text.length);
    this.#length += this.#buffer.write(text, this.#length, 'latin1');
    return this;
  }

  /** A byte length and UTF-8. */
  text(text: string): this {
    const sizeBytes = Buffer.byteLength(text, 'utf8');
    this.varint(sizeBytes);
    this.#reserve(sizeBytes);
    this.#length += this.#buffer.write(text, this.#length, 'utf8');
    return this;
  }

  /** The bytes of a hex string, no length. Asserts that it is one: a stray character would silently end the bytes there. */
  rawHex(hex: string): this {
    const sizeBytes = hex.length >>> 1;
    this.#reserve(sizeBytes);
    const writtenBytes = this.#buffer.write(hex, this.#length, 'hex');
    assert(writtenBytes * 2 === hex.length, 'hex digits in pairs');
    this.#length += writtenBytes;
    return this;
  }

  /** Overwrites four bytes written before, e.g. a count known only now. */
  patchU32(offset: number, value: number): void {
    assert(offset + 4 <= this.#length, 'patch inside what was written');
    this.#buffer.writeUInt32LE(value, offset);
  }

  /** What was written so far, not copied; valid until the next write. */
  get written(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  /** What was written, not copied: the writer gives its memory away, and takes some anew only if it is written to again. */
  finish(): Uint8Array {
    const out = this.#buffer.subarray(0, this.#length);
    this.#buffer = NOTHING;
    this.#length = 0;
    return out;
  }

  /** A copy of exactly what was written; the writer is reusable from its start. For values that live long. */
  copyOut(): Uint8Array {
    const out = Buffer.from(this.#buffer.subarray(0, this.#length));
    this.#length = 0;
    return out;
  }

  #reserve(moreBytes: number): void {
    const needed = this.#length + moreBytes;
    if (needed <= this.#buffer.length) return;
    // With room behind a large value, or the field that follows it would cause a copy of it.
    const grown = Buffer.allocUnsafe(Math.max(needed + (needed >>> 3), this.#buffer.length * 2, FIRST_CAPACITY_BYTES));
    grown.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = grown;
  }
}
