import { type BinaryString, type BucketName, type PartitionId, type ZoneName } from '@armature/kernel';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  anySettings,
  applyChange,
  fold,
  histories,
  member,
  nodeId,
  partitions,
  settings,
  zoneName,
} from './histories.test-support.js';
import { emptyRing, formRing, ringJoin, ringLeave, ringReplace, ringReweigh, ringRezone } from './change.js';
import { partitionRange } from './equal-partitions.js';
import { addressOf, rangeContains, RING_START } from './position.js';
import { checkRingSettings, type RingSettings } from './ring.js';

describe('the ring is a function of its history', () => {
  test('equal histories give equal rings: fingerprint, members, every preference list', () => {
    fc.assert(
      fc.property(anySettings, histories({ replaces: true }), (start, history) => {
        const [a, b] = [fold(start, history), fold(start, structuredClone(history))];
        expect(a.fingerprint).toBe(b.fingerprint);
        expect(a.members).toEqual(b.members);
        for (const partition of partitions(a)) expect(a.preferenceList(partition, 3)).toEqual(b.preferenceList(partition, 3));
      }),
    );
  });

  test('a change does not alter the ring it starts from', () => {
    fc.assert(
      fc.property(anySettings, histories({ replaces: true }), (start, history) => {
        const ring = fold(start, history.slice(0, -1));
        const before = {
          fingerprint: ring.fingerprint,
          lists: partitions(ring).map((partition) => ring.primariesOf(partition, 3)),
        };
        applyChange(ring, history[history.length - 1]!);
        expect({
          fingerprint: ring.fingerprint,
          lists: partitions(ring).map((partition) => ring.primariesOf(partition, 3)),
        }).toEqual(before);
      }),
    );
  });

  test('members stand in the order of their names, each once, as last described', () => {
    fc.assert(
      fc.property(anySettings, histories({ replaces: true }), (start, history) => {
        const expected = new Map<string, unknown>();
        for (const change of history) {
          const node = change.kind === 'join' ? change.member.node : change.node;
          const present = expected.get(node) as object | undefined;
          if (change.kind === 'join') expected.set(node, change.member);
          else if (change.kind === 'leave') expected.delete(node);
          else if (present !== undefined && change.kind === 'reweigh') expected.set(node, { ...present, weight: change.weight });
          else if (present !== undefined && change.kind === 'rezone') expected.set(node, { ...present, zone: change.zone });
          else if (present !== undefined && change.kind === 'replace' && !expected.has(change.by.node)) {
            expected.delete(node);
            expected.set(change.by.node, change.by);
          }
        }
        const names = [...expected.keys()].sort();
        expect(fold(start, history).members).toEqual(names.map((name) => expected.get(name)));
      }),
    );
  });

  test('strategies 1 and 2 forget the order of changes', () => {
    fc.assert(
      fc.property(fc.constantFrom(1 as const, 2 as const), histories({ replaces: true }), (strategy, history) => {
        const ring = fold(settings({ strategy }), history);
        expect(ring.fingerprint).toBe(formRing(settings({ strategy }), [...ring.members].reverse()).fingerprint);
      }),
    );
  });

  test('changes without an object return the very same ring', () => {
    const ring = formRing(settings(), [member(1), member(2, { weight: 2, zone: 1 })]);
    expect(ringLeave(ring, nodeId(9))).toBe(ring);
    expect(ringReweigh(ring, nodeId(9), 2)).toBe(ring);
    expect(ringRezone(ring, nodeId(9), zoneName(1))).toBe(ring);
    expect(ringJoin(ring, member(2, { weight: 2, zone: 1 }))).toBe(ring);
    expect(ringReweigh(ring, nodeId(2), 2)).toBe(ring);
    expect(ringRezone(ring, nodeId(2), zoneName(1))).toBe(ring);
  });

  test('a join of a present member gives it the new weight and zone', () => {
    const ring = ringJoin(formRing(settings(), [member(1), member(2)]), member(2, { weight: 3, zone: 4 }));
    expect(ring.members).toEqual([member(1), member(2, { weight: 3, zone: 4 })]);
  });

  test('the last member may leave, and another come', () => {
    const ring = ringLeave(formRing(settings(), [member(1)]), nodeId(1));
    expect(ring.fingerprint).toBe(emptyRing(settings()).fingerprint);
    expect(ringJoin(ring, member(2)).ownerOf(0 as PartitionId)).toBe(nodeId(2));
  });

  test('fingerprints tell rings apart by member, weight, zone, seed and assignment', () => {
    const members = [1, 2, 3, 4].map((i) => member(i));
    const rings = [
      formRing(settings(), members),
      formRing(settings(), members.slice(1)),
      formRing(settings({ seed: 'other' }), members),
      ringReweigh(formRing(settings(), members), nodeId(1), 1.0001),
      ringRezone(formRing(settings(), members), nodeId(1), zoneName(1)),
      members.reduce(ringJoin, emptyRing(settings())),
    ];
    expect(new Set(rings.map(({ fingerprint }) => fingerprint)).size).toBe(rings.length);
    for (const { fingerprint } of rings) expect(fingerprint).toMatch(/^[0-9a-f]{32}$/);
  });

  test('a weight out of bounds is a programmer error', () => {
    const ring = emptyRing(settings());
    for (const weight of [0, -1, Number.NaN, Infinity, 1e6])
      expect(() => ringJoin(ring, member(1, { weight }))).toThrow('weights are checked');
  });
});

describe('partitions', () => {
  test('tile the circle: each begins where the one before ends, from position 0 to the end', () => {
    fc.assert(
      fc.property(anySettings, histories({ replaces: true }), (start, history) => {
        const ring = fold(start, history);
        let expected: BinaryString | undefined = RING_START;
        for (const partition of partitions(ring)) {
          const range = ring.rangeOf(partition);
          expect(range.start).toBe(expected);
          if (range.end !== undefined) expect(range.start < range.end).toBe(true);
          expected = range.end;
        }
        expect(expected).toBeUndefined();
      }),
    );
  });

  test('an address lies in the range of its partition', () => {
    fc.assert(
      fc.property(
        anySettings,
        histories({ replaces: true }),
        fc.array(fc.uint8Array({ maxLength: 20 }), { minLength: 1, maxLength: 50 }),
        (start, history, keys) => {
          const ring = fold(start, history);
          for (const key of keys) {
            const address = addressOf('b' as BucketName, key);
            expect(rangeContains(ring.rangeOf(ring.partitionOf(address)), address)).toBe(true);
          }
        },
      ),
    );
  });

  test('strategies 2 and 3: Q equal arcs', () => {
    for (const partitionCount of [1, 2, 256, 65_536]) {
      const last = partitionRange(partitionCount - 1, partitionCount);
      expect(last.end).toBeUndefined();
      const width = 65_536 / partitionCount;
      expect(last.start.charCodeAt(0) * 256 + last.start.charCodeAt(1)).toBe(65_536 - width);
    }
    expect(partitionRange(1, 4)).toEqual({ start: `\x40${'\0'.repeat(15)}`, end: `\x80${'\0'.repeat(15)}` });
  });

  test('strategy 1: a partition is an arc between tokens, as many as tokens and one for the seam', () => {
    const ring = formRing(settings({ strategy: 1, tokensPerNode: 8 }), [member(1), member(2, { weight: 2 })]);
    expect(ring.tokenCount).toBe(24);
    expect(ring.partitionCount).toBe(25);
    expect(ring.preferenceList(0 as PartitionId, 2)).toEqual(ring.preferenceList(24 as PartitionId, 2));
  });
});

describe('settings', () => {
  test('what no ring can be made of is refused, naming the field', () => {
    const wrong: [keyof RingSettings, Partial<Record<keyof RingSettings, unknown>>][] = [
      ['strategy', { strategy: 4 }],
      ['partitionCount', { partitionCount: 100 }],
      ['partitionCount', { partitionCount: 131_072 }],
      ['partitionCount', { partitionCount: 0 }],
      ['tokensPerNode', { tokensPerNode: 0 }],
      ['targetN', { targetN: 2.5 }],
      ['targetN', { targetN: 0 }],
      ['seed', { seed: '' }],
    ];
    for (const [field, change] of wrong) {
      const checked = checkRingSettings({ ...settings(), ...change } as RingSettings);
      expect(checked).toMatchObject({ ok: false, error: { code: 'invalid-config', details: { field } } });
      expect(() => emptyRing({ ...settings(), ...change } as RingSettings)).toThrow(field);
    }
    expect(checkRingSettings(settings()).ok).toBe(true);
  });
});

describe('a replacement', () => {
  const anybody = fc.tuple(fc.nat(), fc.constantFrom(0.5, 1, 4), fc.nat(3).map(zoneName));
  const successor = (weight: number, zone: ZoneName) => ({ node: nodeId(99), weight, zone });

  test('strategy 3: the successor has exactly the partitions of the old one, and no other partition changes its owner', () => {
    fc.assert(
      fc.property(histories({ replaces: true }), anybody, (history, [which, weight, zone]) => {
        const ring = fold(settings(), history);
        if (ring.members.length === 0) return;
        const old = ring.members[which % ring.members.length]!.node;
        const after = ringReplace(ring, old, successor(weight, zone));
        for (const partition of partitions(ring)) {
          const before = ring.ownerOf(partition);
          expect(after.ownerOf(partition)).toBe(before === old ? nodeId(99) : before);
        }
        expect(after.members.map(({ node }) => node)).toEqual(
          [...ring.members.map(({ node }) => node).filter((node) => node !== old), nodeId(99)].sort(),
        );
      }),
    );
  });

  test('strategy 3, in the same zone: every replica but those of the old one stays where it is', () => {
    fc.assert(
      fc.property(histories({ replaces: true }), anybody, (history, [which, weight]) => {
        const ring = fold(settings(), history);
        if (ring.members.length === 0) return;
        const { node: old, zone } = ring.members[which % ring.members.length]!;
        const after = ringReplace(ring, old, successor(weight, zone));
        for (const partition of partitions(ring)) {
          const renamed = ring.primariesOf(partition, 3).map((node) => (node === old ? nodeId(99) : node));
          expect([...after.primariesOf(partition, 3)].sort()).toEqual(renamed.sort());
        }
      }),
    );
  });

  test('of nobody, or by somebody who is there already: nothing', () => {
    fc.assert(
      fc.property(anySettings, histories({ replaces: true }), (start, history) => {
        const ring = fold(start, history);
        expect(ringReplace(ring, nodeId(98), successor(1, zoneName(0)))).toBe(ring);
        for (const there of ring.members) expect(ringReplace(ring, ring.members[0]!.node, there)).toBe(ring);
      }),
    );
  });
});
