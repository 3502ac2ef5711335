import { hlcFromMs, type ClusterName, type NodeId, type ZoneName } from '@armature/kernel';
import { foldHistory, History, type View } from '@armature/membership';
import type { Change, ClearingCount } from '@armature/protocol';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { beyond, ClearingCounts, greatest, tenureId, type Clearings, type Tenure } from './clearing-counts.js';

const count = fc.record({ tenure: fc.constantFrom('a', 'b', 'c', 'd'), count: fc.integer({ min: 1, max: 5 }) });
const counts = fc.uniqueArray(count, { selector: ({ tenure }) => tenure });
const sorted = (some: readonly ClearingCount[]): ClearingCount[] => [...some].sort((a, b) => (a.tenure < b.tenure ? -1 : 1));
const of = (some: readonly ClearingCount[], tenure: string): number => some.find((one) => one.tenure === tenure)?.count ?? 0;

describe('counts of clearings', () => {
  test('merge to the greatest of each tenure, in whatever order they come', () => {
    fc.assert(
      fc.property(counts, counts, (one, other) => {
        const merged = greatest(one, other);
        expect(sorted(merged)).toEqual(sorted(greatest(other, one)));
        for (const tenure of ['a', 'b', 'c', 'd']) expect(of(merged, tenure)).toBe(Math.max(of(one, tenure), of(other, tenure)));
      }),
    );
  });

  test('what a peer is told is what it lacks: with that it knows as much', () => {
    fc.assert(
      fc.property(counts, counts, (known, told) => {
        const more = beyond(known, told);
        expect(sorted(greatest(told, more))).toEqual(sorted(greatest(told, known)));
        for (const { tenure, count } of more) expect(count).toBeGreaterThan(of(told, tenure));
      }),
    );
  });
});

const N1 = 'n1' as NodeId;

/** Of these members, whose membership the first record has begun. */
function viewOf(names: readonly string[]): View {
  const members = names.map((name) => ({ node: name as NodeId, weight: 1, zone: 'z' as ZoneName }));
  const cluster = { clusterId: 'c1'.repeat(16), cluster: 'test' as ClusterName, strategy: 3 } as const;
  const create: Change = { kind: 'create', ...cluster, partitionCount: 8, targetN: 3, members };
  const merged = History.empty.merge([
    { id: BEGINNING, at: hlcFromMs(1_600_000_000_000), by: N1, author: 'test', change: create },
  ]);
  if (!merged.ok) throw merged.error;
  return foldHistory(merged.value.history);
}
const BEGINNING = '0'.repeat(16);
const OWN = `n1/${BEGINNING}`;

interface Disk {
  tenure: Tenure | undefined;
  clearings: Clearings;
  isFull?: boolean;
  /** What of others' counts was saved to be on stable storage, and how often. */
  durable?: readonly ClearingCount[];
  syncs?: number;
}

describe('a member', () => {
  const found: string[] = [];
  const open = (disk: Disk, names: readonly string[] = ['n1', 'n2']): Promise<ClearingCounts> => {
    const view = viewOf(names);
    return ClearingCounts.open({
      node: N1,
      tenures: {
        load: () => Promise.resolve(disk.tenure),
        save: async (tenure) => void (disk.tenure = tenure),
      },
      store: {
        load: () => Promise.resolve(disk.clearings),
        save: async (clearings, durable) => {
          if (disk.isFull === true) throw new Error('the disk is full');
          disk.clearings = clearings;
          if (!durable) return;
          disk.durable = clearings.known;
          disk.syncs = (disk.syncs ?? 0) + 1;
        },
      },
      view: () => view,
      onBehind: () => found.push('behind'),
    });
  };
  const newDisk = (): Disk => ({ tenure: undefined, clearings: { own: undefined, known: [] } });
  const begun = async (disk: Disk, names?: readonly string[]): Promise<ClearingCounts> => {
    const member = await open(disk, names);
    await member.begin({ stint: BEGINNING, loss: undefined });
    member.heard([]);
    return member;
  };

  test('counts on where its store left off', async () => {
    const disk = newDisk();
    const member = await begun(disk);
    expect(await Promise.all([member.count(), member.count()])).toEqual([
      { tenure: OWN, count: 1 },
      { tenure: OWN, count: 2 },
    ]);
    const later = await open(disk);
    later.heard([]);
    expect(await later.count()).toEqual({ tenure: OWN, count: 3 });
  });

  test('counts nothing before it has heard what others know, unless there are none', async () => {
    const disk = newDisk();
    await begun(disk);
    const restarted = await open(disk);
    expect(restarted.mayCount).toBe(false);
    await expect(restarted.count()).rejects.toMatchObject({ code: 'unavailable' });
    expect((await open(disk, ['n1'])).mayCount).toBe(true);
  });

  test('whose store has a smaller count than others know is behind, says so, counts nothing and notes nothing without an error', async () => {
    found.length = 0;
    const member = await begun(newDisk());
    await member.count();
    member.heard([{ tenure: OWN, count: 1 }]);
    expect(member.isBehind).toBe(false);
    await expect(member.note([{ tenure: OWN, count: 2 }])).rejects.toMatchObject({ code: 'unavailable' });
    expect(member.isBehind).toBe(true);
    expect(found).toEqual(['behind']);
    await expect(member.count()).rejects.toMatchObject({ code: 'unavailable' });
    await member.begin({ stint: BEGINNING, loss: 'ff'.repeat(8) });
    expect(member.isBehind).toBe(false);
  });

  test('a tenure that was begun anew counts from the beginning, under a name of its own', async () => {
    const disk = newDisk();
    const member = await begun(disk);
    await member.count();
    const lost = { stint: BEGINNING, loss: 'ff'.repeat(8) };
    await member.begin(lost);
    const restarted = await open(disk);
    restarted.heard([{ tenure: OWN, count: 1 }]);
    expect(await restarted.count()).toEqual({ tenure: tenureId(N1, lost), count: 1 });
  });

  test('keeps across a restart what it was told to note, and of what it hears what is of members', async () => {
    const disk = newDisk();
    const member = await begun(disk);
    member.heard([{ tenure: 'of nobody', count: 9 }]);
    expect(member.known).toEqual([]);
    await member.count();
    await member.note([
      { tenure: OWN, count: 1 },
      { tenure: 'of a newcomer', count: 4 },
    ]);
    const restarted = await open(disk);
    expect(sorted(restarted.known)).toEqual(sorted(member.known));
    expect(restarted.known).toHaveLength(2);
    restarted.heard([{ tenure: OWN, count: 1 }]);
    expect(restarted.isBehind).toBe(false);
    expect(restarted.beyond([{ tenure: OWN, count: 1 }])).toEqual([{ tenure: 'of a newcomer', count: 4 }]);
  });

  test('whose disk is full hears all the same, and is found behind, but notes nothing', async () => {
    found.length = 0;
    const disk = newDisk();
    const member = await begun(disk);
    disk.isFull = true;
    member.heard([{ tenure: `n2/${BEGINNING}`, count: 1 }]);
    expect(member.beyond([])).toEqual([{ tenure: `n2/${BEGINNING}`, count: 1 }]);
    await expect(member.note([{ tenure: `n2/${BEGINNING}`, count: 1 }])).rejects.toThrow('full');
    member.heard([{ tenure: OWN, count: 1 }]);
    expect(found).toEqual(['behind']);
  });

  test('notes on stable storage what it has only heard before', async () => {
    const disk = newDisk();
    const member = await begun(disk);
    const counts = [{ tenure: `n2/${BEGINNING}`, count: 1 }];
    member.heard(counts);
    await member.note(counts);
    expect(disk.durable).toEqual(counts);
    await member.note(counts);
    expect(disk.syncs).toBe(1);
  });

  test('is not behind for what another counts whose membership the same record began', async () => {
    const member = await begun(newDisk());
    await member.note([{ tenure: `n2/${BEGINNING}`, count: 4 }]);
    expect(member.isBehind).toBe(false);
    await member.note([{ tenure: OWN, count: 1 }]).catch(() => undefined);
    expect(member.isBehind).toBe(true);
  });

  test('forgets the counts of tenures that are over when it keeps others', async () => {
    const member = await begun(newDisk());
    await member.count();
    await member.note([{ tenure: 'over', count: 4 }]);
    await member.note([{ tenure: OWN, count: 1 }]);
    expect(member.known).toEqual([{ tenure: OWN, count: 1 }]);
  });
});
