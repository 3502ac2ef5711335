import type { BinaryString } from '@armature/kernel';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { beginComparison, nextQuestion, takeAnswer, type Comparison } from './comparison.js';
import { entryDigest } from './entry-digest.js';
import { EMPTY_HASH, MerkleTree } from './merkle-tree.js';
import { rangesOfPrefixes } from './prefix.js';
import { answerFrom, ARC, digestOf, entries, isIn, treeOf, type Entries } from './trees.test-support.js';

/** Runs a comparison to its end against a tree that is at hand. */
function compare(local: MerkleTree, remote: MerkleTree): Comparison & { questions: number } {
  let comparison = beginComparison(local);
  for (let questions = 0; ; questions++) {
    const question = nextQuestion(comparison);
    if (question === undefined) return { ...comparison, questions };
    const taken = takeAnswer(comparison, answerFrom(remote, question));
    if (!taken.ok) throw taken.error;
    comparison = taken.value;
  }
}

function differingKeys(one: Entries, other: Entries): BinaryString[] {
  return [...new Set([...one.keys(), ...other.keys()])].filter((key) => one.get(key) !== other.get(key));
}

const depth = fc.integer({ min: 1, max: 3 });

describe('comparison', () => {
  test('every differing key lies in a range found, and every node found holds a differing key', () => {
    fc.assert(
      fc.property(entries, entries, depth, depth, (one, other, ours, theirs) => {
        const { differing } = compare(treeOf(one, ours), treeOf(other, theirs));
        const wanted = differingKeys(one, other);
        const ranges = rangesOfPrefixes(ARC, differing);
        for (const key of wanted) expect(ranges.some((range) => isIn(range, key))).toBe(true);
        for (const prefix of differing) {
          const [range] = rangesOfPrefixes(ARC, [prefix]);
          expect(wanted.some((key) => isIn(range!, key))).toBe(true);
        }
      }),
    );
  });

  test('no more is asked than the way down to each difference: 1 + 16 * depth * differences hashes', () => {
    fc.assert(
      fc.property(entries, entries, depth, (one, other, levels) => {
        const { asked } = compare(treeOf(one, levels), treeOf(other, levels));
        expect(asked).toBeLessThanOrEqual(1 + 16 * levels * differingKeys(one, other).length);
      }),
    );
  });

  test('100,000 keys and one difference: 4 questions, 49 hashes, one leaf', () => {
    const one = new MerkleTree(0, 3);
    const other = new MerkleTree(0, 3);
    const nothing = new Uint8Array(0);
    for (let i = 0; i < 100_000; i++) {
      const key = entryDigest(String(i) as BinaryString, nothing);
      const digest = entryDigest(key, nothing);
      one.update(key, undefined, digest);
      if (i !== 4_711) other.update(key, undefined, digest);
    }
    const { differing, asked, questions } = compare(one, other);
    expect({ leaves: differing.map(({ level }) => level), asked, questions }).toEqual({ leaves: [3], asked: 49, questions: 4 });
  });

  test('equal trees, and a tree with an empty one: one question', () => {
    const held = treeOf([['\xa1'.repeat(20) as BinaryString, 1]]);
    expect(compare(held, held)).toMatchObject({ questions: 1, differing: [] });
    const whole = [{ level: 0, index: 0 }];
    expect(compare(held, treeOf([]))).toMatchObject({ questions: 1, differing: whole });
    expect(compare(treeOf([]), held)).toMatchObject({ questions: 1, differing: whole });
  });

  test('an answer of another size, or from a tree too shallow to give it, is refused', () => {
    const key = '\xa1'.repeat(20) as BinaryString;
    const tree = treeOf([[key, 1]]);
    const begun = beginComparison(tree);
    expect(takeAnswer(begun, { depth: 2, hashes: [] }).ok).toBe(false);
    const below = takeAnswer(begun, { depth: 2, hashes: [digestOf(key, 2)] });
    if (!below.ok) throw below.error;
    expect(nextQuestion(below.value)?.level).toBe(1);
    expect(takeAnswer(below.value, { depth: 0, hashes: new Array<BinaryString>(16).fill(EMPTY_HASH) }).ok).toBe(false);
    expect(takeAnswer(compare(tree, tree), { depth: 2, hashes: [] }).ok).toBe(false);
  });

  test('a question is never longer than its bound, however much differs', () => {
    const one = new MerkleTree(0, 3);
    const other = new MerkleTree(0, 3);
    for (let i = 0; i < 20_000; i++) {
      const key = entryDigest(String(i) as BinaryString, new Uint8Array(0));
      one.update(key, undefined, key);
      other.update(key, undefined, entryDigest(key, new Uint8Array(1)));
    }
    let comparison = beginComparison(one);
    for (let question = nextQuestion(comparison); question !== undefined; question = nextQuestion(comparison)) {
      expect(question.indices.length).toBeLessThanOrEqual(256);
      const taken = takeAnswer(comparison, answerFrom(other, question));
      if (!taken.ok) throw taken.error;
      comparison = taken.value;
    }
    expect(comparison.differing.length).toBeGreaterThan(4_000);
    expect(rangesOfPrefixes({ bits: 0, index: 0 }, comparison.differing).length).toBeLessThan(comparison.differing.length);
  });
});
