/**
 * Which acknowledged writes the cluster may have lost without having broken its word.
 *
 * Acknowledged means: so many replicas have it, as safely as the bucket wants. A replica's disk may fail, and the copies
 * elsewhere are what replication is for. What durability survives:
 *
 *   fsync             all but rot of the record, and the loss of the disk or of the node
 *   os                not a power failure, either
 *   memory, buffered  nor the end of the process
 *
 * Where copies stay where they are (owners acknowledged, and the ring did not change), a write may be gone only when all who
 * acknowledged it have suffered more than that. Else copies move: from a fallback to the owner it stands in for, from one owner
 * to the next, who gives up its own; then it may be gone only when as many nodes as the bucket wants to acknowledge a write (W)
 * have suffered so much, whichever they are.
 *
 * Of a buffered bucket this asks less than it promises: others have a copy on disk within milliseconds, if their disks and the
 * network are well. For a run in which they are not, nothing shorter can be said.
 */
import type { NodeId } from '@armature/kernel';
import { tookPart, type Durability } from '@armature/protocol';
import type { Mishap } from '../world/disk.js';
import type { Operation } from './operation-log.js';
import { nameUnder } from './replica-contents.js';
import type { LoadedBucket } from '../workload/workload.js';

const SURVIVED: Readonly<Record<Durability, ReadonlySet<Mishap['kind']>>> = {
  fsync: new Set(['power', 'kill']),
  os: new Set(['kill']),
  memory: new Set(),
  buffered: new Set(),
};

export interface CustodyOptions {
  /** Of each node, all that has befallen its disk in the run. */
  readonly mishaps: ReadonlyMap<NodeId, readonly Mishap[]>;
  /** Whether owners have changed in the run. */
  readonly ownersChanged: boolean;
  /** Whether fallbacks can stand in for owners, which they can unless told. */
  readonly roomForHints?: boolean;
}

/** An acknowledged write, or what is known of it. */
export type Kept = Pick<Operation, 'key' | 'receipt' | 'beganMs'>;

export class Custody {
  readonly #options: CustodyOptions;

  constructor(options: CustodyOptions) {
    this.#options = options;
  }

  /** Whether the write may be gone, from everywhere, by then (virtual ms). */
  mayBeLost({ key, receipt, beganMs }: Kept, { name, properties }: LoadedBucket, untilMs = Infinity): boolean {
    const hasSuffered = (node: NodeId): boolean =>
      this.#hasSuffered(node, `${name}/${key}`, properties.durability, beganMs, untilMs);
    const keepers = receipt?.replicas.filter(tookPart) ?? [];
    const stay = receipt !== undefined && !this.#options.ownersChanged && keepers.every(({ role }) => role === 'primary');
    if (stay) return keepers.every(({ node }) => hasSuffered(node));
    return [...this.#options.mishaps.keys()].filter(hasSuffered).length >= properties.w;
  }

  /** Whether a node that acknowledged the write as an owner, and is one then (virtual ms), may lack it. */
  mayLack(node: NodeId, write: Kept, bucket: LoadedBucket, untilMs: number): boolean {
    const name = `${bucket.name}/${write.key}`;
    if (this.#hasSuffered(node, name, bucket.properties.durability, write.beganMs, untilMs)) return true;
    // It may have handed it over in between, and has it again from those who own the key then.
    return this.#options.ownersChanged && this.mayBeLost(write, bucket, untilMs);
  }

  /**
   * Whether rot may have left some key of the bucket with fewer whole records than a read wants: then it cannot be read before it
   * is written again.
   */
  mayBeUnreadable({ properties: { n, r } }: LoadedBucket): boolean {
    return n - this.#rotten < r;
  }

  /**
   * Whether fewer owners may lead writes than a write wants, and no fallback can stand in for them: who writes over records that
   * have rotted takes a fresh actor for each, and after the third one in a row leaves writes to others for up to a minute.
   */
  mayLeadTooFew({ properties: { n, w } }: LoadedBucket): boolean {
    return this.#options.roomForHints === false && n - this.#rotten < w;
  }

  /** Nodes some of whose records have rotted. */
  get #rotten(): number {
    return [...this.#options.mishaps.values()].filter((mishaps) => mishaps.some(({ kind }) => kind === 'rot')).length;
  }

  #hasSuffered(node: NodeId, name: string, durability: Durability, fromMs: number, untilMs: number): boolean {
    return hasSuffered(this.#options.mishaps.get(node) ?? [], name, durability, fromMs, untilMs);
  }
}

/** Whether a disk may have lost what it had of a key ("bucket/key"), in that time (virtual ms). */
export function hasSuffered(
  mishaps: readonly Mishap[],
  name: string,
  durability: Durability,
  fromMs: number,
  untilMs = Infinity,
): boolean {
  return mishaps.some(
    ({ kind, atMs, endedMs, keys }) =>
      endedMs >= fromMs &&
      atMs <= untilMs &&
      !SURVIVED[durability].has(kind) &&
      (kind !== 'rot' || keys.some((key) => nameUnder(key) === name)),
  );
}
