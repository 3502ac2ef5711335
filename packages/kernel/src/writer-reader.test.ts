import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AssertionError } from './assert.js';
import { bytesEqual, toBinaryString, toHex, utf8Decode, utf8Encode } from './bytes.js';
import { ByteReader, DecodeError } from './reader.js';
import { ByteWriter } from './writer.js';

/** One thing to write, and what reading it back must give. */
interface Item {
  readonly what: string;
  readonly write: (w: ByteWriter) => void;
  readonly check: (r: ByteReader) => void;
}

const bytes = fc.uint8Array({ maxLength: 300 });
const varint = fc.oneof(
  fc.maxSafeNat(),
  fc.nat(300),
  // The edges between encodings of n and n + 1 bytes.
  fc.integer({ min: 1, max: 7 }).chain((size) => fc.integer({ min: 2 ** (7 * size) - 2, max: 2 ** (7 * size) + 2 })),
  fc.constantFrom(0x7fffffff, 0x80000000, 0xffffffff, 2 ** 32, Number.MAX_SAFE_INTEGER),
);
const wellFormedText = fc.string({ unit: 'grapheme', maxLength: 80 });

const item: fc.Arbitrary<Item> = fc.oneof(
  fc.nat(255).map((v): Item => ({ what: `u8 ${v}`, write: (w) => w.u8(v), check: (r) => expect(r.u8()).toBe(v) })),
  fc.nat(0xffffffff).map((v): Item => ({ what: `u32 ${v}`, write: (w) => w.u32(v), check: (r) => expect(r.u32()).toBe(v) })),
  varint.map((v): Item => ({ what: `varint ${v}`, write: (w) => w.varint(v), check: (r) => expect(r.varint()).toBe(v) })),
  bytes.map((v): Item => ({
    what: `raw of ${v.length}`,
    write: (w) => w.raw(v),
    check: (r) => expect(bytesEqual(r.raw(v.length), v)).toBe(true),
  })),
  bytes.map((v): Item => ({
    what: `blob of ${v.length}`,
    write: (w) => w.blob(v),
    check: (r) => expect(bytesEqual(r.blob(), v)).toBe(true),
  })),
  bytes
    .map(toBinaryString)
    .map((v): Item => ({ what: `binary of ${v.length}`, write: (w) => w.binary(v), check: (r) => expect(r.binary()).toBe(v) })),
  bytes.map(toBinaryString).map((v): Item => ({
    what: `rawBinary of ${v.length}`,
    write: (w) => w.rawBinary(v),
    check: (r) => expect(r.rawBinary(v.length)).toBe(v),
  })),
  bytes.map(toHex).map((v): Item => ({
    what: `rawHex of ${v.length}`,
    write: (w) => w.rawHex(v),
    check: (r) => expect(r.rawHex(v.length / 2)).toBe(v),
  })),
  wellFormedText.map((v): Item => ({
    what: `text ${JSON.stringify(v)}`,
    write: (w) => w.text(v),
    check: (r) => expect(r.text()).toBe(v),
  })),
);
const items = fc.array(item, { maxLength: 30 });

describe('round trip', () => {
  test('whatever is written is read back, from a writer of any first capacity', () => {
    fc.assert(
      fc.property(items, fc.nat(64), (list, capacityBytes) => {
        const w = new ByteWriter(capacityBytes);
        for (const { write } of list) write(w);
        const sizeBytes = w.length;
        const out = w.finish();
        expect(out.length).toBe(sizeBytes);
        const r = new ByteReader(out);
        for (const { check } of list) check(r);
        expect(r.offset).toBe(sizeBytes);
        r.end();
      }),
      { numRuns: 500 },
    );
  });

  test('text that is not well-formed UTF-16 is read back as its UTF-8 says, and what follows it stays in place', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => {
        const r = new ByteReader(new ByteWriter(0).text(text).u8(42).finish());
        expect(r.text()).toBe(utf8Decode(utf8Encode(text)));
        expect(r.u8()).toBe(42);
      }),
    );
  });

  test('bytes that are no UTF-8 are no text: two messages would be read as one', () => {
    const invalid = [[0xff], [0x61, 0x80], [0xed, 0xa0, 0x80], [0xc0, 0x80], [0xf0, 0x9f, 0x98]];
    for (const bytes of invalid)
      expect(() => new ByteReader(new ByteWriter().blob(Uint8Array.from(bytes)).finish()).text()).toThrow(
        'a text that is no UTF-8',
      );
    const fine = 'U+FFFD itself: \ufffd; a byte order mark: \ufeff';
    expect(new ByteReader(new ByteWriter().text(fine).finish()).text()).toBe(fine);
  });

  test('rest takes all that is left', () => {
    const r = new ByteReader(Uint8Array.of(1, 2, 3));
    r.u8();
    expect([...r.rest()]).toEqual([2, 3]);
    expect(r.remaining).toBe(0);
    expect([...r.rest()]).toEqual([]);
  });

  test('raw is a view of the input; nothing is copied', () => {
    const input = Uint8Array.of(1, 2, 3);
    const view = new ByteReader(input).raw(2);
    input[0] = 9;
    expect(view[0]).toBe(9);
  });

  test('a reader of a slice stays inside the slice', () => {
    const host = Uint8Array.of(1, 2, 3, 4, 5);
    const r = new ByteReader(host.subarray(1, 3));
    expect([r.u8(), r.u8()]).toEqual([2, 3]);
    expect(() => r.u8()).toThrow(DecodeError);
  });
});

describe('totality', () => {
  const reads: readonly ((r: ByteReader, n: number) => unknown)[] = [
    (r) => r.u8(),
    (r) => r.u32(),
    (r) => r.varint(),
    (r, n) => r.count(1 + (n % 9)),
    (r, n) => r.raw(n),
    (r) => r.blob(),
    (r) => r.binary(),
    (r, n) => r.rawBinary(n),
    (r) => r.text(),
    (r, n) => r.rawHex(n),
    (r) => r.rest(),
    (r) => r.end(),
  ];
  const program = fc.array(fc.tuple(fc.nat(reads.length - 1), fc.oneof(fc.nat(40), fc.maxSafeNat())), { maxLength: 20 });
  const hostile = fc.oneof(
    fc.uint8Array({ maxLength: 80 }),
    // Lengths far beyond the input.
    fc.array(fc.constantFrom(0xff, 0x7f, 0x80, 0x00, 0x01), { maxLength: 24 }).map((list) => Uint8Array.from(list)),
  );

  test('no bytes make any sequence of reads throw anything but DecodeError, nor read past the end', () => {
    fc.assert(
      fc.property(hostile, program, (input, steps) => {
        const r = new ByteReader(input);
        try {
          for (const [which, n] of steps) reads[which]?.(r, n);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(DecodeError);
        }
        expect(r.offset).toBeLessThanOrEqual(input.length);
        expect(r.remaining).toBe(input.length - r.offset);
      }),
      { numRuns: 2_000 },
    );
  });

  test('every proper prefix of something written is refused or leaves the rest unread; none is read as more', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(bytes.map(toBinaryString)), { minLength: 1, maxLength: 5 }), fc.nat(), (texts, cut) => {
        const w = new ByteWriter();
        for (const text of texts) w.binary(text);
        const whole = w.finish();
        const r = new ByteReader(whole.subarray(0, cut % whole.length));
        expect(() => {
          for (const text of texts) expect(r.binary()).toBe(text);
        }).toThrow(DecodeError);
      }),
    );
  });

  test('a count is refused when its things cannot fit in what is left, so nothing is allocated beyond the input', () => {
    fc.assert(
      fc.property(varint, fc.integer({ min: 1, max: 40 }), fc.nat(100), (value, minBytesEach, left) => {
        const input = new ByteWriter().varint(value).raw(new Uint8Array(left)).finish();
        const r = new ByteReader(input);
        if (value * minBytesEach <= left) expect(r.count(minBytesEach)).toBe(value);
        else expect(() => r.count(minBytesEach)).toThrow(DecodeError);
      }),
    );
    expect(() => new ByteReader(Uint8Array.of(0)).count(0), 'things of no bytes could be any number').toThrow(AssertionError);
  });

  test('end refuses leftovers', () => {
    expect(() => {
      new ByteReader(Uint8Array.of(0)).end();
    }).toThrow(/1 unexpected bytes/);
  });
});

describe('varint', () => {
  const sizeOf = (value: number): number => Math.max(1, Math.ceil(BigInt(value).toString(2).length / 7));

  test('takes as few bytes as its bits need', () => {
    fc.assert(fc.property(varint, (value) => new ByteWriter().varint(value).finish().length === sizeOf(value)));
    expect(new ByteWriter().varint(0).finish()).toHaveLength(1);
    expect(new ByteWriter().varint(Number.MAX_SAFE_INTEGER).finish()).toHaveLength(8);
  });

  test('is canonical: bytes that read as a number are the bytes that number is written as', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 10 }), (input) => {
        const r = new ByteReader(input);
        let value: number;
        try {
          value = r.varint();
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(DecodeError);
          return;
        }
        expect(Number.isSafeInteger(value)).toBe(true);
        expect([...new ByteWriter().varint(value).finish()]).toEqual([...input.subarray(0, r.offset)]);
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([
    ['2^53', [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10]],
    ['2^56 - 1', [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]],
    ['nine bytes', [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]],
    ['a superfluous zero', [0x81, 0x00]],
    ['zero in two bytes', [0x80, 0x00]],
    ['no last byte', [0x80]],
  ])('%s is refused', (_, list) => {
    expect(() => new ByteReader(Uint8Array.from(list)).varint()).toThrow(DecodeError);
  });

  test.each([-1, 0.5, 2 ** 53, NaN, Infinity])('%s is not written', (value) => {
    expect(() => new ByteWriter().varint(value)).toThrow(AssertionError);
  });
});

describe('writer', () => {
  test('grows from nothing to megabytes and keeps what it holds', () => {
    const w = new ByteWriter(0);
    for (let i = 0; i < 50_000; i++) w.varint(i);
    w.raw(new Uint8Array(3_000_000).fill(7));
    const r = new ByteReader(w.finish());
    for (let i = 0; i < 50_000; i++) if (r.varint() !== i) throw new Error(`lost ${i}`);
    expect(r.rest().every((byte) => byte === 7)).toBe(true);
  });

  test('finish gives the memory away: later writes, finished or not, leave it alone', () => {
    fc.assert(
      fc.property(bytes, bytes, bytes, (first, second, third) => {
        const w = new ByteWriter(16);
        const a = w.raw(first).finish();
        expect(w.length).toBe(0);
        const b = w.raw(second).finish();
        w.raw(third);
        expect([...a]).toEqual([...first]);
        expect([...b]).toEqual([...second]);
      }),
    );
  });

  test('finishing twice gives nothing the second time, and the writer goes on', () => {
    const w = new ByteWriter();
    w.u8(1).finish();
    expect(w.finish()).toHaveLength(0);
    expect([...w.u32(5).finish()]).toEqual([5, 0, 0, 0]);
  });

  test('copyOut is a copy, and the writer starts again in its own memory', () => {
    const w = new ByteWriter(4);
    const a = w.u8(1).u8(2).copyOut();
    expect(w.length).toBe(0);
    const b = w.u8(3).copyOut();
    expect([...a]).toEqual([1, 2]);
    expect([...b]).toEqual([3]);
  });

  test('patchU32 overwrites four bytes inside what was written, and nothing else', () => {
    const w = new ByteWriter(0).u8(9).u32(0).u8(9);
    w.patchU32(1, 0x01020304);
    expect(() => w.patchU32(3, 0)).toThrow(AssertionError);
    expect([...w.finish()]).toEqual([9, 4, 3, 2, 1, 9]);
  });

  test.each(['abc', 'zz', '0g', '12 4'])('rawHex refuses %j, which is no hex string', (text) => {
    expect(() => new ByteWriter().rawHex(text)).toThrow(AssertionError);
  });
});
