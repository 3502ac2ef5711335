/**
 * What a node holds of a partition, as the synchronisation messages ask for it: hashes of its trees, digests of its keys, the
 * sets themselves, and merging what comes back. A node answers its peers from here, and runs its own exchanges on it.
 */
import { ArmatureError, toArmatureError, type NodeId, type PartitionId } from '@armature/kernel';
import type { View } from '@armature/membership';
import { entryDigest, MAX_DEPTH, nodesAt, type MerkleTree } from '@armature/merkle';
import {
  largestSetSentBytes,
  pageBytes,
  tooLargeToSend,
  transferTimeMs,
  type AbsorbReply,
  type BucketProperties,
  type DigestsReply,
  type DigestsRequest,
  type Durability,
  type SetsReply,
  type TreeReply,
  type TreeRequest,
} from '@armature/protocol';
import { bucketOfAddress, type Address } from '@armature/ring';
import type { Logger } from '@armature/runtime';
import { isOurs } from './stray-shares.js';
import type { ScanQuery, TreeKeeper } from './tree-keeper.js';

/** The part of a replica that is needed here. */
export interface SynchronisedReplica {
  read(address: Address): Uint8Array | undefined | Promise<Uint8Array | undefined>;
  merge(
    address: Address,
    incoming: Uint8Array,
    bucket: BucketProperties,
    durability: Durability,
    stillValid?: () => boolean,
  ): Promise<void>;
  page(query: ScanQuery): Promise<{
    readonly entries: readonly { readonly address: Address; readonly set: Uint8Array }[];
    readonly next: ScanQuery['start'] | undefined;
  }>;
}

export interface LocalShareEnv {
  readonly node: NodeId;
  readonly trees: Pick<TreeKeeper, 'tree'>;
  readonly replica: SynchronisedReplica;
  readonly view: () => View;
  readonly log: Logger;
  /** Largest message of a link; `MAX_MESSAGE_BYTES` by default. */
  readonly messageBytes?: number | undefined;
}

/** How long a question waits for a tree that is being built: well below the time after which the asker takes us for dead. */
const TREE_WAIT_MS = 3_000;
const MAX_INDICES = 1_024;
export const MAX_DIGESTS = 1_000;
/** Read from the store for one page of digests. */
const DIGESTS_PAGE_BYTES = 4 * 1024 * 1024;
/**
 * Of sets in one answer, where messages are not smaller. A larger set is an answer of its own: what fits into a message fits into
 * an answer.
 */
const MAX_SETS_BYTES = 1024 * 1024;

/**
 * The time to grant to an answer with some of these sets, in ms, beyond what a small one gets. How many of them are in it is up
 * to who answers.
 */
export function answerTimeMs(sizesBytes: readonly number[]): number {
  const allBytes = sizesBytes.reduce((sum, sizeBytes) => sum + sizeBytes, 0);
  return transferTimeMs(Math.max(Math.min(allBytes, MAX_SETS_BYTES), ...sizesBytes));
}

export class LocalShare {
  readonly #env: LocalShareEnv;
  /** Of sets in one answer. */
  readonly #answerBytes: number;
  readonly #largestSentBytes: number;

  constructor(env: LocalShareEnv) {
    this.#env = env;
    this.#answerBytes = pageBytes(MAX_SETS_BYTES, env.messageBytes);
    this.#largestSentBytes = largestSetSentBytes(env.messageBytes);
  }

  /** Errors: `overloaded` while the tree is being built. */
  tree(partition: PartitionId, n: number): Promise<MerkleTree> {
    return this.#env.trees.tree(partition, n, TREE_WAIT_MS);
  }

  async answerTree(request: TreeRequest): Promise<TreeReply> {
    const { level, indices } = request;
    const isQuestion = level <= MAX_DEPTH && indices.length <= MAX_INDICES && indices.every((index) => index < nodesAt(level));
    if (!isQuestion) throw new ArmatureError('invalid-argument', 'these are no nodes of a hash tree');
    const tree = await this.tree(request.partition, request.n);
    if (level > tree.depth) {
      throw new ArmatureError('overloaded', 'the hash tree was built anew during the comparison, and is not so deep any more', {
        remedy: 'Begin the exchange again.',
      });
    }
    return { kind: 'tree', depth: tree.depth, keys: tree.keys, hashes: tree.hashes(level, indices) };
  }

  async digests(request: Omit<DigestsRequest, 'ring' | 'kind'>): Promise<DigestsReply> {
    const { buckets } = this.#env.view();
    const page = await this.#env.replica.page({
      start: request.start,
      end: request.end,
      limit: Math.min(Math.max(1, request.limit), MAX_DIGESTS),
      limitBytes: DIGESTS_PAGE_BYTES,
    });
    const entries = page.entries
      .filter(({ address }) => {
        const bucket = bucketOfAddress(address);
        return buckets.get(bucket)?.n === request.n && (request.bucket === undefined || request.bucket === bucket);
      })
      .map(({ address, set }) => ({ address, digest: entryDigest(address, set), sizeBytes: set.length }));
    return { kind: 'digests', entries, next: page.next };
  }

  /**
   * As many as fit into an answer, at least one, in the order asked for, and none that no message can carry: error `too-large`
   * where that is the first. A damaged record counts as nothing held.
   */
  async sets(addresses: readonly Address[]): Promise<SetsReply> {
    const sets = await this.held(addresses);
    const end = sets.findIndex((set) => set !== undefined && set.length > this.#largestSentBytes);
    if (end === 0) throw tooLargeToSend(addresses[0] as Address);
    return { kind: 'sets', sets: end < 0 ? sets : sets.slice(0, end) };
  }

  /** As many as an answer may have, at least one, of whatever size. */
  async held(addresses: readonly Address[]): Promise<(Uint8Array | undefined)[]> {
    const sets: (Uint8Array | undefined)[] = [];
    let sizeBytes = 0;
    for (const address of addresses) {
      const set = await this.#read(address);
      sizeBytes += set?.length ?? 0;
      if (sets.length > 0 && sizeBytes > this.#answerBytes) break;
      sets.push(set);
    }
    return sets;
  }

  /**
   * Merges all that can be merged; `durable`: onto stable storage whatever the buckets ask. Errors: none for single entries; they
   * are counted and logged.
   */
  async absorb(
    entries: readonly { readonly address: Address; readonly set: Uint8Array }[],
    durable: boolean,
  ): Promise<AbsorbReply> {
    const settled = await Promise.allSettled(entries.map(({ address, set }) => this.#merge(address, set, durable)));
    const problems = settled.flatMap((one) => (one.status === 'rejected' ? [toArmatureError(one.reason)] : []));
    const [problem] = problems;
    if (problem !== undefined) {
      this.#env.log.warn({ refused: problems.length, code: problem.code, err: problem }, 'a repair could not be merged');
    }
    return { kind: 'absorb', merged: entries.length - problems.length, refused: problems.length };
  }

  async #read(address: Address): Promise<Uint8Array | undefined> {
    try {
      return await this.#env.replica.read(address);
    } catch (thrown) {
      const error = toArmatureError(thrown);
      if (error.code === 'storage-corrupt') return undefined;
      throw error;
    }
  }

  /**
   * Not what has ceased to be this node's on the way: it has been looked for what is to be given up, and nobody would look again
   * before the next change.
   */
  async #merge(address: Address, set: Uint8Array, durable: boolean): Promise<void> {
    const { node, view, replica } = this.#env;
    const name = bucketOfAddress(address);
    const bucket = view().buckets.get(name);
    if (bucket === undefined) throw new ArmatureError('unknown-bucket', `there is no bucket ${name}`);
    const durability = durable ? 'fsync' : bucket.durability;
    await replica.merge(address, set, bucket, durability, () => isOurs(view(), node, address, bucket.n));
  }
}
