import { ByteWriter, DecodeError, bytesEqual, hlcFromMs, seededRandom, toHex, type Hlc } from '@armature/kernel';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ActorId } from './actor.js';
import { ACTORS, operation, set } from './arbitrary.test-support.js';
import { decodeVersionSet, encodeVersionSet } from './codec.js';
import { mintActorId } from './actor.js';
import { SUPERSEDED_WINDOW, supersededOperations } from './superseded.js';
import { valueVersion, type VersionMeta } from './version.js';
import { emptyVersionSet, mint, versionSet, type VersionSet } from './version-set.js';
import { EMPTY_VECTOR, versionVector } from './version-vector.js';

const [a, b] = ACTORS as [ActorId, ActorId];

function decoded(bytes: Uint8Array): VersionSet {
  const result = decodeVersionSet(bytes);
  if (!result.ok) throw result.error;
  return result.value;
}

function refusal(bytes: Uint8Array): string {
  const result = decodeVersionSet(bytes);
  expect(result.ok).toBe(false);
  if (result.ok) return '';
  expect(result.error).toBeInstanceOf(DecodeError);
  return result.error.message;
}

describe('the codec of version sets', () => {
  it('round trip: decode(encode(set)) is the set', () => {
    fc.assert(
      fc.property(set, (any) => {
        const bytes = encodeVersionSet(any);
        expect(plain(decoded(bytes))).toEqual(plain(any));
      }),
    );
  });

  it('round trip at the limits: greatest counter and timestamp, a 1 MB value, 64 metadata entries', () => {
    const meta: VersionMeta = Array.from({ length: 64 }, (_, i) => [`name ${i}`, i % 2 === 0 ? '' : '😀']);
    const version = valueVersion({
      value: new Uint8Array(1_000_000).fill(9),
      at: Number.MAX_SAFE_INTEGER as Hlc,
      operation: operation(1),
      meta,
    });
    const clock = versionVector([{ actor: a, counter: Number.MAX_SAFE_INTEGER }]);
    const large = versionSet(clock, [{ dot: { actor: a, counter: Number.MAX_SAFE_INTEGER }, version }]);
    expect(plain(decoded(encodeVersionSet(large)))).toEqual(plain(large));
  });

  it('many actors, more than the table of known ones has slots: none is mistaken for another', () => {
    const random = seededRandom('slots');
    const clock = versionVector(Array.from({ length: 3000 }, (_, i) => ({ actor: mintActorId(random), counter: i + 1 })));
    for (let again = 0; again < 2; again++) expect(decoded(encodeVersionSet(versionSet(clock, []))).clock).toEqual(clock);
  });

  it('the layout is fixed: stored data depends on it', () => {
    const version = valueVersion({
      value: Uint8Array.of(0xaa, 0xbb),
      at: hlcFromMs(1_700_000_000_000),
      operation: operation(0x0102),
      meta: [['n', 'v']],
    });
    const bytes = encodeVersionSet(mint(emptyVersionSet, b, versionVector([{ actor: a, counter: 300 }]), version).set);
    expect(toHex(bytes)).toBe(
      [
        '01',
        '02',
        '00ff00ff00ff00ff',
        'ac02',
        '10000000deadbeef',
        '01',
        '01',
        '01',
        '01',
        '02',
        '0000a0953f2f0600',
        '0000000000000102',
        '02aabb',
        '01016e0176',
      ].join(''),
    );
    expect(toHex(encodeVersionSet(emptyVersionSet))).toBe('010000');
    const at = (ms: number): Hlc => hlcFromMs(1_700_000_000_000 + ms);
    const ended = [
      { operation: operation(1), at: at(0) },
      { operation: operation(2), at: at(1) },
    ];
    expect(toHex(encodeVersionSet(versionSet(EMPTY_VECTOR, [], supersededOperations(ended))))).toBe(
      ['02', '00', '00', '02', '0004a0953f2f0600', '00', '0000000000000002', '8008', '0000000000000001'].join(''),
    );
  });

  it('the layout is fixed where repetitions have ended', () => {
    const at = hlcFromMs(1_700_000_000_000);
    const ended = supersededOperations([{ operation: operation(1), at, repeated: true }]);
    const list = ['01', '0000a0953f2f0600', '00', '0000000000000001'];
    expect(toHex(encodeVersionSet(versionSet(EMPTY_VECTOR, [], ended)))).toBe(['03', '00', '00', ...list, ...list].join(''));
    const only = { ...ended, lately: [] };
    const bytes = encodeVersionSet(versionSet(EMPTY_VECTOR, [], only));
    expect(toHex(bytes)).toBe(['03', '00', '00', '00', ...list].join(''));
    expect(decoded(bytes).superseded).toEqual(only);
  });

  it('values are views into the input', () => {
    const bytes = encodeVersionSet(
      mint(
        emptyVersionSet,
        a,
        EMPTY_VECTOR,
        valueVersion({ value: Uint8Array.of(1, 2, 3), at: hlcFromMs(1), operation: operation(1) }),
      ).set,
    );
    const value = decoded(bytes).siblings[0]?.version.value as Uint8Array;
    bytes[bytes.length - 1] = 99;
    expect([...value]).toEqual([1, 2, 99]);
  });
});

describe('decoding is total and canonical', () => {
  /** What decodes is exactly what encoding it gives; anything else is a typed error; nothing else is thrown. */
  function totalAndCanonical(bytes: Uint8Array): boolean {
    const result = decodeVersionSet(bytes);
    if (!result.ok) return result.error instanceof DecodeError;
    return bytesEqual(encodeVersionSet(result.value), bytes);
  }

  it('random bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), totalAndCanonical), { numRuns: 2000 });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (tail) => totalAndCanonical(Uint8Array.of(1 + (tail.length % 3), ...tail))),
      { numRuns: 2000 },
    );
  });

  it('valid bytes with every byte changed, every prefix, and bytes appended', () => {
    const random = seededRandom('codec');
    for (const bytes of fc.sample(set, { numRuns: 150, seed: 1 }).map(encodeVersionSet)) {
      for (let i = 0; i < bytes.length; i++) {
        for (const changed of [0, 1, 0x7f, 0x80, 0xff, random.int(256)])
          expect(totalAndCanonical(bytes.with(i, changed))).toBe(true);
        expect(refusal(bytes.subarray(0, i))).not.toBe('');
      }
      expect(refusal(Buffer.concat([bytes, Uint8Array.of(0)]))).toContain('after the end');
    }
  });

  it('pieces of valid encodings spliced at random', () => {
    const random = seededRandom('splice');
    const pool = fc.sample(set, { numRuns: 100, seed: 2 }).map(encodeVersionSet);
    for (let i = 0; i < 20_000; i++) {
      const x = pool[random.int(pool.length)] as Uint8Array;
      const y = pool[random.int(pool.length)] as Uint8Array;
      expect(
        totalAndCanonical(Buffer.concat([x.subarray(0, random.int(x.length + 1)), y.subarray(random.int(y.length + 1))])),
      ).toBe(true);
    }
  });

  /** A set of one actor with counter 3, no siblings, then whatever the test adds. */
  const head = (): ByteWriter => new ByteWriter().u8(1).varint(1).rawHex(a).varint(3);
  const value = (writer: ByteWriter): ByteWriter => writer.u8(0).u32(1).u32(0).rawHex(operation(1)).varint(0);
  /** No siblings, and operations that were superseded at 2^32 ms/1024 less what each adds. */
  const remembering = (...entries: (readonly [less: number, n: number])[]): Uint8Array => {
    const writer = new ByteWriter().u8(2).varint(1).rawHex(a).varint(3).varint(0).varint(entries.length).u32(0).u32(1);
    for (const [less, n] of entries) writer.varint(less).rawHex(operation(n));
    return writer.finish();
  };

  it.each<[string, Uint8Array, string]>([
    ['no bytes', new Uint8Array(0), 'truncated'],
    ['another format', Uint8Array.of(4, 0, 0), 'format 4'],
    ['format 3 without repetitions', Uint8Array.of(3, 0, 0, 0, 0), '0 superseded'],
    [
      'clock entries out of order',
      new ByteWriter().u8(1).varint(2).rawHex(b).varint(1).rawHex(a).varint(1).varint(0).finish(),
      'out of order',
    ],
    [
      'one actor twice',
      new ByteWriter().u8(1).varint(2).rawHex(a).varint(1).rawHex(a).varint(2).varint(0).finish(),
      'out of order',
    ],
    ['a counter of zero', new ByteWriter().u8(1).varint(1).rawHex(a).varint(0).varint(0).finish(), 'zero'],
    ['a dot of counter zero', value(head().varint(1).varint(0).varint(0)).finish(), 'zero'],
    ['a dot above the clock', value(head().varint(1).varint(0).varint(4)).finish(), 'does not cover'],
    ['a dot of an actor outside the clock', value(head().varint(1).varint(1).varint(1)).finish(), 'does not cover'],
    ['dots out of order', value(value(head().varint(2).varint(0).varint(2).varint(0).varint(1))).finish(), 'out of order'],
    ['one dot twice', value(value(head().varint(2).varint(0).varint(2).varint(0).varint(2))).finish(), 'out of order'],
    [
      'a clock count far beyond the input',
      new ByteWriter()
        .u8(1)
        .varint(2 ** 40)
        .finish(),
      'exceeds',
    ],
    [
      'a sibling count far beyond the input',
      head()
        .varint(2 ** 40)
        .finish(),
      'exceeds',
    ],
    [
      'a value longer than the input',
      head()
        .varint(1)
        .varint(0)
        .varint(1)
        .u8(0)
        .u32(1)
        .u32(0)
        .rawHex(operation(1))
        .varint(2 ** 40)
        .finish(),
      'truncated',
    ],
    ['a format that has superseded operations, without any', remembering(), '0 superseded'],
    ['too many superseded operations', remembering(...Array.from({ length: 17 }, (_, i) => [i, i] as const)), '17 superseded'],
    ['superseded operations of one time out of order', remembering([0, 1], [0, 2]), 'out of order'],
    ['a superseded operation twice', remembering([0, 1], [1, 1]), 'out of order'],
    ['a first superseded operation that is less than the greatest', remembering([1, 1]), 'out of order'],
    [
      'a superseded operation outside the window',
      remembering([0, 1], [1, 2], [1, 3], [1, 4], [SUPERSEDED_WINDOW, 5], [1, 6]),
      'window',
    ],
    ['unknown flags', head().varint(1).varint(0).varint(1).u8(8).finish(), 'flags'],
    [
      'a timestamp beyond 2^53',
      head()
        .varint(1)
        .varint(0)
        .varint(1)
        .u8(1)
        .u32(0)
        .u32(2 ** 21)
        .rawHex(operation(1))
        .finish(),
      '2^53',
    ],
    [
      'flagged metadata without entries',
      head().varint(1).varint(0).varint(1).u8(3).u32(0).u32(0).rawHex(operation(1)).varint(0).finish(),
      '0 metadata',
    ],
    [
      'metadata that is not UTF-8',
      head()
        .varint(1)
        .varint(0)
        .varint(1)
        .u8(3)
        .u32(0)
        .u32(0)
        .rawHex(operation(1))
        .varint(1)
        .varint(3)
        .raw(Uint8Array.of(0xf0, 0x9f, 0x98))
        .text('')
        .finish(),
      'UTF-8',
    ],
    [
      'metadata above its bound',
      head()
        .varint(1)
        .varint(0)
        .varint(1)
        .u8(3)
        .u32(0)
        .u32(0)
        .rawHex(operation(1))
        .varint(1)
        .text('n')
        .text('x'.repeat(8192))
        .finish(),
      'too large',
    ],
  ])('%s: refused', (_what, bytes, message) => {
    expect(refusal(bytes)).toContain(message);
  });
});

/** Values as plain arrays, since a view and an array of the same bytes are equal to us. */
function plain(set: VersionSet): unknown {
  return {
    clock: set.clock,
    superseded: set.superseded,
    siblings: set.siblings.map(({ dot, version }) => ({ dot, version: { ...version, value: toHex(version.value) } })),
  };
}
