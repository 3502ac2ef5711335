/**
 * Reads what `ByteWriter` wrote, trusting nothing: every read checks the bounds, every length is checked against
 * what is left before anything is allocated, and any malformed input ends in a `DecodeError`, never in another exception.
 */
import { assert } from './assert.js';
import { asBuffer, REPLACEMENT, type BinaryString } from './bytes.js';

/** The bytes are not a well-formed message of the expected kind. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
}

export class ByteReader {
  readonly #buffer: Buffer;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#buffer = asBuffer(bytes);
  }

  get offset(): number {
    return this.#offset;
  }

  /** Bytes not read yet. */
  get remaining(): number {
    return this.#buffer.length - this.#offset;
  }

  /** The next byte, which is read again. */
  peekU8(): number {
    const value = this.#buffer[this.#offset];
    if (value === undefined) throw new DecodeError('truncated: expected one more byte');
    return value;
  }

  u8(): number {
    const value = this.peekU8();
    this.#offset++;
    return value;
  }

  u32(): number {
    this.#need(4);
    const value = this.#buffer.readUInt32LE(this.#offset);
    this.#offset += 4;
    return value;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 8; i++) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        if (byte === 0 && i > 0) throw new DecodeError('varint with a superfluous zero byte'); // keeps encodings canonical
        return value;
      }
      scale *= 128;
    }
    throw new DecodeError('varint beyond 2^53');
  }

  /** A count of things that each take at least `minBytesEach`: refused when they cannot fit in what is left. */
  count(minBytesEach: number): number {
    assert(minBytesEach >= 1, 'what is counted takes up bytes');
    const value = this.varint();
    if (value * minBytesEach > this.remaining) throw new DecodeError(`count ${value} exceeds the ${this.remaining} bytes left`);
    return value;
  }

  /** `length` bytes, a view into the input, not a copy. */
  raw(length: number): Uint8Array {
    this.#need(length);
    const out = this.#buffer.subarray(this.#offset, this.#offset + length);
    this.#offset += length;
    return out;
  }

  blob(): Uint8Array {
    return this.raw(this.varint());
  }

  /** Refuses what is longer than `maxBytes`, before it is read. */
  binary(maxBytes = Infinity): BinaryString {
    return this.rawBinary(this.#lengthUpTo(maxBytes));
  }

  rawBinary(length: number): BinaryString {
    this.#need(length);
    const out = this.#buffer.toString('latin1', this.#offset, this.#offset + length);
    this.#offset += length;
    return out as BinaryString;
  }

  /**
   * Refuses what is no UTF-8, which would become another text and be encoded to other bytes; and what is longer than `maxBytes`,
   * before it is read.
   */
  text(maxBytes = Infinity): string {
    const length = this.#lengthUpTo(maxBytes);
    if (length === 0) return '';
    this.#need(length);
    const start = this.#offset;
    this.#offset += length;
    const out = this.#buffer.toString('utf8', start, this.#offset);
    // U+FFFD stands for itself, or in the place of bytes that are no UTF-8.
    if (out.includes(REPLACEMENT) && !this.#buffer.subarray(start, this.#offset).equals(Buffer.from(out, 'utf8')))
      throw new DecodeError('a text that is no UTF-8');
    return out;
  }

  /** `length` bytes as lower-case hex. */
  rawHex(length: number): string {
    this.#need(length);
    const out = this.#buffer.toString('hex', this.#offset, this.#offset + length);
    this.#offset += length;
    return out;
  }

  /** Everything not read yet, as a view. */
  rest(): Uint8Array {
    return this.raw(this.remaining);
  }

  /** Demands that all was read. */
  end(): void {
    if (this.remaining !== 0) throw new DecodeError(`${this.remaining} unexpected bytes after the end`);
  }

  #lengthUpTo(maxBytes: number): number {
    const length = this.varint();
    if (length > maxBytes) throw new DecodeError(`a field of ${length} bytes, at most ${maxBytes} are allowed`);
    return length;
  }

  #need(length: number): void {
    if (length > this.remaining) throw new DecodeError(`truncated: expected ${length} bytes, ${this.remaining} left`);
  }
}
