import { ArmatureError, utf8Encode, type BinaryString, type BucketName, type PartitionId } from '@armature/kernel';
import type { ExchangeReply, ExchangeRequest, ReplyTo, RingVersion, SynchronisationRequest } from '@armature/protocol';
import { addressOf, type Address } from '@armature/ring';
import { memoryTelemetry, recordingLog, silentLog, systemClock } from '@armature/runtime';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EXCHANGE_LIMITS, runExchange, type ExchangeLimits } from './exchange.js';
import { LocalShare } from './local-share.js';
import { TreeKeeper } from './tree-keeper.js';
import { node, viewOf } from './view.test-support.js';

const view = viewOf(['a', 'b', 'c'], 4);
const PARTITION = 0 as PartitionId;
const bucketOf = (i: number): BucketName => (i % 5 === 0 ? 'pair' : 'default') as BucketName;
/** Addresses of partition 0, the first `count` of both buckets. */
const ADDRESSES: Address[] = [];
for (let i = 0; ADDRESSES.length < 6_000; i++) {
  const address = addressOf(bucketOf(i), utf8Encode(`k${i}`));
  if (view.ring!.partitionOf(address) === PARTITION) ADDRESSES.push(address);
}
const isPair = (address: Address): boolean => address.charCodeAt(16) === 4;

const MIB = 2 ** 20;

/** A set of small numbers; joining is union. It stands for a version set, whose encoding is canonical too. */
type Toy = readonly number[];
const encoded = (toy: Toy): Uint8Array => Uint8Array.from([...new Set(toy)].sort((a, b) => a - b));

/** One node: a map for a store, its trees, and what it answers. */
function side(name: string, held: ReadonlyMap<Address, Toy>) {
  const store = new Map([...held].map(([address, toy]) => [address, encoded(toy)]));
  const sorted = (): [Address, Uint8Array][] => [...store].sort(([a], [b]) => (a < b ? -1 : 1));
  const page = ({ start, end, limit }: { start: BinaryString; end: BinaryString | undefined; limit: number }) => {
    const within = sorted().filter(([address]) => address >= start && (end === undefined || address < end));
    return Promise.resolve({
      entries: within.slice(0, limit).map(([address, set]) => ({ address, set })),
      next: within[limit]?.[0],
    });
  };
  const trees = new TreeKeeper({
    node: node(name),
    view: () => view,
    scan: page,
    slice: () => Promise.resolve(),
    clock: systemClock,
    log: silentLog,
    telemetry: memoryTelemetry(),
  });
  trees.follow();
  const log = recordingLog();
  const share = new LocalShare({
    node: node(name),
    trees,
    view: () => view,
    log: log.log,
    replica: {
      read: (address) => store.get(address),
      merge(address, incoming) {
        const before = store.get(address);
        const after = encoded([...(before ?? []), ...incoming]);
        store.set(address, after);
        trees.wrote(address, before, after);
        return Promise.resolve();
      },
      page,
    },
  });
  return { name, store, share, stop: () => trees.stop(), contents: () => sorted().map(([address, set]) => [address, [...set]]) };
}

type Side = ReturnType<typeof side>;

async function answer(peer: Side, request: SynchronisationRequest): Promise<unknown> {
  switch (request.kind) {
    case 'tree':
      return peer.share.answerTree(request);
    case 'digests':
      return peer.share.digests(request);
    case 'sets':
      return peer.share.sets(request.addresses);
    case 'absorb':
      return peer.share.absorb(request.entries, request.durable);
    case 'exchange':
      throw new Error('nobody asks this here');
  }
}

async function exchange(
  initiator: Side,
  peer: Side,
  options: {
    n?: number;
    bucket?: BucketName;
    limits?: ExchangeLimits;
    meddle?: (request: SynchronisationRequest) => unknown;
  } = {},
): Promise<{ reply: ExchangeReply; asked: string[]; timeoutsMs: ReadonlyMap<string, number> }> {
  const asked: string[] = [];
  const timeoutsMs = new Map<string, number>();
  const request: ExchangeRequest = {
    kind: 'exchange',
    ring: 1 as RingVersion,
    partition: PARTITION,
    n: options.n ?? 3,
    peer: node(peer.name),
    bucket: options.bucket,
  };
  const reply = await runExchange(
    {
      local: initiator.share,
      async ask<Q extends SynchronisationRequest>(_peer: unknown, question: Q, timeoutMs: number) {
        asked.push(question.kind);
        timeoutsMs.set(question.kind, timeoutMs);
        return (options.meddle?.(question) ?? (await answer(peer, question))) as ReplyTo<Q>;
      },
      slice: () => Promise.resolve(),
      clock: systemClock,
    },
    request,
    options.limits ?? EXCHANGE_LIMITS,
  );
  return { reply, asked, timeoutsMs };
}

async function between(
  one: ReadonlyMap<Address, Toy>,
  other: ReadonlyMap<Address, Toy>,
  use: (a: Side, b: Side) => Promise<void>,
): Promise<void> {
  const [a, b] = [side('a', one), side('b', other)];
  try {
    await use(a, b);
  } finally {
    a.stop();
    b.stop();
  }
}

const all = (count: number): Map<Address, Toy> => new Map(ADDRESSES.slice(0, count).map((address) => [address, [1]]));

describe('an exchange', () => {
  test('a large set, either way, is given the time in addition that its bytes may take', async () => {
    const [ours, theirs] = ADDRESSES.filter((address) => !isPair(address));
    await between(new Map([[ours!, [1]]]), new Map([[theirs!, [2]]]), async (a, b) => {
      const meddle = (request: SynchronisationRequest): unknown => {
        if (request.kind !== 'digests') return undefined;
        a.store.set(ours!, new Uint8Array(10 * MIB));
        return b.share.digests(request).then((page) => ({
          ...page,
          entries: page.entries.map((entry) => ({ ...entry, sizeBytes: 20 * MIB })),
        }));
      };
      const { timeoutsMs } = await exchange(a, b, { meddle });
      expect(Object.fromEntries(timeoutsMs)).toMatchObject({ tree: 5_000, digests: 5_000, sets: 25_000, absorb: 15_000 });
    });
  });

  const contents = fc
    .array(fc.tuple(fc.nat(79), fc.uniqueArray(fc.nat(5), { minLength: 1 })), { maxLength: 60 })
    .map((pairs) => new Map(pairs.map(([index, toy]) => [ADDRESSES[index] as Address, toy as Toy])));

  test('makes both sides the join of both, key by key, for the buckets of its N; the next finds nothing', async () => {
    await fc.assert(
      fc.asyncProperty(contents, contents, async (one, other) => {
        await between(one, other, async (a, b) => {
          await exchange(a, b);
          for (const address of ADDRESSES.slice(0, 80)) {
            const join = encoded([...(one.get(address) ?? []), ...(other.get(address) ?? [])]);
            const wanted = join.length === 0 ? undefined : [...join];
            if (isPair(address)) {
              expect(a.store.has(address)).toBe(one.has(address)); // another N, another exchange
              continue;
            }
            for (const { store } of [a, b]) expect(store.has(address) ? [...store.get(address)!] : undefined).toEqual(wanted);
          }
          const again = await exchange(b, a);
          expect(again.reply).toMatchObject({ outcome: 'equal', differing: 0, pulled: 0, pushed: 0, bytes: 0 });
          expect(again.asked).toEqual(['tree']);
        });
      }),
      { numRuns: 60 },
    );
  });

  test('5,000 keys and one difference: three tree questions, one page, one set', async () => {
    const one = all(5_000);
    const other = new Map(one);
    const lost = ADDRESSES.slice(0, 5_000).find((address) => !isPair(address)) as Address;
    other.delete(lost);
    await between(one, other, async (a, b) => {
      const { reply, asked } = await exchange(b, a);
      expect(asked).toEqual(['tree', 'tree', 'tree', 'digests', 'sets']);
      expect(reply).toMatchObject({ outcome: 'repaired', differing: 1, pulled: 1, pushed: 0 });
      expect(b.store.has(lost)).toBe(true);
    });
  });

  test('beyond its budget it is partial, and further runs finish the work', async () => {
    await between(all(6_000), new Map(), async (a, b) => {
      const limits = { ...EXCHANGE_LIMITS, keys: 1_000 };
      const outcomes: string[] = [];
      for (let run = 0; run < 20 && outcomes.at(-1) !== 'equal'; run++)
        outcomes.push((await exchange(a, b, { limits })).reply.outcome);
      expect(outcomes.at(-1)).toBe('equal');
      expect(outcomes.filter((outcome) => outcome === 'partial').length).toBeGreaterThanOrEqual(3);
      for (const [address] of a.contents()) if (!isPair(address as Address)) expect(b.store.has(address as Address)).toBe(true);
    });
  });

  test('a bucket alone: the keys of others stay as they are', async () => {
    await between(all(200), new Map(), async (a, b) => {
      const pair = 'pair' as BucketName;
      const { reply } = await exchange(a, b, { n: 2, bucket: pair });
      expect(reply.outcome).toBe('repaired');
      expect([...b.store.keys()].every(isPair)).toBe(true);
      expect(b.store.size).toBe([...a.store.keys()].filter(isPair).length);
      expect((await exchange(a, b, { bucket: pair })).reply.pushed).toBe(0);
    });
  });

  test('a peer that breaks off: failed, with the reason, and what was merged stays merged', async () => {
    await between(all(300), new Map(), async (a, b) => {
      let absorbed = 0;
      const meddle = (request: SynchronisationRequest): undefined => {
        if (request.kind === 'absorb' && absorbed++ > 0) throw new ArmatureError('unreachable', 'gone');
      };
      const { reply } = await exchange(a, b, { meddle });
      expect(reply).toMatchObject({ outcome: 'failed', problem: 'unreachable: gone' });
      expect(b.store.size).toBeGreaterThan(0);
      await exchange(a, b);
      expect((await exchange(a, b)).reply.outcome).toBe('equal');
    });
  });

  test('a peer with no room, or another ring: its refusal is passed on', async () => {
    for (const code of ['overloaded', 'stale-ring'] as const) {
      await between(all(10), all(10), async (a, b) => {
        const meddle = (): never => {
          throw new ArmatureError(code, 'not now');
        };
        await expect(exchange(a, b, { meddle })).rejects.toMatchObject({ code });
      });
    }
  });

  test('answers that are none end it: too few hashes, pages that lead back, sets that were not asked for', async () => {
    const nonsense: Record<string, unknown> = {
      tree: { kind: 'tree', depth: 1, keys: 1, hashes: [] },
      digests: { kind: 'digests', entries: [], next: '' },
      sets: { kind: 'sets', sets: [] },
    };
    for (const kind of Object.keys(nonsense)) {
      await between(new Map(), all(100), async (a, b) => {
        const { reply } = await exchange(a, b, { meddle: (request) => (request.kind === kind ? nonsense[kind] : undefined) });
        expect(reply.outcome).toBe('failed');
        expect(reply.problem).toMatch(/^internal: /);
      });
    }
  });
});
