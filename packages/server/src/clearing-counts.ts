/**
 * How often this node's store has cleared something for reaping, and how often those of the other members have: by that a copy of
 * a store is told from the store.
 *
 * The problem: an image of a node's disk is put back that was taken while the node ran on. It has all actors that the history
 * names, so it seems to be the store that was here last (`store-identity.ts`). But while the node ran on, it cleared tombstones
 * and long clocks. What they superseded is gone everywhere, save in the image, and would come back from there.
 *
 * The algorithm: nothing is dropped unless every member has cleared it. Each clearing raises a number in the member's own store,
 * on stable storage before the member answers. Before anything is dropped, every member keeps the numbers of all members on
 * stable storage, too (`note`). So whoever was a member then can tell a store with a smaller number that it is a copy from before
 * a clearing. Gossip spreads the numbers to those who became members later, and brings a node its own in the exchange in which it
 * compares its history after a start.
 *
 * A number belongs to a _tenure_: the store as it is used from the beginning of a membership, or from a loss of the store, on. A
 * store that begins anew begins with 0 under another name.
 *
 * A node that has exchanged numbers with nobody since it started clears nothing: it might be a copy, and would raise its number
 * beyond that by which it can be told.
 */
import { ArmatureError, type NodeId } from '@armature/kernel';
import type { Member, View } from '@armature/membership';
import type { ClearingCount } from '@armature/protocol';

/** Under which membership a store is used. */
export interface Tenure {
  /** The member's `stint`. */
  readonly stint: string;
  /** The member's `loss`. */
  readonly loss: string | undefined;
}

export interface TenureStore {
  /** Undefined: none has begun. */
  load(): Promise<Tenure | undefined>;
  /** Resolves when it is on stable storage. */
  save(tenure: Tenure): Promise<void>;
}

/** What a store keeps of clearings. */
export interface Clearings {
  /** Its own; of another tenure than the present one, it counts for nothing. Undefined: it has cleared nothing. */
  readonly own: ClearingCount | undefined;
  /** The greatest counts of all members that have been noted, its own among them. */
  readonly known: readonly ClearingCount[];
}

export interface ClearingStore {
  load(): Promise<Clearings>;
  /** Resolves when it is on stable storage; where it is not to be durable, it is there when the store has been synced next. */
  save(clearings: Clearings, durable: boolean): Promise<void>;
}

export interface ClearingCountsEnv {
  readonly node: NodeId;
  readonly tenures: TenureStore;
  readonly store: ClearingStore;
  readonly view: () => View;
  /** Called when it turns out that this store is a copy from before a clearing. */
  readonly onBehind: () => void;
}

/** Its member and the record that began it, which those who were members from the beginning have in common. */
export function tenureId(node: NodeId, { stint, loss }: Tenure): string {
  return `${node}/${loss ?? stint}`;
}

/** The greatest count of each tenure. */
export function greatest(known: readonly ClearingCount[], told: readonly ClearingCount[]): readonly ClearingCount[] {
  const counts = new Map(known.map(({ tenure, count }) => [tenure, count]));
  for (const { tenure, count } of told) counts.set(tenure, Math.max(count, counts.get(tenure) ?? 0));
  return [...counts].map(([tenure, count]) => ({ tenure, count }));
}

/** What is known and was not told, or was told as less. */
export function beyond(known: readonly ClearingCount[], told: readonly ClearingCount[]): readonly ClearingCount[] {
  const counts = new Map(told.map(({ tenure, count }) => [tenure, count]));
  return known.filter(({ tenure, count }) => count > (counts.get(tenure) ?? 0));
}

/** Whether a store of this member may be used under that tenure still. */
function isOf(tenure: string, { node, stint, alsoBegunBy, loss }: Member): boolean {
  return [stint, ...alsoBegunBy].some((one) => tenure === tenureId(node, { stint: one, loss }));
}

export class ClearingCounts {
  readonly #env: ClearingCountsEnv;
  #tenure: Tenure | undefined;
  /** Of that tenure. */
  #count: number;
  #known: readonly ClearingCount[];
  /** What of these this process has seen to be on stable storage. */
  #kept: readonly ClearingCount[] = [];
  #hasHeard = false;
  /** What is saved is saved in the order in which it came about. */
  #turn: Promise<unknown> = Promise.resolve();

  /** Errors: the store's own. */
  static async open(env: ClearingCountsEnv): Promise<ClearingCounts> {
    return new ClearingCounts(env, await env.tenures.load(), await env.store.load());
  }

  private constructor(env: ClearingCountsEnv, tenure: Tenure | undefined, { own, known }: Clearings) {
    this.#env = env;
    this.#tenure = tenure;
    this.#count = own !== undefined && tenure !== undefined && own.tenure === tenureId(env.node, tenure) ? own.count : 0;
    this.#known = known;
  }

  /** Undefined: this store was never used by a member. */
  get tenure(): Tenure | undefined {
    return this.#tenure;
  }

  /** The greatest counts known, its own as others have noted it. */
  get known(): readonly ClearingCount[] {
    return this.#known;
  }

  /** Whether this store has cleared less than others know of it: it is a copy from before a clearing. */
  get isBehind(): boolean {
    const own = this.#own;
    return own !== undefined && this.#known.some(({ tenure, count }) => tenure === own.tenure && count > own.count);
  }

  /** Begins a tenure, with no clearings. Resolves when it is on stable storage. */
  begin({ stint, loss }: Tenure): Promise<void> {
    return this.#inTurn(async () => {
      await this.#env.tenures.save({ stint, loss });
      this.#tenure = { stint, loss };
      this.#count = 0;
    });
  }

  /** Whether this node may clear anything. */
  get mayCount(): boolean {
    const { node, view } = this.#env;
    const isAlone = [...view().members.keys()].every((member) => member === node);
    return this.#tenure !== undefined && (this.#hasHeard || isAlone) && !this.isBehind;
  }

  /**
   * Counts a clearing. The count is on stable storage when the store has been synced after that. Errors: `unavailable` unless
   * `mayCount`, the store's own.
   */
  count(): Promise<ClearingCount> {
    return this.#inTurn(async () => {
      const before = this.#own;
      if (before === undefined || !this.mayCount) throw behind();
      const own = { tenure: before.tenure, count: before.count + 1 };
      await this.#env.store.save({ own, known: this.#known }, false);
      this.#count = own.count;
      return own;
    });
  }

  /**
   * What was counted licenses dropping. Resolves when it is on stable storage. Errors: `unavailable` where this store is behind,
   * the store's own.
   */
  async note(counts: readonly ClearingCount[]): Promise<void> {
    this.#learn(counts);
    if (this.isBehind) throw behind();
    await this.#inTurn(async () => {
      if (beyond(counts, this.#kept).length === 0) return;
      await this.#env.store.save({ own: this.#own, known: this.#known }, true);
      this.#kept = greatest(
        this.#kept.filter(({ tenure }) => this.#isInUse(tenure)),
        counts,
      );
    });
  }

  /**
   * A peer knows these counts. They are taken over as far as they are of stores in use, this one among them. Whoever was told to
   * note them has them on stable storage; here they are stored as well as it goes, for gossip must not end where a disk is full.
   */
  heard(counts: readonly ClearingCount[]): void {
    const own = this.#own;
    this.#hasHeard = true;
    if (!this.#learn(counts.filter(({ tenure }) => tenure === own?.tenure || this.#isInUse(tenure)))) return;
    this.#inTurn(() => this.#env.store.save({ own: this.#own, known: this.#known }, false)).catch(() => undefined);
  }

  /** What a peer lacks that knows these. */
  beyond(told: readonly ClearingCount[]): readonly ClearingCount[] {
    return beyond(this.#known, told);
  }

  /** Whether there was anything new. Counts of tenures that are over make room for it. */
  #learn(counts: readonly ClearingCount[]): boolean {
    if (beyond(counts, this.#known).length === 0) return false;
    const inUse = this.#known.filter(({ tenure }) => this.#isInUse(tenure));
    this.#known = greatest(inUse, counts);
    if (this.isBehind) this.#env.onBehind();
    return true;
  }

  get #own(): ClearingCount | undefined {
    return this.#tenure === undefined ? undefined : { tenure: tenureId(this.#env.node, this.#tenure), count: this.#count };
  }

  #isInUse(tenure: string): boolean {
    return [...this.#env.view().members.values()].some((member) => isOf(tenure, member));
  }

  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(task);
    this.#turn = result.catch(() => undefined);
    return result;
  }
}

function behind(): ArmatureError {
  return new ArmatureError('unavailable', 'this store is not known to be the one that was here last, and clears nothing', {
    remedy: 'It settles by itself: the node is filled by the others where it has to be.',
  });
}
