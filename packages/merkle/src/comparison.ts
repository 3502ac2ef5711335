/**
 * Comparing two trees that live on two machines, as a step function: from what is known so far follows either the next question
 * to the peer, or the ranges of keys that differ. It waits for nothing itself.
 *
 * The comparison goes down level by level and only below nodes that differ, so equal trees cost one question of one hash, and d
 * differing keys at most 1 + 16 * depth * d hashes. Below a node that one side has nothing in, everything differs, and nothing
 * more is asked: a wiped partition costs one question too.
 *
 * Both trees may change meanwhile. Then a key that was written during the comparison may be found to differ, or not to; whoever
 * lists and merges the ranges found does no harm in either case.
 */
import { ArmatureError, err, ok, type Result } from '@armature/kernel';
import { EMPTY_HASH, type MerkleTree, type TreeHash } from './merkle-tree.js';
import { FAN_OUT, type Prefix } from './prefix.js';

/** Please give the hashes of these nodes of your tree. */
export interface TreeQuestion {
  readonly level: number;
  readonly indices: readonly number[];
}

export interface TreeAnswer {
  /** Of the answering tree. */
  readonly depth: number;
  /** In the order of the question's nodes. */
  readonly hashes: readonly TreeHash[];
}

export interface Comparison {
  readonly local: MerkleTree;
  /** Nodes still to be asked about, upper levels first. */
  readonly waiting: readonly Prefix[];
  /** The lowest nodes that were found to differ, none below another. Final once nothing waits. */
  readonly differing: readonly Prefix[];
  /** Hashes asked for so far. */
  readonly asked: number;
}

/** 4 KiB of hashes in an answer. */
const MAX_QUESTION_NODES = 256;

export function beginComparison(local: MerkleTree): Comparison {
  return { local, waiting: [{ level: 0, index: 0 }], differing: [], asked: 0 };
}

/** What to ask next; undefined when the comparison is over. */
export function nextQuestion({ waiting }: Comparison): TreeQuestion | undefined {
  const first = waiting[0];
  if (first === undefined) return undefined;
  const other = waiting.findIndex(({ level }) => level !== first.level);
  const run = waiting.slice(0, Math.min(MAX_QUESTION_NODES, other < 0 ? waiting.length : other));
  return { level: first.level, indices: run.map(({ index }) => index) };
}

/** Takes in the answer to `nextQuestion`. Error `internal`: it is no answer to that. */
export function takeAnswer(comparison: Comparison, answer: TreeAnswer): Result<Comparison, ArmatureError> {
  const question = nextQuestion(comparison);
  if (answer.hashes.length !== question?.indices.length || answer.depth < question.level) {
    return err(new ArmatureError('internal', 'a peer answered another question about its tree than the one asked'));
  }
  const { local } = comparison;
  const { level } = question;
  const isLowest = level >= Math.min(local.depth, answer.depth);
  const below: Prefix[] = [];
  const differing: Prefix[] = [];
  for (const [place, index] of question.indices.entries()) {
    const ours = local.hashOf({ level, index });
    const theirs = answer.hashes[place];
    if (ours === theirs) continue;
    if (isLowest || ours === EMPTY_HASH || theirs === EMPTY_HASH) differing.push({ level, index });
    else for (let child = 0; child < FAN_OUT; child++) below.push({ level: level + 1, index: index * FAN_OUT + child });
  }
  return ok({
    local,
    waiting: [...comparison.waiting.slice(question.indices.length), ...below],
    differing: [...comparison.differing, ...differing],
    asked: comparison.asked + question.indices.length,
  });
}
