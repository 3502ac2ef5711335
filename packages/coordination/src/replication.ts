/**
 * The driver of a put's replication: does what `put-core.ts` says, and tells it what becomes of that. It decides nothing.
 *
 * In a buffered bucket all copies are made in memory, but for one: see `durable-copy.ts` (paper, section 6.1). Nobody waits for
 * that one.
 */
import { toArmatureError, type NodeId } from '@armature/kernel';
import type { View } from '@armature/membership';
import { transferTimeMs, type BucketProperties, type Durability, type MergeRequest } from '@armature/protocol';
import type { MintResult } from '@armature/replica';
import type { Address } from '@armature/ring';
import type { Alarm } from '@armature/runtime';
import { DurableCopy } from './durable-copy.js';
import { MAX_RING_RETRIES } from './environment.js';
import { watchSilent } from './patience.js';
import type { MintingEnv } from './put.js';
import {
  putAnswered,
  putBegun,
  putCommitFailed,
  putCommitted,
  putEnded,
  putMadeDurable,
  putRefreshed,
  putRefused,
  putSilent,
  type PutState,
  type PutEffect,
  type PutStep,
} from './put-core.js';
import type { PutPlan, PutTally, StandIn } from './put-quorum.js';
import type { WriteQuorum } from './quorum.js';

/**
 * How long a failed put waits for replicas that have not answered: longer than a healthy one takes, short for a caller who will
 * repeat.
 */
const SHORT_GRACE_MS = 250;

/**
 * How long a fallback, or one that is to make the durable copy, is waited for at least, whether or not the caller still does;
 * longer for a large set.
 */
const AFTERWARDS_TIMEOUT_MS = 5_000;

export interface Replicated {
  readonly address: Address;
  readonly bucket: BucketProperties;
  readonly minted: MintResult;
  /** Set when this node mints as a fallback. */
  readonly standIn: StandIn | undefined;
  readonly quorum: WriteQuorum;
  /** Monotonic ms. */
  readonly deadlineMs: number;
}

/** Resolves with the first verdict, or with what stands at the deadline. Replicas that are still to answer get their time. */
export function replicate(env: MintingEnv, replicated: Replicated): Promise<PutTally> {
  return new Promise((decide) => new Replication(env, replicated, decide).begin());
}

class Replication {
  readonly #env: MintingEnv;
  readonly #put: Replicated;
  readonly #decide: (tally: PutTally) => void;
  readonly #afterwardsMs: number;
  /** When half of the put's time is over, monotonic ms. */
  readonly #halfMs: number;
  #view: View;
  #state!: PutState;
  /** In a buffered bucket. */
  #durable: DurableCopy | undefined;
  #deadline: Alarm | undefined;
  #patience: Alarm | undefined;

  constructor(env: MintingEnv, put: Replicated, decide: (tally: PutTally) => void) {
    this.#env = env;
    this.#put = put;
    this.#decide = decide;
    this.#afterwardsMs = AFTERWARDS_TIMEOUT_MS + transferTimeMs(put.minted.encoded.length);
    this.#halfMs = put.deadlineMs - this.#leftMs() / 2;
    this.#view = env.view();
  }

  begin(): void {
    const { self, monitor, alarms } = this.#env;
    const { address, bucket, minted, standIn, quorum } = this.#put;
    const { owners, pending, fallbacks } = this.#view.placement(address, quorum.n);
    const down = owners.filter((owner) => owner !== self && monitor.isSuspect(owner));
    if (bucket.durability === 'buffered') this.#durable = this.#durableCopy(owners, down);
    this.#deadline = alarms.set(this.#leftMs(), () => this.#take(putEnded(this.#state)));
    const others = fallbacks.slice(0, quorum.n);
    this.#patience = watchSilent(
      this.#env,
      () => [...this.#state.inFlight, ...others],
      () => this.#giveUpSuspects(),
    );
    this.#take(
      putBegun({ self, down, standIn, plan: this.#plan(), ring: this.#view.ringVersion, maxRefreshes: MAX_RING_RETRIES }),
    );
    minted.committed.then(
      () => this.#take(putCommitted(this.#state, bucket.durability === 'fsync')),
      (thrown: unknown) => this.#take(putCommitFailed(this.#state, toArmatureError(thrown).code)),
    );
    // A pending owner that seems to be down is given the version all the same, in case it is up and about to be ready; it is not
    // waited for.
    if (pending.length > 0) this.#giveUpSuspects();
  }

  #take({ state, effects }: PutStep): void {
    this.#state = state;
    for (const effect of effects) this.#do(effect);
  }

  #do(effect: PutEffect): void {
    switch (effect.kind) {
      case 'send':
        this.#send(effect.node, effect.hintFor);
        return;
      case 'keep-hint':
        this.#keepHint(effect.owner);
        return;
      case 'refresh':
        this.#refresh();
        return;
      case 'grace':
        this.#env.alarms.set(SHORT_GRACE_MS, () => this.#take(putEnded(this.#state)));
        return;
      case 'decide':
        this.#deadline?.cancel();
        this.#patience?.cancel();
        this.#decide(this.#state.tally);
    }
  }

  #send(node: NodeId, hintFor: NodeId | undefined): void {
    const { inHand, ask } = this.#env;
    const ring = this.#view.ringVersion;
    const sent = { node, hintFor, ring };
    const durable = this.#durable?.holder === node ? this.#durable : undefined;
    const message = this.#message(durable === undefined ? this.#put.bucket.durability : 'fsync');
    // A hint is worth storing after the answer, too: it is how the version gets back to N replicas.
    const timeoutMs = Math.max(hintFor === undefined ? 1 : this.#afterwardsMs, this.#leftMs());
    const letGo = inHand.hold(this.#put.address);
    const asked = ask(node, hintFor === undefined ? message : { ...message, hintFor }, timeoutMs);
    durable?.watch(
      node,
      asked.then((reply) => reply.durable),
    );
    asked.then(
      (reply) => {
        this.#take(putAnswered(this.#state, sent, reply.durable));
        letGo();
      },
      (thrown: unknown) => {
        this.#take(putRefused(this.#state, sent, toArmatureError(thrown).code, this.#leftMs() <= 0));
        letGo();
      },
    );
  }

  #keepHint(owner: NodeId): void {
    const { hints, inHand, log } = this.#env;
    const { address, bucket, minted } = this.#put;
    const letGo = inHand.hold(address);
    hints.merge(owner, address, minted.encoded, bucket, 'os').then(letGo, (thrown: unknown) => {
      letGo();
      log.debug({ owner, err: toArmatureError(thrown) }, 'no hint was kept');
    });
  }

  #refresh(): void {
    const letGo = this.#env.inHand.hold(this.#put.address);
    const replan = (view: View): void => {
      this.#view = view;
      this.#take(putRefreshed(this.#state, this.#plan(), view.ringVersion));
      letGo();
    };
    this.#env.refresh().then(replan, () => replan(this.#env.view()));
  }

  #giveUpSuspects(): void {
    const { clock, monitor } = this.#env;
    const isSuspect = (node: NodeId): boolean => monitor.isSuspect(node);
    this.#take(putSilent(this.#state, isSuspect, () => this.#plan().fallbacks ?? [], clock.monotonicMs() >= this.#halfMs));
  }

  #durableCopy(owners: readonly NodeId[], down: readonly NodeId[]): DurableCopy {
    const { self, alarms, log, metrics } = this.#env;
    return new DurableCopy({
      ...{ self, owners, down, alarms, log },
      sizeBytes: this.#put.minted.encoded.length,
      make: (node) => this.#makeDurable(node),
      made: (node) => this.#take(putMadeDurable(this.#state, node)),
      missing: () => metrics.durableCopiesMissing.add(),
    });
  }

  /** For one that has its copy, in memory, or is just being given it. */
  async #makeDurable(node: NodeId): Promise<boolean> {
    const { self, inHand, ask, replica, hints } = this.#env;
    const { address, bucket, minted, standIn } = this.#put;
    const letGo = inHand.hold(address);
    try {
      if (node !== self) return (await ask(node, this.#message('fsync'), this.#afterwardsMs)).durable;
      if (standIn === undefined) await replica.merge(address, minted.encoded, bucket, 'fsync');
      else await hints.merge(standIn.owner, address, minted.encoded, bucket, 'fsync');
      return true;
    } finally {
      letGo();
    }
  }

  #message(durability: Durability): MergeRequest {
    const { address, minted } = this.#put;
    return { kind: 'merge', ring: this.#view.ringVersion, address, set: minted.encoded, durability };
  }

  /** With the fallbacks that are up now. */
  #plan(): PutPlan {
    const { self, monitor } = this.#env;
    const { address, quorum } = this.#put;
    const placement = this.#view.placement(address, quorum.n);
    return { ...placement, quorum, fallbacks: placement.fallbacks.filter((node) => node !== self && !monitor.isSuspect(node)) };
  }

  #leftMs(): number {
    return this.#put.deadlineMs - this.#env.clock.monotonicMs();
  }
}
