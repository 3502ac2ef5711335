import { hlcTick, seededRandom, shuffle, unwrap, type Hlc } from '@armature/kernel';
import { MAX_RECORD_AT, compareRecords, type ChangeRecord } from '@armature/protocol';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { History, ringRecords } from './history.js';
import { change, historyOf, names, node, record } from './records.test-support.js';

const create = record(1, change.create(names('n', 3)));
const others = fc.uniqueArray(fc.integer({ min: 2, max: 200 }), { maxLength: 30 });
const toRecord = (sequence: number): ChangeRecord =>
  record(sequence, sequence % 3 === 0 ? change.bucket(`b${sequence}`) : change.weight(node('n1'), sequence / 2));

describe('history', () => {
  test('merge is a union: commutative, associative, idempotent, whatever the batches', () => {
    fc.assert(
      fc.property(others, others, others, (a, b, c) => {
        const [x, y, z] = [a, b, c].map((list) => [create, ...list.map(toRecord)]) as [
          ChangeRecord[],
          ChangeRecord[],
          ChangeRecord[],
        ];
        const all = historyOf([...x, ...y, ...z]);
        expect(historyOf(z, historyOf(y, historyOf(x))).fingerprint).toBe(all.fingerprint);
        expect(historyOf(historyOf(x, historyOf(z)).records, historyOf(y)).fingerprint).toBe(all.fingerprint);
        expect(historyOf(all.records, all)).toBe(all);
      }),
    );
  });

  test('records are in order, each once, and `added` are the new ones in order', () => {
    fc.assert(
      fc.property(others, others, fc.integer(), (a, b, seed) => {
        const base = historyOf([create, ...a.map(toRecord)]);
        const batch = shuffle(seededRandom(seed), [...a, ...b, ...b].map(toRecord));
        const merged = base.merge(batch);
        if (!merged.ok) throw merged.error;
        const { history, added } = merged.value;
        expect(history.records).toEqual([...history.records].sort(compareRecords));
        expect(history.records.map((one) => one.id).sort()).toEqual(
          [...new Set([create, ...[...a, ...b].map(toRecord)].map((one) => one.id))].sort(),
        );
        expect(added.map((one) => one.id)).toEqual(history.records.filter((one) => !base.has(one.id)).map((one) => one.id));
      }),
    );
  });

  test('fingerprints differ exactly when the histories do', () => {
    fc.assert(
      fc.property(others, others, (a, b) => {
        const same = new Set([...a, ...b]).size === a.length && a.length === b.length;
        expect(historyOf(a.map(toRecord)).fingerprint === historyOf(b.map(toRecord)).fingerprint).toBe(same);
      }),
    );
  });

  test('the fingerprint does not depend on the order in which fields were written', () => {
    const { id, at, by, author, change: made } = create;
    const reversed = {
      change: Object.fromEntries(Object.entries(made).reverse()),
      author,
      by,
      at,
      id,
    } as unknown as ChangeRecord;
    expect(historyOf([reversed]).fingerprint).toBe(historyOf([create]).fingerprint);
    expect(historyOf([reversed], historyOf([create])).records).toHaveLength(1);
  });

  test('records of another cluster: refused whole', () => {
    const foreign = record(5, change.create(names('x', 3), { clusterId: 'ff'.repeat(16) }));
    const base = historyOf([create]);
    for (const batch of [[foreign], [toRecord(6), foreign], [foreign, toRecord(6)]]) {
      const merged = base.merge(batch);
      expect(!merged.ok && merged.error.code).toBe('wrong-cluster');
    }
    expect(base.records).toHaveLength(1);
    expect(!History.empty.merge([create, foreign]).ok).toBe(true);
  });

  test('an empty history adopts any cluster', () => {
    expect(historyOf([create]).clusterId).toBe('c1'.repeat(16));
    expect(historyOf([toRecord(2)]).clusterId).toBeUndefined();
  });

  test('an id with other content: refused whole, loudly', () => {
    const base = historyOf([create, toRecord(2)]);
    const altered = { ...toRecord(2), by: node('n9') };
    const merged = base.merge([toRecord(4), altered]);
    expect(merged.ok).toBe(false);
    if (merged.ok) return;
    expect(merged.error.message).toContain(altered.id);
    expect(merged.error.remedy).toBeTruthy();
    expect(History.empty.merge([toRecord(2), altered]).ok).toBe(false);
  });

  test('a record stamped beyond what clocks may say is left out, and nothing else with it', () => {
    const beyond = { ...toRecord(2), at: Number.MAX_SAFE_INTEGER as Hlc };
    const merged = unwrap(historyOf([create]).merge([beyond, toRecord(3), toRecord(4)]));
    expect(merged.added.map(({ id }) => id)).toEqual([toRecord(3).id, toRecord(4).id]);
    expect(merged.leftOut).toEqual([beyond]);
    expect(unwrap(merged.history.merge([beyond])).history).toBe(merged.history);
    const alone = unwrap(History.empty.merge([{ ...create, at: Number.MAX_SAFE_INTEGER as Hlc }])).history;
    expect([alone.clusterId, alone.records]).toEqual([undefined, []]);
  });

  test('whatever is taken in, however late its stamp, the record that follows it is acceptable to all who have the same', () => {
    const stamp = fc.oneof(
      fc.integer({ min: -3, max: 30 }).map((n) => MAX_RECORD_AT + n),
      fc.nat(MAX_RECORD_AT),
      fc.maxSafeNat(),
    );
    fc.assert(
      fc.property(fc.array(stamp, { maxLength: 20 }), (stamps) => {
        const forged = stamps.map((at, i) => ({ ...toRecord(i + 2), at: at as Hlc }));
        let history = historyOf([create]);
        for (const one of forged) history = unwrap(history.merge([one])).history;
        for (let i = 0; i < 5; i++) {
          const next = { ...toRecord(100 + i), at: hlcTick(history.lastAt, Date.UTC(2300, 0, 1)) };
          const merged = unwrap(history.merge([next]));
          expect(merged.added).toEqual([next]);
          history = merged.history;
        }
        // Whoever knows less gets all of it in one message.
        expect(historyOf([create], history).fingerprint).toBe(history.fingerprint);
        expect(unwrap(History.empty.merge(history.records)).history.fingerprint).toBe(history.fingerprint);
      }),
    );
  });

  test('ring records are all but those of buckets', () => {
    expect(ringRecords(historyOf([create, ...[2, 3, 4, 5, 6].map(toRecord)])).map((one) => one.id)).toEqual(
      [create, toRecord(2), toRecord(4), toRecord(5)].map((one) => one.id),
    );
  });

  test('common prefix', () => {
    const long = historyOf([create, ...[2, 4, 6].map(toRecord)]);
    expect(long.commonPrefix(historyOf([create, ...[2, 4].map(toRecord)]))).toBe(3);
    expect(long.commonPrefix(historyOf([create, ...[2, 3, 4, 6].map(toRecord)]))).toBe(2);
    expect(long.commonPrefix(History.empty)).toBe(0);
  });
});
