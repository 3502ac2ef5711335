/**
 * Reads what `ByteWriter` wrote, trusting nothing: every read checks the bounds, every length is checked against
 * what is left before anything is allocated, and any malformed input ends in a `DecodeError`, never in another exception.
 */
import { assert } from './assert.js';
import { asBuffer, type BinaryString } from './bytes.js';

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

  u8(): number {
    const value = this.#buffer[this.#offset];
    if (value === undefined) throw new DecodeError('truncated: expected one more byte');
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

  binary(): BinaryString {
    return this.rawBinary(this.varint());
  }

  rawBinary(length: number): BinaryString {
    this.#need(length);
    const out = this.#buffer.toString('latin1', this.#offset, this.#offset + length);
    this.#offset += length;
    return out as BinaryString;
  }

  text(): string {
    const length = this.varint();
    this.#need(length);
    const out = this.#buffer.toString('utf8', this.#offset, this.#offset + length);
    this.#offset += length;
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

  #need(length: number): void {
    if (length > this.remaining) throw new DecodeError(`truncated: expected ${length} bytes, ${this.remaining} left`);
  }
}
