/**
 * Relinquishing: a node gives up data of partitions that it does not own any more (paper, section 4.9: nodes offer to transfer
 * key ranges they are not in charge of, and give them up upon confirmation).
 *
 * When a partition flips, its new owners hold all that was acknowledged. Still, what the former owner has may be the only copy of
 * something: a write that met no quorum, or data of a partition that lost all its owners. So nothing is deleted on the word of
 * the membership. Page by page, under one view and only when no owner is still to come, every owner is asked for the digests of
 * the same keys. What an owner holds in the very same state is verified there, and on stable storage, for an owner syncs before
 * it answers with digests; everything else it is given, to merge onto stable storage, and its acknowledgement counts as well.
 * Only what all owners were found to hold is dropped here, and only if it is still what was verified. An owner that is down keeps
 * everything where it is, until the next try. A set that no message can carry stays here until it is made smaller, and keeps no
 * other here.
 *
 * A node that becomes an owner again while it drops would find keys missing that it has just been found to hold; so nothing is
 * dropped once the view has changed, and the filler waits until drops that were under way have ended.
 *
 * Here are the rounds over all shares to give up. What is decided about one of them is in `relinquish-core.ts`, and who does it
 * in `share-relinquish.ts`.
 */
import { toArmatureError, type NodeId, type PartitionId } from '@armature/kernel';
import type { View } from '@armature/membership';
import { SliceBudget, type Replica, type TakeSlice } from '@armature/replica';
import type { Clock, Logger } from '@armature/runtime';
import type { LocalShare } from './local-share.js';
import { problemText, type AskPeer } from './peer-questions.js';
import type { HeldSet } from './relinquish-core.js';
import { Rounds } from './rounds.js';
import { relinquishShare, type ShareRelinquishEnv } from './share-relinquish.js';
import { dutyOf, findStrays, isStray, type StraySearchEnv } from './stray-shares.js';
import type { TransferPace } from './token-bucket.js';
import type { TransferLedger } from './transfer-ledger.js';
import type { TreeKeeper } from './tree-keeper.js';

export interface RelinquisherEnv {
  readonly node: NodeId;
  readonly view: () => View;
  readonly ask: AskPeer;
  readonly isSuspect: (node: NodeId) => boolean;
  /**
   * Whether the store is known to be this node's of now: what is left from an earlier life, or is about to be discarded, is
   * neither built on nor handed on.
   */
  readonly isOwnStore: () => boolean;
  readonly local: Pick<LocalShare, 'digests' | 'sets' | 'held'>;
  readonly trees: Pick<TreeKeeper, 'sizeOf'>;
  readonly replica: Pick<Replica, 'page' | 'drop'>;
  /** Background work asks first. */
  readonly slice: TakeSlice;
  readonly pace: TransferPace;
  readonly ledger: TransferLedger;
  readonly clock: Clock;
  readonly log: Logger;
}

const RETRY_MS = 5_000;

export class Relinquisher {
  readonly #env: RelinquisherEnv;
  readonly #search: StraySearchEnv;
  readonly #sharing: ShareRelinquishEnv;
  readonly #rounds: Rounds;
  #dropping: Promise<unknown> = Promise.resolve();
  /** Ring version under which the last round found nothing to give up, or gave it all up. */
  #clearUnder: number | undefined;

  constructor(env: RelinquisherEnv) {
    this.#env = env;
    this.#rounds = new Rounds({ clock: env.clock, round: () => this.#round(), retryMs: RETRY_MS });
    const { node, trees, replica, slice, ask, clock, isSuspect, local, pace, ledger, log } = env;
    const budget = new SliceBudget(slice, 'fill');
    this.#search = { node, trees, replica, budget };
    this.#sharing = {
      ...{ ask, clock, isSuspect, local, budget, pace, ledger, log },
      isStopped: () => this.#rounds.isStopped,
      hasTurned: (view) => this.#hasTurned(view),
      drop: (entries) => this.#drop(entries),
    };
  }

  /**
   * Looks for data to give up. Call it at the start, on every change of the view, and when the store has turned out to be its
   * own.
   */
  wake(): void {
    this.#rounds.wake();
  }

  stop(): void {
    this.#rounds.stop();
  }

  /** Whether nothing is held here, under the present view, that is others'. */
  get isClear(): boolean {
    return this.#clearUnder === this.#env.view().ringVersion;
  }

  /** Resolves when the drops that an earlier view allowed have ended; under a view that wants the data here no others begin. */
  async dropsEnded(): Promise<void> {
    await this.#dropping;
  }

  async #round(): Promise<boolean> {
    if (!this.#env.isOwnStore()) return true;
    let isClear = false;
    let problem = '';
    try {
      isClear = await this.#giveUpAll();
    } catch (thrown) {
      problem = problemText(toArmatureError(thrown));
    }
    if (problem !== '') this.#env.log.info({ problem }, 'data of others stays here for now');
    this.#env.ledger.problem('relinquishing', problem);
    return isClear;
  }

  /**
   * Whether all is given up, as far as hash trees that are built can tell. Rejects with the first problem, after all else has
   * been tried.
   */
  async #giveUpAll(): Promise<boolean> {
    const view = this.#env.view();
    const found = await findStrays(this.#search, view);
    const strays = new Map(found.strays);
    this.#env.ledger.strays(strays.size);
    const problems: unknown[] = [];
    for (const [partition, ns] of [...strays]) {
      for (const n of ns) {
        if (this.#rounds.isStopped || this.#hasTurned(view)) return false;
        if (dutyOf(view, this.#env.node, partition, n) !== 'relinquish') continue;
        await this.#relinquish(view, partition, n).catch((thrown: unknown) => problems.push(thrown));
      }
      if (!(await isStray(this.#search, view, partition, ns))) strays.delete(partition);
      this.#env.ledger.strays(strays.size);
    }
    const isClear = strays.size === 0 && found.isAll;
    if (isClear) this.#clearUnder = view.ringVersion;
    if (problems.length > 0) throw problems[0];
    return isClear;
  }

  #hasTurned(view: View): boolean {
    return this.#env.view().ringVersion !== view.ringVersion;
  }

  /** Rejects with the reason why not all of it could be given up. */
  async #relinquish(view: View, partition: PartitionId, n: number): Promise<void> {
    if (view.ring === undefined) return;
    const { owners } = view.placementOf(partition, n);
    await relinquishShare(this.#sharing, { view, partition, n, range: view.ring.rangeOf(partition), owners });
  }

  /** They begin in this turn, so that whoever waits for the drops from now on waits for these, too. */
  async #drop(entries: readonly HeldSet[]): Promise<number> {
    const { replica } = this.#env;
    const settled = Promise.allSettled(entries.map(async ({ address, set }) => replica.drop(address, set)));
    this.#dropping = settled;
    let dropped = 0;
    for (const one of await settled) {
      if (one.status === 'rejected') throw toArmatureError(one.reason);
      if (one.value) dropped++;
    }
    return dropped;
  }
}
