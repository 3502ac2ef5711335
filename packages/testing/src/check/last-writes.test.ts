import { expect, test } from 'vitest';
import type { Hlc, NodeId } from '@armature/kernel';
import { emptyVersionSet, type ActorId, type OperationId, type VersionSet } from '@armature/versioning';
import { DiskWitness } from './disk-witness.js';
import { checkLastWrites } from './last-writes.js';
import { OperationLog, type Outcome } from './operation-log.js';

/** A set of these versions; times are the numbers in their names. */
function setOf(...names: string[]): VersionSet {
  const actor = 'a'.repeat(16) as ActorId;
  const siblings = names.map((name, i) => ({
    dot: { actor, counter: i + 1 },
    version: {
      ...{ value: new Uint8Array(0), meta: [], repeated: false, operation: name as OperationId },
      ...{ tombstone: name.startsWith('d'), at: Number(name.slice(1)) as Hlc },
    },
  }));
  return { ...emptyVersionSet, siblings };
}

function judge(done: Readonly<Record<string, Outcome>>, left: VersionSet | undefined): string[] {
  const log = new OperationLog();
  const witness = new DiskWitness();
  for (const [id, outcome] of Object.entries(done)) {
    const kind = id.startsWith('d') ? 'delete' : 'put';
    log.begin({ id, key: 'k', kind, client: 'c', seen: [], beganMs: 0 }).outcome = outcome;
    if (outcome !== 'refused') witness.see('n1' as NodeId, { set: setOf(id) });
  }
  return checkLastWrites(log, new Map(left === undefined ? [] : [['k', left]]), witness).map(
    (found) => found.split(':')[0] as string,
  );
}

test('what is left is the last acknowledged write, or a later one whose outcome nobody knows', () => {
  expect(judge({ w1: 'acknowledged', w2: 'acknowledged' }, setOf('w2'))).toEqual([]);
  expect(judge({ w1: 'acknowledged', w2: 'unknown' }, setOf('w2'))).toEqual([]);
  expect(judge({ w1: 'acknowledged', w2: 'unknown' }, setOf('w1'))).toEqual([]);
  expect(judge({ w1: 'acknowledged', w2: 'acknowledged' }, setOf('w1'))).toEqual(['older']);
});

test('one version is left, and one that somebody wrote', () => {
  expect(judge({ w1: 'acknowledged', w2: 'acknowledged' }, setOf('w1', 'w2'))).toEqual(['several']);
  expect(judge({ w1: 'acknowledged' }, setOf('w9'))).toEqual(['invented']);
  expect(judge({ w1: 'acknowledged', w2: 'refused' }, setOf('w2'))).toEqual(['invented']);
});

test('nothing is left only after a delete that is later than all that was acknowledged', () => {
  expect(judge({ w1: 'acknowledged', d2: 'unknown' }, undefined)).toEqual([]);
  expect(judge({ w1: 'acknowledged' }, undefined)).toEqual(['older']);
  expect(judge({ d1: 'acknowledged', w2: 'acknowledged' }, undefined)).toEqual(['older']);
  expect(judge({ w1: 'acknowledged', d2: 'acknowledged' }, setOf('w1'))).toEqual(['older']);
});

test('a delete that was minted twice counts by its second stamp', () => {
  const log = new OperationLog();
  const witness = new DiskWitness();
  const mint = (id: string, at: number): void => {
    const [sibling] = setOf(`${id}1`).siblings;
    const version = { ...sibling!.version, operation: id as OperationId, at: at as Hlc };
    witness.see('n1' as NodeId, { set: { ...emptyVersionSet, siblings: [{ ...sibling!, version }] } });
  };
  for (const [id, kind] of [
    ['d', 'delete'],
    ['w', 'put'],
  ] as const)
    log.begin({ id, key: 'k', kind, client: 'c', seen: [], beganMs: 0 }).outcome = 'acknowledged';
  mint('d', 1);
  mint('w', 2);
  expect(checkLastWrites(log, new Map(), witness)).toHaveLength(1);
  mint('d', 3);
  expect(checkLastWrites(log, new Map(), witness)).toEqual([]);
});

test('a write is stamped later than what its writer had read', () => {
  const log = new OperationLog();
  const witness = new DiskWitness();
  for (const [id, seen] of [
    ['p5', []],
    ['p4', ['p5']],
    ['p6', ['p5']],
  ] as const) {
    log.begin({ id, key: 'k', kind: 'put', client: 'c', seen, beganMs: 0 }).outcome = 'acknowledged';
    witness.see('n1' as NodeId, { set: setOf(id) });
  }
  const found = checkLastWrites(log, new Map([['k', setOf('p6')]]), witness);
  expect(found).toEqual(['behind: p4 in k is stamped no later than p5, which its writer had read']);
});
