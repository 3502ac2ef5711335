/** The driver of one round of filling: does what `fill-core.ts` says, and tells it what becomes of that. */
import { assert, toArmatureError, type ArmatureError, type NodeId, type PartitionId } from '@armature/kernel';
import type { View } from '@armature/membership';
import type { Logger } from '@armature/runtime';
import {
  fillCleared,
  fillConfirmed,
  fillCopied,
  fillDeclared,
  fillFailed,
  fillSourceFailed,
  fillUndeclared,
  startFill,
  type FillEffect,
  type FillMoment,
  type FillState,
  type FillStep,
} from './fill-core.js';
import { PeerFailure, problemText } from './peer-questions.js';
import { copyShare, type ShareCopyEnv } from './share-copy.js';
import type { TransferLedger } from './transfer-ledger.js';

export interface FillRoundEnv {
  readonly node: NodeId;
  readonly view: () => View;
  readonly isSuspect: (node: NodeId) => boolean;
  readonly copying: ShareCopyEnv;
  /** Resolves when everything written before is on stable storage. */
  readonly sync: () => Promise<void>;
  /** Resolves when nothing is being dropped any more that an earlier view did not want here. */
  readonly dropsEnded: () => Promise<void>;
  readonly declareReady: (change: string, partitions: readonly PartitionId[]) => Promise<unknown>;
  /** There is something to fill after this round. */
  readonly wake: () => void;
  readonly ledger: TransferLedger;
  /** Partitions copied at a time. */
  readonly atOnce: number;
  readonly log: Logger;
}

/**
 * A round over all pending partitions; one that cannot be copied keeps no other from it. Rejects with the first problem, when all
 * else is done.
 */
export function fillAll(env: FillRoundEnv): Promise<void> {
  return new Promise((resolve, reject) => new FillRound(env, { resolve, reject }).begin());
}

interface Verdict {
  readonly resolve: () => void;
  readonly reject: (problem: Error) => void;
}

/** An effect of this kind. */
type EffectOf<K extends FillEffect['kind']> = Extract<FillEffect, { readonly kind: K }>;

class FillRound {
  readonly #env: FillRoundEnv;
  readonly #verdict: Verdict;
  #state!: FillState;

  constructor(env: FillRoundEnv, verdict: Verdict) {
    this.#env = env;
    this.#verdict = verdict;
  }

  begin(): void {
    const { view, node, atOnce } = this.#env;
    this.#take(startFill(view().pendingFor(node), atOnce, this.#moment));
  }

  #take({ state, effects }: FillStep): void {
    this.#state = state;
    for (const effect of effects) this.#do(effect);
  }

  #do(effect: FillEffect): void {
    switch (effect.kind) {
      case 'note': {
        const { partition, failures } = effect;
        this.#env.log.warn({ partition, failures }, 'a partition was copied without some of its owners');
        return;
      }
      case 'wake':
        this.#env.wake();
        return;
      case 'clear': {
        const failed = this.#failed(effect.partition);
        this.#after(this.#env.dropsEnded(), () => fillCleared(this.#state, effect.partition, this.#moment), failed);
        return;
      }
      case 'copy':
        this.#after(this.#copy(effect), (failure) => this.#copied(effect, failure), this.#failed(effect.partition));
        return;
      case 'confirm':
        this.#after(this.#confirm(effect), (silent) => this.#confirmed(effect, silent), this.#undeclared(effect.id));
        return;
      case 'declare': {
        const undeclared = this.#undeclared(effect.id);
        this.#after(this.#declare(effect), () => fillDeclared(this.#state, effect.id, this.#moment), undeclared);
        return;
      }
      case 'end':
        if (effect.problem === undefined) this.#verdict.resolve();
        else this.#verdict.reject(effect.problem);
    }
  }

  #after<T>(doing: Promise<T>, took: (result: T) => FillStep, failed: (problem: ArmatureError) => FillStep): void {
    void doing.then((result) => this.#take(took(result))).catch((thrown: unknown) => this.#take(failed(toArmatureError(thrown))));
  }

  /** Resolves with what kept the source from doing its part. Rejects with our own trouble. */
  async #copy({ partition, n, source }: EffectOf<'copy'>): Promise<string | undefined> {
    const { view, ledger, copying } = this.#env;
    const { ring } = view();
    assert(ring !== undefined, 'who copies knows the ring');
    const notes = ledger.copyBegan(partition, source);
    try {
      await copyShare(copying, { partition, n, range: ring.rangeOf(partition), source }, notes);
      return undefined;
    } catch (thrown) {
      if (thrown instanceof PeerFailure) return problemText(thrown);
      throw thrown;
    } finally {
      notes.ended();
    }
  }

  #copied({ partition }: EffectOf<'copy'>, failure: string | undefined): FillStep {
    if (failure === undefined) return fillCopied(this.#state, partition, this.#moment);
    return fillSourceFailed(this.#state, partition, failure, this.#moment);
  }

  #failed(partition: PartitionId): (problem: ArmatureError) => FillStep {
    return (problem) => fillFailed(this.#state, partition, problem, this.#moment);
  }

  /** Resolves with those of the sources that could not say what they know of membership. */
  async #confirm({ sources }: EffectOf<'confirm'>): Promise<ReadonlySet<NodeId>> {
    await this.#env.sync();
    const silent = new Set<NodeId>();
    for (const source of sources) await this.#env.copying.catchUp(source).catch(() => silent.add(source));
    return silent;
  }

  #confirmed({ id }: EffectOf<'confirm'>, silent: ReadonlySet<NodeId>): FillStep {
    const { view, node } = this.#env;
    return fillConfirmed(this.#state, id, silent, view().pendingFor(node), this.#moment);
  }

  async #declare({ change, partitions }: EffectOf<'declare'>): Promise<void> {
    await this.#env.declareReady(change, partitions);
    this.#env.ledger.filled(partitions.length);
  }

  #undeclared(id: number): (problem: ArmatureError) => FillStep {
    return (problem) => fillUndeclared(this.#state, id, problem, this.#moment);
  }

  get #moment(): FillMoment {
    const { view, isSuspect, copying } = this.#env;
    return { nowMs: copying.clock.monotonicMs(), isStopped: copying.isStopped(), view: view(), isSuspect };
  }
}
