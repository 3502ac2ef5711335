/** The driver of giving up one share: does what `relinquish-core.ts` says, and tells it what becomes of that. */
import { toArmatureError, type NodeId } from '@armature/kernel';
import type { View } from '@armature/membership';
import type { KeyRange } from '@armature/merkle';
import { transferTimeMs, type DigestsReply, type ReplyTo, type SynchronisationRequest } from '@armature/protocol';
import type { SliceBudget } from '@armature/replica';
import type { Logger } from '@armature/runtime';
import { MAX_DIGESTS, type LocalShare } from './local-share.js';
import { askPatiently, tooLargeToCarry, type PatientEnv } from './peer-questions.js';
import {
  relinquishCompared,
  relinquishDropped,
  relinquishFailed,
  relinquishHeld,
  relinquishListed,
  relinquishMerged,
  relinquishRead,
  startRelinquish,
  type HeldSet,
  type Interruption,
  type RelinquishedShare,
  type RelinquishEffect,
  type RelinquishState,
  type RelinquishStep,
} from './relinquish-core.js';
import type { TransferPace } from './token-bucket.js';
import type { TransferLedger } from './transfer-ledger.js';

export interface ShareRelinquishEnv extends PatientEnv {
  readonly isSuspect: (node: NodeId) => boolean;
  readonly local: Pick<LocalShare, 'digests' | 'sets' | 'held'>;
  /** Drops those that are still the same, and resolves with how many were. It begins in the turn of the call. */
  readonly drop: (entries: readonly HeldSet[]) => Promise<number>;
  /** Whether the ring is not that of the view any more. */
  readonly hasTurned: (view: View) => boolean;
  readonly budget: SliceBudget;
  readonly pace: TransferPace;
  readonly ledger: TransferLedger;
  readonly log: Logger;
}

/** Under one view: where the ring has turned, all that was verified is void, and the next round begins anew. */
export interface ShareToRelinquish extends RelinquishedShare {
  readonly view: View;
  readonly n: number;
}

/** Rejects with the reason why not all could be given up, after all else has been. */
export function relinquishShare(env: ShareRelinquishEnv, share: ShareToRelinquish): Promise<void> {
  return new Promise((resolve, reject) => new Relinquishing(env, share, { resolve, reject }).begin());
}

interface Verdict {
  readonly resolve: () => void;
  readonly reject: (problem: Error) => void;
}

class Relinquishing {
  readonly #env: ShareRelinquishEnv;
  readonly #share: ShareToRelinquish;
  readonly #verdict: Verdict;
  #state!: RelinquishState;

  constructor(env: ShareRelinquishEnv, share: ShareToRelinquish, verdict: Verdict) {
    this.#env = env;
    this.#share = share;
    this.#verdict = verdict;
  }

  begin(): void {
    this.#take(startRelinquish(this.#share, this.#env.isSuspect, this.#interruption));
  }

  #take({ state, effects }: RelinquishStep): void {
    this.#state = state;
    for (const effect of effects) this.#do(effect);
  }

  #do(effect: RelinquishEffect): void {
    const { ledger, local, drop } = this.#env;
    switch (effect.kind) {
      case 'count':
        ledger.relinquished(effect.dropped);
        return;
      case 'tell':
        this.#tell(effect.dropped);
        return;
      case 'list':
        this.#after(this.#list(effect.start), (page) => relinquishListed(this.#state, page, this.#interruption));
        return;
      case 'compare': {
        const { owner } = effect;
        const digests = this.#digestsOf(owner, effect.range);
        this.#after(digests, (page) => relinquishCompared(this.#state, owner, page, this.#interruption));
        return;
      }
      case 'read': {
        const sets = local.sets(effect.addresses).then((reply) => reply.sets, tooLargeToCarry);
        this.#after(sets, (read) => relinquishRead(this.#state, effect.owner, read, this.#interruption));
        return;
      }
      case 'hand-over': {
        const refused = this.#handOver(effect.owner, effect.entries);
        this.#after(refused, (count) => relinquishMerged(this.#state, effect.owner, count, this.#interruption));
        return;
      }
      case 'hold':
        this.#after(local.held(effect.addresses), (sets) => relinquishHeld(this.#state, sets, this.#interruption));
        return;
      case 'drop':
        this.#after(drop(effect.entries), (dropped) => relinquishDropped(this.#state, dropped, this.#interruption));
        return;
      case 'end':
        if (effect.problem === undefined) this.#verdict.resolve();
        else this.#verdict.reject(effect.problem);
    }
  }

  #after<T>(doing: Promise<T>, took: (result: T) => RelinquishStep): void {
    void doing
      .then((result) => this.#take(took(result)))
      .catch((thrown: unknown) => this.#take(relinquishFailed(this.#state, toArmatureError(thrown))));
  }

  async #list(start: KeyRange['start']): Promise<DigestsReply> {
    const { budget, local } = this.#env;
    const { partition, n, range } = this.#share;
    await budget.ready();
    const ours = await local.digests({ partition, n, bucket: undefined, start, end: range.end, limit: MAX_DIGESTS });
    budget.spend(ours.entries.length);
    return ours;
  }

  #digestsOf(owner: NodeId, { start, end }: KeyRange): Promise<DigestsReply> {
    const { view, partition, n } = this.#share;
    const query = { ring: view.ringVersion, partition, n, bucket: undefined, start, end, limit: MAX_DIGESTS };
    return this.#ask(owner, { kind: 'digests', ...query });
  }

  /** Resolves with how many the owner could not merge. */
  async #handOver(owner: NodeId, entries: readonly HeldSet[]): Promise<number> {
    const { pace, ledger } = this.#env;
    await pace.ready();
    const bytes = entries.reduce((sum, { address, set }) => sum + address.length + set.length, 0);
    const question = { kind: 'absorb', ring: this.#share.view.ringVersion, durable: true, entries } as const;
    const { refused } = await this.#ask(owner, question, transferTimeMs(bytes));
    pace.spend(bytes);
    ledger.handedOver(entries.length, bytes);
    return refused;
  }

  #tell(dropped: number): void {
    const { partition, n } = this.#share;
    this.#env.log.info({ partition, n, dropped }, 'data handed over to its owners was dropped');
  }

  #ask<Q extends SynchronisationRequest>(owner: NodeId, request: Q, moreMs = 0): Promise<ReplyTo<Q>> {
    return askPatiently(
      this.#env,
      owner,
      () => request,
      ({ code }) => code === 'overloaded',
      moreMs,
    );
  }

  get #interruption(): Interruption {
    if (this.#env.isStopped()) return 'stopped';
    return this.#env.hasTurned(this.#share.view) ? 'turned' : 'none';
  }
}
