import { bytesEqual, hlcFromMs } from '@armature/kernel';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ActorId } from './actor.js';
import { ACTORS, operation, set } from './arbitrary.test-support.js';
import { encodeVersionSet } from './codec.js';
import { joinEncoded, type JoinedBytes } from './join-encoded.js';
import { RESOLVERS, resolve } from './resolvers.js';
import { valueVersion } from './version.js';
import { emptyVersionSet, isAmnesiac, join, mint, versionSet, type VersionSet } from './version-set.js';
import { EMPTY_VECTOR, versionVector } from './version-vector.js';

const [a, b] = ACTORS as [ActorId, ActorId];

function joined(...args: Parameters<typeof joinEncoded>): JoinedBytes {
  const result = joinEncoded(...args);
  if (!result.ok) throw result.error.error;
  return result.value;
}

const put = (set: VersionSet, actor: ActorId, n: number): VersionSet =>
  mint(set, actor, set.clock, valueVersion({ value: Uint8Array.of(n), at: hlcFromMs(n), operation: operation(n) })).set;

describe('joining bytes', () => {
  it.each(RESOLVERS)('%s: the same as decode, join, resolve, encode, for all well-formed inputs', (resolver) => {
    fc.assert(
      fc.property(set, set, (local, incoming) => {
        const localBytes = encodeVersionSet(local);
        const { bytes, changed } = joined(localBytes, encodeVersionSet(incoming), resolver);
        expect(bytesEqual(bytes, encodeVersionSet(resolve(resolver, join(local, incoming))))).toBe(true);
        expect(changed).toBe(!bytesEqual(bytes, localBytes));
      }),
      { numRuns: 3000 },
    );
  });

  it.each(RESOLVERS)('%s: nothing stored: the incoming set, resolved', (resolver) => {
    fc.assert(
      fc.property(set, (incoming) => {
        const { bytes, changed } = joined(undefined, encodeVersionSet(incoming), resolver);
        expect(bytesEqual(bytes, encodeVersionSet(resolve(resolver, incoming)))).toBe(true);
        expect(changed).toBe(incoming.clock.length > 0);
      }),
    );
  });

  const older = put(emptyVersionSet, a, 1);
  const newer = put(older, b, 2);

  it('a newer set arrives: its bytes are taken as they are', () => {
    const incoming = encodeVersionSet(newer);
    expect(joined(encodeVersionSet(older), incoming)).toMatchObject({ changed: true });
    expect(joined(encodeVersionSet(older), incoming).bytes).toBe(incoming);
  });

  it('an older or equal set arrives: the stored bytes stay, nothing to write', () => {
    const local = encodeVersionSet(newer);
    for (const arriving of [older, newer, emptyVersionSet]) {
      const { bytes, changed } = joined(local, encodeVersionSet(arriving));
      expect(bytes).toBe(local);
      expect(changed).toBe(false);
    }
  });

  it('a dominating clock with a sibling that was superseded here: the sibling goes, so dominance alone is not enough', () => {
    const clock = versionVector([{ actor: a, counter: 1 }]);
    const ended = versionSet(clock, []); // has seen (a, 1) and its end
    const ahead = join(older, put(emptyVersionSet, b, 3)); // claims to have seen more, and still holds (a, 1)
    const { bytes } = joined(encodeVersionSet(ended), encodeVersionSet(ahead));
    expect(bytesEqual(bytes, encodeVersionSet(join(ended, ahead)))).toBe(true);
    expect(join(ended, ahead).siblings).toHaveLength(1);
  });

  it('the answer carries what a replica checks before it writes: the incoming set and the stored clock', () => {
    const { incoming, local } = joined(encodeVersionSet(older), encodeVersionSet(newer));
    expect([incoming.clock, local.clock]).toEqual([newer.clock, older.clock]);
    expect(isAmnesiac(local, b, incoming.clock)).toBe(true);
    expect(joined(undefined, encodeVersionSet(newer)).local.clock).toBe(EMPTY_VECTOR);
  });

  it('malformed bytes: the error says which side, and incoming ones are checked to their end even where a shortcut would do', () => {
    const good = encodeVersionSet(newer);
    const cut = good.subarray(0, good.length - 1);
    expect(joinEncoded(encodeVersionSet(older), cut)).toMatchObject({ ok: false, error: { side: 'incoming' } });
    expect(joinEncoded(undefined, cut)).toMatchObject({ ok: false, error: { side: 'incoming' } });
    expect(joinEncoded(cut.subarray(0, 5), good)).toMatchObject({ ok: false, error: { side: 'local' } });
    expect(joinEncoded(cut, encodeVersionSet(put(older, a, 4)))).toMatchObject({ ok: false, error: { side: 'local' } });
  });
});
