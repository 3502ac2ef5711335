/**
 * Hash trees: what a peer asks of ours, and what it answers about its own. An input is a list of answers, each a depth, a count
 * and hashes. A comparison that is given them ends, whatever they are, or refuses one that is no answer; it asks for nodes of the
 * tree only, and what it finds to differ are nodes of it, none twice.
 */
import { ByteReader, ByteWriter, seededRandom, type PartitionId } from '@armature/kernel';
import {
  beginComparison,
  entryDigest,
  isPrefix,
  MerkleTree,
  nextQuestion,
  rangesOfPrefixes,
  takeAnswer,
  type Comparison,
} from '@armature/merkle';
import type { RingVersion } from '@armature/protocol';
import { LocalShare } from '@armature/repair';
import { addressOf } from '@armature/ring';
import { silentLog } from '@armature/runtime';
import { holds, type Target } from '../target.js';
import { attempt, attemptOf, refusalOf } from './outcomes.js';
import { BUCKET, NODES, SET } from './values.js';

const ARC = { bits: 4, index: 3 };
const DEPTH = 2;
const HASH_BYTES = 16;
/** More answers than the largest comparison of such a tree can take. */
const MAX_ANSWERS = 64;

const TREE = treeOf(300);
const OTHER = treeOf(310);

function treeOf(keys: number): MerkleTree {
  const tree = new MerkleTree(ARC.bits, DEPTH);
  const random = seededRandom('trees');
  for (let i = 0; i < keys; i++) {
    const address = addressOf(BUCKET, random.bytes(8));
    tree.update(address, undefined, entryDigest(address, SET));
  }
  return tree;
}

export const trees: Target = {
  name: 'trees',
  what: 'hash trees: questions about ours, and answers about a peer’s',
  covers: ['merkle/takeAnswer', 'repair/LocalShare'],
  seeds: () => [honest(OTHER), honest(TREE), honest(new MerkleTree(ARC.bits, DEPTH)), honest(OTHER.coarsened(1))],
  dense: (sizeBytes) => [
    Buffer.alloc(sizeBytes, 1),
    Buffer.alloc(sizeBytes, 2),
    Buffer.concat([Uint8Array.of(4, 0xff, 0x7f), Buffer.alloc(sizeBytes - 3)]),
  ],
  async run(input) {
    const reader = new ByteReader(input);
    let comparison = beginComparison(TREE);
    const ways = new Set<string>();
    for (let answers = 0; answers < MAX_ANSWERS; answers++) {
      const question = nextQuestion(comparison);
      if (question === undefined) break;
      ways.add(await asked(question.level, question.indices));
      const answer = attempt(() => {
        const depth = reader.u8();
        return { depth, hashes: Array.from({ length: reader.count(HASH_BYTES) }, () => reader.rawBinary(HASH_BYTES)) };
      });
      if (!answer.taken) break;
      const step = takeAnswer(comparison, answer.value);
      if (!step.ok) {
        ways.add(step.error.message);
        holds(step.error.message.includes('another question'), 'a peer’s answer that is refused as a bug');
        break;
      }
      comparison = step.value;
    }
    check(comparison);
    ways.add(await asked(input[0] ?? 0, [input[1] ?? 0, 2 ** 40, (input[2] ?? 0) * 256]));
    return `${comparison.differing.length === 0 ? 'equal so far' : 'differing'}; ${[...ways].sort().join('; ')}`;
  },
};

function check({ differing, waiting }: Comparison): void {
  holds([...differing, ...waiting].every(isPrefix), 'a node that no tree has');
  holds(new Set(differing.map(({ level, index }) => `${level} ${index}`)).size === differing.length, 'a node that differs twice');
  rangesOfPrefixes(ARC, differing);
}

/** What our tree answers a peer that asks this. */
async function asked(level: number, indices: readonly number[]): Promise<string> {
  const trees_ = { tree: () => Promise.resolve(TREE) };
  const share = new LocalShare({
    node: NODES[0],
    trees: trees_,
    replica: undefined as never,
    view: () => undefined as never,
    log: silentLog,
  });
  try {
    const { hashes } = await share.answerTree({
      kind: 'tree',
      ring: 0 as RingVersion,
      partition: 0 as PartitionId,
      n: 3,
      level,
      indices,
    });
    holds(
      hashes.length === indices.length && hashes.every((hash) => hash.length === HASH_BYTES),
      'an answer to another question',
    );
    return 'answered';
  } catch (thrown) {
    return refusalOf(thrown);
  }
}

/** What a peer with this tree would answer. */
function honest(peer: MerkleTree): Uint8Array {
  const writer = new ByteWriter();
  let comparison = beginComparison(TREE);
  for (let question = nextQuestion(comparison); question !== undefined; question = nextQuestion(comparison)) {
    if (question.level > peer.depth) break;
    const hashes = peer.hashes(question.level, question.indices);
    writer.u8(peer.depth).varint(hashes.length);
    for (const hash of hashes) writer.rawBinary(hash);
    const step = attemptOf(takeAnswer(comparison, { depth: peer.depth, hashes }));
    if (!step.taken) break;
    comparison = step.value;
  }
  return writer.copyOut();
}
