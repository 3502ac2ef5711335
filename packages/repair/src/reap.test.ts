import {
  ArmatureError,
  toBinaryString,
  unwrap,
  utf8Encode,
  type BinaryString,
  type NodeId,
  type PartitionId,
} from '@armature/kernel';
import type { View } from '@armature/membership';
import { entryDigest } from '@armature/merkle';
import { DEFAULT_BUCKET, nothingHeldBack, type ClearingCount, type RingVersion } from '@armature/protocol';
import { addressOf, type Address } from '@armature/ring';
import { ManualClock } from '@armature/runtime';
import {
  decodeVersionSet,
  encodeVersionSet,
  EMPTY_VECTOR,
  mergeVersionVectors,
  versionSet,
  versionVector,
  withDot,
  type ActorId,
  type OperationId,
} from '@armature/versioning';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Clearing, type ClearingEnv } from './clearing.js';
import { Quarantine } from './quarantine.js';
import { Reaper, type AskedRequest } from './reap.js';
import { node, viewOf } from './view.test-support.js';

const NAMES = ['n1', 'n2', 'n3', 'n4'];
const VIEW = viewOf(NAMES);
const RING = VIEW.ringVersion;

/** A key of partition 0, and what is held of it in a state of that number. */
const KEYS = Array.from({ length: 400 }, (_, i) => addressOf(DEFAULT_BUCKET, utf8Encode(`key ${i}`))).filter(
  (address) => VIEW.placement(address, 3).partition === 0,
);
const [KEY, OTHER] = KEYS as [Address, Address];
const OWNERS = VIEW.placement(KEY, 3).owners;
const [FIRST] = OWNERS as [NodeId];
const STRANGER = NAMES.map(node).find((one) => !OWNERS.includes(one))!;

function setOf(counter: number, tombstone = true): Uint8Array {
  const dot = { actor: '00000000000000aa' as ActorId, counter };
  const version = {
    value: new Uint8Array(tombstone ? 0 : 1),
    tombstone,
    at: 1 as never,
    operation: '0'.repeat(16) as OperationId,
    repeated: false,
    meta: [],
  };
  return encodeVersionSet(versionSet(withDot(EMPTY_VECTOR, dot), [{ dot, version }]));
}
/** A value whose clock names actors that have no version left. */
function longClock(): Uint8Array {
  const dead = Array.from({ length: 20 }, (_, i) => ({ actor: (i + 1).toString(16).padStart(16, '0') as ActorId, counter: 1 }));
  const { clock, siblings } = unwrap(decodeVersionSet(setOf(2, false)));
  return encodeVersionSet(versionSet(mergeVersionVectors(clock, versionVector(dead)), siblings));
}
const entry = (address: Address, set: Uint8Array): { address: Address; digest: BinaryString } => ({
  address,
  digest: entryDigest(address, set),
});

describe('the quarantine', () => {
  const bytesOf = (entries: number): number => entries * (250 + KEYS[0]!.length) + 20;
  const digest = (state: number): BinaryString => toBinaryString(new Uint8Array(16).fill(state));

  test('what is due was cleared so long before, in the same state and under the same ring, and was nothing else in between', () => {
    const step = fc.record({
      kind: fc.constantFrom('clear', 'clear', 'clear', 'note', 'prune', 'forget'),
      key: fc.nat(2),
      state: fc.constantFrom(0, 0, 0, 1),
      ring: fc.constantFrom(1, 1, 1, 2),
      waitMs: fc.nat(8),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const quarantine = new Quarantine({ quarantineMs: 10, sizeBytes: bytesOf(2) });
        const since = new Map<number, { state: number; ring: number; sinceMs: number }>();
        let nowMs = 0;
        for (const { kind, key, state, ring, waitMs } of steps) {
          nowMs += waitMs;
          const one = { address: KEYS[key]!, digest: digest(state) };
          const known = since.get(key);
          if (kind === 'forget') {
            quarantine.forget('0/3', one.address);
            since.delete(key);
          } else if (kind === 'prune') {
            quarantine.prune('0/3', nowMs + 1);
            since.clear();
          } else if (kind === 'note') {
            quarantine.note('0/3', [one], nowMs);
            if (known !== undefined && known.state !== state) since.delete(key);
          } else {
            const { due, waiting, full } = quarantine.judge('0/3', ring as RingVersion, [one], nowMs);
            const isSame = known?.state === state && known.ring === ring;
            expect(due.length).toBe(isSame && nowMs - known.sinceMs >= 10 ? 1 : 0);
            expect(due.length + waiting + full).toBe(1);
            if (!isSame && full === 0) since.set(key, { state, ring, sinceMs: nowMs });
          }
          expect(quarantine.size).toBe(since.size);
          expect(quarantine.size).toBeLessThanOrEqual(2);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('what is not seen in a whole pass is forgotten, and so are shares that are others', () => {
    const quarantine = new Quarantine({ quarantineMs: 10, sizeBytes: bytesOf(10) });
    const [one, two] = KEYS.slice(0, 2).map((address) => ({ address, digest: digest(1) }));
    quarantine.judge('0/3', RING, [one!, two!], 0);
    quarantine.judge('1/3', RING, [one!], 0);
    quarantine.note('0/3', [one!], 5);
    quarantine.prune('0/3', 5);
    expect(quarantine.size).toBe(2);
    quarantine.keepOnly((share) => share === '1/3');
    expect(quarantine.size).toBe(1);
  });
});

describe('a member', () => {
  const dropped: Address[] = [];
  const one: ClearingCount = { tenure: 'a', count: 1 };
  const counts: ClearingEnv['counts'] = { mayCount: true, count: async () => one, note: async () => undefined };
  const pruned: Address[] = [];
  const member = (name: NodeId, held: ReadonlyMap<Address, Uint8Array | 'damaged'>, more: Partial<ClearingEnv> = {}): Clearing =>
    new Clearing({
      ...{ node: name, view: () => VIEW, isInHand: () => false, steadyForMs: () => 1_000, settleMs: 1_000, sync: async () => {} },
      counts,
      hinted: async () => new Set(),
      replica: {
        read(address) {
          const set = held.get(address);
          if (set === 'damaged') throw new ArmatureError('storage-corrupt', 'flipped bits');
          return set;
        },
        drop: async (address) => dropped.push(address) > 0,
        prune: async (address) => pruned.push(address) > 0,
      },
      ...more,
    });
  const says = async (one: Clearing): Promise<string> => (await one.clear({ entries: [entry(KEY, setOf(2))] })).clearances.join();

  test('that owns the key clears exactly the state that it holds', async () => {
    expect(await says(member(FIRST, new Map([[KEY, setOf(2)]])))).toBe('clear');
    for (const held of [setOf(1), setOf(3), setOf(2, false), 'damaged' as const])
      expect(await says(member(FIRST, new Map([[KEY, held]])))).toBe('differs');
    expect(await says(member(FIRST, new Map()))).toBe('differs');
  });

  test('that does not own it clears it if it holds nothing', async () => {
    expect(await says(member(STRANGER, new Map()))).toBe('clear');
    for (const held of [setOf(1), setOf(2), 'damaged' as const])
      expect(await says(member(STRANGER, new Map([[KEY, held]])))).toBe('stray');
  });

  test('clears nothing that it keeps a hint of, or has in hand; and nothing at all just after it has stood still', async () => {
    const held = new Map([[KEY, setOf(2)]]);
    expect(await says(member(FIRST, held, { hinted: async () => new Set([KEY]) }))).toBe('hinted');
    expect(await says(member(FIRST, held, { isInHand: (address) => address === KEY }))).toBe('in-hand');
    expect(await says(member(FIRST, held, { steadyForMs: () => 999 }))).toBe('unsettled');
  });

  test('has looked, counted, and then synced its store, before it clears; and does neither for anything else', async () => {
    const done: string[] = [];
    const count = async (): Promise<ClearingCount> => ({ ...one, count: done.push('counted') });
    const sync = async (): Promise<void> => void done.push('synced');
    const isInHand = (): boolean => done.push('looked') < 0;
    const env = { sync, isInHand, counts: { ...counts, count } };
    const { counted } = await member(FIRST, new Map([[KEY, setOf(2)]]), env).clear({ entries: [entry(KEY, setOf(2))] });
    expect(done).toEqual(['looked', 'counted', 'synced']);
    expect(counted).toEqual({ tenure: 'a', count: 2 });
    await says(member(FIRST, new Map(), { ...env, isInHand: () => false }));
    expect(done).toHaveLength(3);
  });

  test('whose store may be a copy clears nothing', async () => {
    const held = new Map([[KEY, setOf(2)]]);
    expect(await says(member(FIRST, held, { counts: { ...counts, mayCount: false } }))).toBe('unsettled');
  });

  test('drops what it owns and holds in that very state', async () => {
    const both = { entries: [entry(KEY, setOf(2)), entry(OTHER, setOf(2))] };
    const held = new Map([
      [KEY, setOf(2)],
      [OTHER, setOf(3)],
    ]);
    expect((await member(FIRST, held).drop(both)).dropped).toEqual([true, false]);
    expect((await member(STRANGER, held).drop(both)).dropped).toEqual([false, false]);
    expect(dropped).toEqual([KEY]);
  });

  test('prunes the clock of what is no tombstone, and drops nothing of it', async () => {
    dropped.length = 0;
    const entries = [entry(KEY, longClock())];
    expect((await member(FIRST, new Map([[KEY, longClock()]])).drop({ entries })).dropped).toEqual([true]);
    expect((await member(FIRST, new Map([[KEY, setOf(2, false)]])).drop({ entries })).dropped).toEqual([false]);
    expect([dropped, pruned]).toEqual([[], [KEY]]);
  });

  test('refuses questions of more entries than a page has', async () => {
    const entries = Array.from({ length: 1_001 }, () => entry(KEY, setOf(2)));
    await expect(member(FIRST, new Map()).clear({ entries })).rejects.toMatchObject({ code: 'invalid-argument' });
  });
});

describe('the first owner', () => {
  interface World {
    readonly reaper: Reaper;
    readonly asked: string[];
    /** What members were told to keep, in order. */
    readonly noted: readonly { readonly by: NodeId; readonly counts: readonly ClearingCount[] }[];
    readonly clock: ManualClock;
    view: View;
    suspects: readonly NodeId[];
    /** What a member says when asked; by default all clear, all dropped. */
    answer: (member: NodeId, request: AskedRequest) => unknown;
  }

  function world(held: ReadonlyMap<Address, Uint8Array> = new Map([[KEY, setOf(2)]])): World {
    const clock = new ManualClock();
    const yes = (name: NodeId, request: AskedRequest): unknown => {
      const { kind } = request;
      if (kind === 'note') return { kind };
      if (kind === 'drop') return { kind, dropped: request.entries.map(() => true) };
      return { kind, clearances: request.entries.map(() => 'clear'), counted: { tenure: `of ${name}`, count: 1 } };
    };
    const asked: string[] = [];
    const noted: World['noted'][number][] = [];
    const made: Omit<World, 'reaper'> = { asked, noted, clock, view: VIEW, suspects: [], answer: yes };
    const env: ConstructorParameters<typeof Reaper>[0] = {
      node: FIRST,
      view: () => made.view,
      clearing: {
        clear: async (request) => yes(FIRST, { kind: 'clear', ring: RING, ...request }) as never,
        note: async ({ counts }) => {
          noted.push({ by: FIRST, counts });
          return { kind: 'note' };
        },
        drop: async (request) => yes(FIRST, { kind: 'drop', ring: RING, ...request }) as never,
      },
      reapable: async () => ({ entries: [...held].map(([address, set]) => ({ address, set })), next: undefined }),
      ask: async (member, request) => {
        asked.push(`${request.kind} ${member}`);
        if (request.kind === 'note') noted.push({ by: member, counts: request.counts });
        return made.answer(member, request) as never;
      },
      isSuspect: (one) => made.suspects.includes(one),
      slice: () => Promise.resolve(),
      clock,
    };
    return Object.assign(made, { reaper: new Reaper(env, { quarantineMs: 100 }) });
  }
  const REQUEST = { kind: 'reap', ring: RING, partition: 0 as PartitionId, n: 3, start: undefined, bucket: undefined } as const;

  test('asks every other member, owner or not, and reaps only what all have cleared twice', async () => {
    const each = world();
    expect(await each.reaper.run(REQUEST)).toMatchObject({ scanned: 1, candidates: 1, waiting: 1, reaped: 0, blocked: '' });
    expect(each.asked.sort()).toEqual(NAMES.filter((name) => name !== FIRST).map((name) => `clear ${name}`));
    await each.clock.advance(100);
    each.asked.length = 0;
    expect(await each.reaper.run(REQUEST)).toMatchObject({ reaped: 1, waiting: 0 });
    expect(each.asked.filter((one) => one.startsWith('drop')).sort()).toEqual(
      OWNERS.filter((owner) => owner !== FIRST)
        .map((owner) => `drop ${owner}`)
        .sort(),
    );
  });

  test('before anything is dropped all members, owners or not, have noted how often each has cleared something', async () => {
    const each = world();
    await each.reaper.run(REQUEST);
    expect(each.noted).toEqual([]);
    await each.clock.advance(100);
    await each.reaper.run(REQUEST);
    expect(each.noted.map(({ by }) => by).sort()).toEqual([...NAMES]);
    const all = NAMES.map((name) => ({ tenure: `of ${name}`, count: 1 }));
    for (const { counts } of each.noted) {
      expect(counts).toHaveLength(NAMES.length);
      expect(counts).toEqual(expect.arrayContaining(all));
    }
    const kinds = each.asked.map((one) => one.split(' ')[0]);
    expect(kinds.lastIndexOf('note')).toBeLessThan(kinds.indexOf('drop'));
  });

  test('one member that has not noted the counts, or refuses to, and nothing is dropped', async () => {
    const each = world();
    const { answer } = each;
    await each.reaper.run(REQUEST);
    await each.clock.advance(100);
    each.answer = (member, request) => {
      if (request.kind === 'note' && member === STRANGER) throw new ArmatureError('unavailable', 'a copy');
      return answer(member, request);
    };
    const reply = await each.reaper.run(REQUEST);
    expect(reply).toMatchObject({ reaped: 0, heldBack: { ...nothingHeldBack(), unanswered: 1 } });
    expect(reply.blocked).toContain(STRANGER);
    expect(each.asked.filter((one) => one.startsWith('drop'))).toEqual([]);
    each.answer = answer;
    expect(await each.reaper.run(REQUEST)).toMatchObject({ reaped: 1 });
  });

  test('a clock that has become long is pruned on the same conditions as a tombstone is dropped', async () => {
    const each = world(new Map([[KEY, longClock()]]));
    expect(await each.reaper.run(REQUEST)).toMatchObject({ candidates: 1, waiting: 1, reaped: 0, pruned: 0 });
    await each.clock.advance(100);
    expect(await each.reaper.run(REQUEST)).toMatchObject({ reaped: 0, pruned: 1, waiting: 0 });
  });

  test('values are no candidates, nor is another bucket than the one asked for', async () => {
    const each = world(new Map([[KEY, setOf(2, false)]]));
    expect(await each.reaper.run(REQUEST)).toMatchObject({ scanned: 1, candidates: 0 });
    expect(await world().reaper.run({ ...REQUEST, bucket: 'pair' as never })).toMatchObject({ scanned: 0, candidates: 0 });
  });

  test('a member that is suspect: nobody is asked. One that fails: nothing is remembered, and it is named', async () => {
    const each = world();
    each.suspects = [STRANGER];
    expect((await each.reaper.run(REQUEST)).blocked).toContain(STRANGER);
    expect(each.asked).toEqual([]);
    each.suspects = [];
    each.answer = (member) => {
      if (member === STRANGER) throw new ArmatureError('timeout', 'no answer');
      return { kind: 'clear', clearances: ['clear'] };
    };
    const reply = await each.reaper.run(REQUEST);
    expect(reply).toMatchObject({ waiting: 0, heldBack: { ...nothingHeldBack(), unanswered: 1 } });
    expect(reply.blocked).toContain(`${STRANGER}: timeout`);
    expect(each.reaper.quarantined).toBe(0);
  });

  test('another share than its own, another ring, a second run at a time: refused', async () => {
    const each = world();
    const foreign = NAMES.map((_, index) => index as PartitionId).find((one) => VIEW.placementOf(one, 3).owners[0] !== FIRST)!;
    await expect(each.reaper.run({ ...REQUEST, partition: foreign })).rejects.toMatchObject({ code: 'invalid-argument' });
    await expect(each.reaper.run({ ...REQUEST, ring: 7 as RingVersion })).rejects.toMatchObject({ code: 'stale-ring' });
    const running = each.reaper.run(REQUEST);
    await expect(each.reaper.run(REQUEST)).rejects.toMatchObject({ code: 'overloaded' });
    await running;
  });
});
