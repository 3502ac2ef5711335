/**
 * The list of what may be reaped: after whatever happens to the node, nothing that may be reaped is missing, and what is read of
 * the list may be reaped.
 */
import type { BinaryString } from '@armature/kernel';
import { ManualClock } from '@armature/runtime';
import { MemoryDisk, parseSpaceKey, spaceKey } from '@armature/storage';
import { decodeVersionSet, isReapable } from '@armature/versioning';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openRecord } from './record.js';
import { addressFor, BUCKET, finish, TestNode } from './replica.test-support.js';

const ALL = { start: '' as BinaryString, limit: 100 };
const KEYS = ['a', 'b'];

/** Records on the disk that may be reaped, and are not in the list on the disk. */
function missingOn(disk: MemoryDisk): readonly BinaryString[] {
  return [...disk.image()].flatMap(([stored, value]) => {
    const parsed = parseSpaceKey(stored);
    const set = parsed?.space === 'data' ? openRecord(value) : undefined;
    const decoded = set === undefined ? undefined : decodeVersionSet(set);
    if (parsed === undefined || decoded?.ok !== true || !isReapable(decoded.value)) return [];
    return disk.get(spaceKey('reapable', parsed.key)) === undefined ? [parsed.key] : [];
  });
}

async function listed(node: TestNode): Promise<readonly string[]> {
  return (await finish(node.clock, node.replica.reapable.page(ALL))).entries.map(({ address }) => address);
}

describe('the list of what may be reaped', () => {
  test('has a tombstone, and no value; a value over a value writes nothing beside its record', async () => {
    const node = await TestNode.open({ clock: new ManualClock() });
    await node.put('a', 'one');
    await node.put('a', 'two', { context: await node.contextOf('a') });
    expect([...node.disk.image().keys()].filter((stored) => parseSpaceKey(stored)?.space === 'reapable')).toEqual([]);
    await node.put('a', '', { tombstone: true, context: await node.contextOf('a') });
    expect(await listed(node)).toEqual([addressFor('a')]);
    await node.put('a', 'three', { context: await node.contextOf('a') });
    expect(await listed(node)).toEqual([]);
  });

  test('is made good by a scan of the records where the store has none, or lost it', async () => {
    const node = await TestNode.open({ clock: new ManualClock() });
    for (const key of KEYS) await node.put(key, '', { tombstone: true });
    await node.put('c', 'a value');
    node.disk.apply(
      KEYS.map((key) => ({ kind: 'delete', key: spaceKey('reapable', addressFor(key)) })),
      true,
    );
    expect(await listed(node)).toEqual([]);
    await finish(
      node.clock,
      node.replica.page(ALL).then((page) => node.replica.reapable.enlist(page)),
    );
    expect([...(await listed(node))].sort()).toEqual(KEYS.map(addressFor).sort());
  });

  const step = fc.record({
    kind: fc.constantFrom('put', 'put', 'delete', 'delete', 'blind', 'drop', 'fail', 'fail', 'crash', 'settle'),
    key: fc.constantFrom(...KEYS),
    durability: fc.constantFrom('fsync', 'os', 'buffered', 'memory'),
    applied: fc.boolean(),
    keep: fc.nat(3),
  });

  test('lacks nothing after any crash and any failed commit, whatever was waited for', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const clock = new ManualClock();
        const disk = new MemoryDisk();
        let node = await TestNode.open({ clock, disk });
        for (const { kind, key, durability, applied, keep } of steps) {
          node.plan.fault = kind === 'fail' ? { code: 'storage-failed', applied } : undefined;
          if (kind === 'crash') {
            disk.crash(keep);
            expect(missingOn(disk)).toEqual([]);
            node = await TestNode.open({ clock, disk });
          } else if (kind === 'settle') {
            await finish(clock, node.store.sync());
            expect(missingOn(disk)).toEqual([]);
            const shown = await listed(node);
            for (const one of KEYS) {
              const set = await node.held(one);
              expect(shown.includes(addressFor(one))).toBe(isReapable(set));
            }
          } else if (kind === 'drop') {
            const held = node.replica.read(addressFor(key));
            if (held !== undefined && !(held instanceof Promise))
              await finish(clock, node.replica.drop(addressFor(key), held)).catch(() => false);
          } else {
            const tombstone = kind === 'delete' || (kind === 'fail' && keep > 1);
            const context = kind === 'blind' ? {} : { context: await node.contextOf(key) };
            // Not waited for: what follows is minted over what may yet fail.
            const request = node.request(key, 'v', { tombstone, ...context, bucket: { ...BUCKET, durability } });
            const minted = await finish(clock, node.replica.mint(request)).catch(() => undefined);
            minted?.committed.catch(() => undefined);
          }
          await clock.advance(keep);
        }
      }),
      { numRuns: 200 },
    );
  });
});
