/**
 * Filling: a node that has become an owner of partitions copies them from their present owners, and then says that it is ready
 * (paper, section 4.9).
 *
 * Since the change that made it an owner is in its view, every coordinator that knows of the change sends it all writes too, and
 * the present owners refuse coordinators that do not (the ring fence). So what an owner holds when it answers under that ring or
 * a later one, and what arrives here from then on, is everything. Copying merges, so it may repeat, overlap with writes, and
 * start again after a failure; what it costs to start again, and why it need not begin at the beginning, is told in
 * `share-copy.ts`.
 *
 * A write was acknowledged by W owners; which ones is not known, so all of them are asked, and owners that are down are left out
 * only while those that answer have every such write among them: N - W + 1, or all there are. (A single request may ask for less
 * than its bucket's W, and then relies on repair.)
 *
 * Before it says `ready`, it makes sure of three things: that what it compared is on stable storage; that it knows every bucket
 * its sources know, for `ready` holds for all of them; and that the owners which it copied are still enough of the owners there
 * are.
 *
 * Here it is decided when there is a round. What is decided in a round is in `fill-core.ts`, and who does it in `fill-round.ts`.
 */
import { toArmatureError, type NodeId, type PartitionId } from '@armature/kernel';
import type { View } from '@armature/membership';
import { unknownBucket } from '@armature/protocol';
import { bucketOfAddress, type Address } from '@armature/ring';
import type { Clock, Logger } from '@armature/runtime';
import { SliceBudget, type Replica, type TakeSlice } from '@armature/replica';
import { fillAll, type FillRoundEnv } from './fill-round.js';
import type { LocalShare } from './local-share.js';
import type { AskPeer } from './peer-questions.js';
import { Rounds } from './rounds.js';
import type { ShareCopyEnv } from './share-copy.js';
import { isOurs } from './stray-shares.js';
import type { TransferPace } from './token-bucket.js';
import type { TransferLedger } from './transfer-ledger.js';

export interface FillerEnv {
  readonly node: NodeId;
  readonly view: () => View;
  readonly ask: AskPeer;
  readonly isSuspect: (node: NodeId) => boolean;
  /**
   * Whether the store is known to be this node's of now: what is left from an earlier life, or is about to be discarded, is
   * neither built on nor handed on.
   */
  readonly isOwnStore: () => boolean;
  /** Resolves when every record of membership that the peer knows is in the view. */
  readonly catchUp: (peer: NodeId) => Promise<unknown>;
  readonly local: Pick<LocalShare, 'digests'>;
  readonly replica: Pick<Replica, 'merge'>;
  /** Resolves when everything written before is on stable storage. */
  readonly sync: () => Promise<void>;
  /** Resolves when nothing is being dropped any more that an earlier view did not want here. */
  readonly dropsEnded: () => Promise<void>;
  readonly declareReady: (change: string, partitions: readonly PartitionId[]) => Promise<unknown>;
  /** Background work asks first. */
  readonly slice: TakeSlice;
  readonly pace: TransferPace;
  readonly ledger: TransferLedger;
  /** Partitions copied at a time. */
  readonly atOnce: number;
  readonly clock: Clock;
  readonly log: Logger;
}

const RETRY_MS = 1_000;

export class Filler {
  readonly #env: FillerEnv;
  readonly #filling: FillRoundEnv;
  readonly #rounds: Rounds;
  #hasBegun = false;

  constructor(env: FillerEnv) {
    this.#env = env;
    this.#rounds = new Rounds({ clock: env.clock, round: () => this.#round(), retryMs: RETRY_MS });
    const { node, view, isSuspect, sync, dropsEnded, declareReady, ledger, atOnce, log } = env;
    this.#filling = {
      ...{ node, view, isSuspect, sync, dropsEnded, declareReady, ledger, atOnce, log },
      copying: this.#copying(),
      wake: () => this.wake(),
    };
  }

  /**
   * Looks whether there is something to fill. Cheap when there is not; call it on every change of the view, and when the store
   * has turned out to be its own.
   */
  wake(): void {
    this.#rounds.wake();
  }

  stop(): void {
    this.#rounds.stop();
  }

  async #round(): Promise<boolean> {
    const { isOwnStore, view, node, ledger, log } = this.#env;
    if (!isOwnStore()) return true;
    if (view().pendingFor(node).length === 0) {
      this.#hasBegun = false;
      ledger.problem('filling', '');
      return true;
    }
    if (!this.#hasBegun) ledger.fillBegan();
    this.#hasBegun = true;
    try {
      await fillAll(this.#filling);
      // A round that was cut short says nothing.
      if (!this.#rounds.isStopped) ledger.problem('filling', '');
      return true;
    } catch (thrown) {
      if (this.#rounds.isStopped) return true;
      const error = toArmatureError(thrown);
      ledger.problem('filling', `${error.code}: ${error.message}`);
      log.warn({ err: error }, 'filling was interrupted and goes on in a second');
      return false;
    }
  }

  #copying(): ShareCopyEnv {
    const { ask, clock, local, view, catchUp, slice, pace } = this.#env;
    return {
      ...{ ask, clock, local, catchUp, pace },
      isStopped: () => this.#rounds.isStopped,
      keep: (address, set) => this.#keep(address, set),
      ring: () => view().ringVersion,
      budget: new SliceBudget(slice, 'fill'),
    };
  }

  /**
   * On stable storage whatever the bucket's durability: `ready` is, and it says that this node holds what it copied. What has
   * ceased to be this node's while it was on its way is left: it has been looked for what is to be given up, and nobody would
   * look again before the next change.
   */
  async #keep(address: Address, set: Uint8Array): Promise<void> {
    const { node, view, replica } = this.#env;
    const name = bucketOfAddress(address);
    const bucket = view().buckets.get(name);
    if (bucket === undefined) throw unknownBucket(name);
    try {
      await replica.merge(address, set, bucket, 'fsync', () => isOurs(view(), node, address, bucket.n));
    } catch (thrown) {
      if (toArmatureError(thrown).code !== 'stale-ring') throw thrown;
    }
  }
}
