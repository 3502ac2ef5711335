/**
 * How inputs are made: valid ones, changed where it hurts. Bits flipped, bytes set to values at the edge of their type, lengths
 * and counts replaced by extreme ones, parts cut out, repeated, swapped, or taken from another input, words of the format put in.
 * Several changes at once, now and then nothing but noise.
 */
import { utf8Encode, type Random } from '@armature/kernel';

/** Above this, inputs cost more time than they find. What is large is tried by itself (`Target.dense`). */
export const MAX_INPUT_BYTES = 4_096;

/** 0, 1, the edges of signed and unsigned bytes, and the continuation marks of varints and of UTF-8. */
const EDGE_BYTES = [0, 1, 2, 3, 0x10, 0x20, 0x7f, 0x80, 0xbf, 0xc0, 0xfe, 0xff];
/**
 * As varints: the edges at which an encoding grows by a byte, those of 32 bits and of exact integers; and one that is too long.
 */
const EDGE_VARINTS = [
  ...[0, 1, 63, 64, 65, 127, 128, 255, 1_023, 1_024, 1_025, 16_383, 16_384, 65_535, 65_536, 65_537, 2 ** 21, 2 ** 28],
  ...[2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 48, 2 ** 53 - 1],
]
  .map(varint)
  .concat([Uint8Array.of(0x80, 0x00), new Uint8Array(10).fill(0xff)]);
const EDGE_WORDS = [0, 1, 0x7f, 0xff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];
/** Numbers, texts and beginnings of texts that parsers of text stumble over. */
const EDGE_TEXTS = [
  ...[
    '0',
    '-0',
    '-1',
    '1e309',
    '1e-309',
    '9007199254740993',
    '4294967296',
    '0x10',
    '00',
    '.5',
    'NaN',
    'null',
    'true',
    '[]',
    '{}',
    '""',
  ],
  ...[
    '__proto__',
    'constructor',
    'toString',
    '\u0000',
    '\ufffd',
    '\ufeff',
    '\u202e',
    '\u2028',
    '\ud800',
    'é',
    '😀',
    '%',
    '%00',
    '%ff',
    '%%',
  ],
  ...[
    '.',
    '..',
    '>',
    '*',
    ' ',
    '\t',
    '\r\n',
    '\n',
    ',',
    ':',
    '=',
    '/',
    '\\',
    '@',
    '?',
    '#',
    '"',
    "'",
    '-',
    '_',
    '$',
    '{"":',
    '[',
    '[[[[[[[[',
  ],
].map((text) => Buffer.from(text, 'utf8'));

/** A new input, made of one or two of the pool. */
export function mutated(random: Random, pool: readonly Uint8Array[], words: readonly Uint8Array[]): Uint8Array {
  const base = pool[random.int(pool.length)];
  if (base === undefined || random.int(64) === 0) return random.bytes(random.int(64));
  let input: Uint8Array = base;
  for (let changes = 1 + random.int(random.int(4) + 1); changes > 0; changes--) input = changedOnce(random, input, pool, words);
  return input.length > MAX_INPUT_BYTES ? input.subarray(0, MAX_INPUT_BYTES) : input;
}

/** The words of a target as bytes. */
export function wordBytes(words: readonly string[]): readonly Uint8Array[] {
  return words.map(utf8Encode);
}

function changedOnce(random: Random, input: Uint8Array, pool: readonly Uint8Array[], words: readonly Uint8Array[]): Uint8Array {
  const at = random.int(input.length + 1);
  const length = Math.min(input.length - at, spanOf(random));
  switch (random.int(14)) {
    case 0:
      return withByte(input, at, (byte) => byte ^ (1 << random.int(8)));
    case 1:
      return withByte(input, at, () => EDGE_BYTES[random.int(EDGE_BYTES.length)] as number);
    case 2:
      return withByte(input, at, (byte) => byte + random.int(9) - 4);
    case 3: // a length or a count, as a varint
      return spliced(input, at, varintLength(input, at), oneOf(random, EDGE_VARINTS));
    case 4: {
      const word = new Uint8Array(4);
      new DataView(word.buffer).setUint32(0, oneOf(random, EDGE_WORDS), random.int(2) === 0);
      return spliced(input, at, random.int(2) * 4, word);
    }
    case 5:
      return spliced(input, at, length, NOTHING); // cut out
    case 6:
      return input.subarray(0, at); // truncated
    case 7: // repeated, a few times or many
      return spliced(input, at, 0, repeated(input.subarray(at, at + length), random.int(4) === 0 ? 1 + random.int(200) : 1));
    case 8:
      return spliced(input, at, 0, random.bytes(random.int(8)));
    case 9: {
      // a part of another input
      const other = oneOf(random, pool);
      const from = random.int(other.length + 1);
      return spliced(input, at, random.int(2) * length, other.subarray(from, from + spanOf(random)));
    }
    case 10: {
      // the beginning of this one, the end of another
      const other = oneOf(random, pool);
      return spliced(input, at, input.length, other.subarray(random.int(other.length + 1)));
    }
    case 11: {
      // two neighbours change places
      const second = input.subarray(at + length, at + length + spanOf(random));
      return spliced(input, at, length + second.length, Buffer.concat([second, input.subarray(at, at + length)]));
    }
    case 12:
      return spliced(input, at, random.int(2) * length, oneOf(random, EDGE_TEXTS));
    default:
      return spliced(input, at, random.int(2) * length, words.length === 0 ? random.bytes(1) : oneOf(random, words));
  }
}

const NOTHING = new Uint8Array(0);

/** Mostly as long as a field, sometimes as a record. */
function spanOf(random: Random): number {
  return 1 + random.int(random.int(4) === 0 ? 256 : 8);
}

function withByte(input: Uint8Array, at: number, change: (byte: number) => number): Uint8Array {
  const out = Uint8Array.from(input);
  const byte = out[at];
  if (byte !== undefined) out[at] = change(byte);
  return out;
}

/** `input` with other bytes in the place of `length` of its own. */
function spliced(input: Uint8Array, at: number, length: number, inserted: Uint8Array): Uint8Array {
  const rest = input.subarray(Math.min(input.length, at + length));
  const out = new Uint8Array(at + inserted.length + rest.length);
  out.set(input.subarray(0, at));
  out.set(inserted, at);
  out.set(rest, at + inserted.length);
  return out;
}

function repeated(part: Uint8Array, times: number): Uint8Array {
  const fitting = Math.max(1, Math.min(times, Math.floor(MAX_INPUT_BYTES / Math.max(1, part.length))));
  return Buffer.concat(Array.from({ length: fitting }, () => part));
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest % 128) | 0x80);
    rest = Math.floor(rest / 128);
  }
  return Uint8Array.from([...bytes, rest]);
}

/** How many bytes a varint takes up that begins here. */
function varintLength(input: Uint8Array, at: number): number {
  let length = 1;
  while (length < 8 && (input[at + length - 1] ?? 0) >= 0x80) length++;
  return length;
}

function oneOf<T>(random: Random, items: readonly T[]): T {
  return items[random.int(items.length)] as T;
}
