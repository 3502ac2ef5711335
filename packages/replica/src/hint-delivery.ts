/**
 * Hinted handoff: taking hints home (paper, section 4.6).
 *
 * When an owner answers again, and every now and then besides, its hints go out in ring order, a bounded number at a time, each as a
 * merge; a hint is deleted when the owner has acknowledged it, and only if nothing was added to it meanwhile. A delivery that is interrupted starts
 * again where hints are left, since what was delivered is gone.
 *
 * An owner that does not own the key any more, because it left, was removed, or its share moved, cannot be given it. Its hints go to all present owners of
 * the key instead, and are deleted when all of them have acknowledged: a hint may be the only copy of a write. Pending owners get every hint too, as they get
 * every write: one that has copied its partition already would otherwise take it over without what comes home after that.
 *
 * A hint may also grow too old to be waited with: its owner has been away for days. It may still be the only copy of a write, so it is not just dropped; all other
 * owners that are up are given it, and it is deleted when they have acknowledged. The absent one gets it from them, by replica synchronisation.
 *
 * A node that is leaving cannot wait for owners that are down. What it keeps for one of these it gives into other hands: to another node that is to stay, as a
 * hint for the same owner, preferably one that would stand in for the key anyway.
 *
 * Hints of a buffered bucket go home durable: the hint is deleted then, and where a fallback minted it may have been the one durable copy.
 */
import { ArmatureError, toArmatureError, type NodeId } from '@armature/kernel';
import type { View } from '@armature/membership';
import { transferTimeMs, type BucketProperties, type MergeReply, type MergeRequest } from '@armature/protocol';
import { bucketOfAddress, type Address } from '@armature/ring';
import { repeat, type Clock, type Counter, type Logger, type Telemetry, type Timer } from '@armature/runtime';
import type { TakeSlice } from './admission-controller.js';
import type { HintStore } from './hint-store.js';
import { SliceBudget } from './slice-budget.js';

export interface HintDeliveryEnv {
  readonly node: NodeId;
  readonly hints: HintStore;
  readonly view: () => View;
  readonly ask: (node: NodeId, request: MergeRequest, timeoutMs: number) => Promise<MergeReply>;
  readonly isSuspect: (node: NodeId) => boolean;
  /** How long a hint waits for its owner, ms; a day by default. */
  readonly maxAgeMs?: number;
  /** Whether hints may go out: not those of a node that is no member, or whose store is not known to be the one that was here last. */
  readonly mayDeliver: () => boolean;
  /** Whether the wall clock is not known to be wrong. Default: always. */
  readonly isClockRight?: () => boolean;
  /** Background work asks first. */
  readonly slice: TakeSlice;
  readonly clock: Clock;
  readonly log: Logger;
  readonly telemetry: Telemetry;
}

/** A day: long enough for a machine to be repaired. After that comparing replicas costs less than keeping, and going through, what piles up. */
export const DEFAULT_HINT_MAX_AGE_MS = 24 * 3_600_000;

/** Nodes asked to take over a hint, before it waits for the next scan. */
const MAX_HEIRS = 3;
/** The scan that finds what the detector's word has missed. */
const SCAN_INTERVAL_MS = 10_000;
/** Merges under way to one owner: enough for a round trip of a few ms at some thousand hints a second, too few to hurt an owner that is just back. */
const CONCURRENT = 16;
/** For a small hint; a larger one gets the time in addition that its bytes may take. */
const MERGE_TIMEOUT_MS = 5_000;

export class HintDelivery {
  readonly #env: HintDeliveryEnv;
  readonly #delivered: Counter;
  readonly #agedOut: Counter;
  /** Owners of whom it has been said that they are away for too long. */
  readonly #missed = new Set<NodeId>();
  readonly #budget: SliceBudget;
  readonly #delivering = new Set<NodeId>();
  #scan: Timer | undefined;
  #stopped = false;

  constructor(env: HintDeliveryEnv) {
    this.#env = env;
    this.#budget = new SliceBudget(env.slice, 'hints');
    this.#delivered = env.telemetry.counter('armature_hints_delivered_total', 'Hints taken home and deleted.');
    this.#agedOut = env.telemetry.counter(
      'armature_hints_aged_out_total',
      'Hints given to the other owners and deleted, because their owner was away for too long.',
    );
  }

  start(): void {
    this.#scan = repeat(this.#env.clock, SCAN_INTERVAL_MS, () => this.deliverAll());
    void this.deliverAll();
  }

  stop(): void {
    this.#stopped = true;
    this.#scan?.cancel();
  }

  /** An owner has answered again. */
  recovered(owner: NodeId): void {
    this.#missed.delete(owner);
    void this.#deliver(owner);
  }

  /** Delivers what can be delivered now. Never rejects. */
  async deliverAll(): Promise<void> {
    try {
      const isLeaving = this.#isLeaving();
      for (const owner of await this.#env.hints.owners()) {
        // Of one that is no member nobody waits for an answer: its hints go to others.
        const isAwaited = this.#env.isSuspect(owner) && this.#env.view().members.has(owner);
        if (isLeaving || !isAwaited) await this.#deliver(owner);
        await this.#ageOut(owner);
      }
    } catch (thrown) {
      this.#env.log.error({ err: toArmatureError(thrown) }, 'the hint store cannot be scanned');
    }
  }

  async #deliver(owner: NodeId): Promise<void> {
    const delivered = await this.#throughAll(owner, (address, set) => this.#takeHome(owner, address, set));
    if (delivered > 0) this.#env.log.info({ owner, delivered }, 'hints delivered');
  }

  /** What has waited for the owner for too long goes to the other owners instead. */
  async #ageOut(owner: NodeId): Promise<void> {
    const { maxAgeMs = DEFAULT_HINT_MAX_AGE_MS, hints, clock, log, isClockRight = () => true } = this.#env;
    if (!isClockRight()) return; // it does not tell how old anything is
    const bornBeforeMs = clock.nowMs() - maxAgeMs;
    if ((hints.ages.oldestMs(owner) ?? Infinity) > bornBeforeMs) return;
    const agedOut = await this.#throughAll(owner, async (address, set) =>
      hints.ages.bornMs(owner, set, clock.nowMs()) <= bornBeforeMs ? this.#giveToOthers(owner, address, set) : false,
    );
    if (agedOut === 0) return;
    this.#agedOut.add(agedOut);
    if (this.#missed.has(owner)) return;
    this.#missed.add(owner);
    const remedy = 'Bring it back and run armature repair, or remove it.';
    log.warn(
      { owner, agedOut, maxAgeMs, remedy },
      'an owner is away for so long that its hints go to the other owners of their keys',
    );
  }

  /**
   * All hints of an owner, some at a time, and how many of them `take` has taken. One such walk per owner at a time. Never rejects: where `take` does the walk ends, and
   * what was not taken stays for the next.
   */
  async #throughAll(owner: NodeId, take: (address: Address, set: Uint8Array) => Promise<boolean>): Promise<number> {
    if (!this.#isGoing || this.#delivering.has(owner)) return 0;
    this.#delivering.add(owner);
    const { ages } = this.#env.hints;
    let taken = 0;
    let isComplete = false;
    ages.beginSurvey(owner);
    try {
      for await (const page of this.#env.hints.pages(owner)) {
        for (let i = 0; i < page.entries.length && this.#isGoing; i += CONCURRENT) {
          await this.#budget.ready();
          const batch = page.entries.slice(i, i + CONCURRENT);
          this.#budget.spend(batch.length);
          const outcomes = await Promise.all(batch.map(({ address, set }) => take(address, set)));
          for (const [index, { set }] of batch.entries()) {
            if (outcomes[index] === true) taken++;
            else ages.kept(owner, ages.bornMs(owner, set, this.#env.clock.nowMs()));
          }
        }
      }
      isComplete = this.#isGoing;
    } catch (thrown) {
      const error = toArmatureError(thrown);
      this.#env.log.debug({ owner, err: error }, 'hints stay here for now');
    } finally {
      this.#delivering.delete(owner);
      ages.endSurvey(owner, isComplete);
    }
    return taken;
  }

  /** Whether the hint was delivered and deleted. Rejects when its owner cannot take any now; a hint that only itself cannot be delivered is left. */
  async #takeHome(owner: NodeId, address: Address, set: Uint8Array): Promise<boolean> {
    const view = this.#env.view();
    const bucket = view.buckets.get(bucketOfAddress(address));
    if (bucket === undefined) return false; // its record is on its way here
    const { owners, pending } = view.placement(address, bucket.n);
    const home = owners.includes(owner) || pending.includes(owner) ? [owner] : owners;
    const targets = [...home, ...pending.filter((node) => !home.includes(node))];
    const errors = await Promise.all(targets.map((target) => this.#handTo(target, view, address, set, bucket)));
    for (const [i, error] of errors.entries()) {
      if (error === undefined) continue;
      this.#env.log.debug({ target: targets[i], err: error }, 'a hint stays here for now');
      // A pending owner that is down must not keep an owner from getting its other hints.
      if (i < home.length && (error.retryable || !this.#isGoing)) throw error;
    }
    if (errors.some((error) => error !== undefined) || !(await this.#env.hints.drop(owner, address, set))) return false;
    this.#delivered.add();
    return true;
  }

  /** Whether all other owners that are up, at least one, have it now, and it is deleted here. Rejects when one of them cannot take any. */
  async #giveToOthers(owner: NodeId, address: Address, set: Uint8Array): Promise<boolean> {
    const view = this.#env.view();
    const bucket = view.buckets.get(bucketOfAddress(address));
    if (bucket === undefined) return false;
    const { owners, pending } = view.placement(address, bucket.n);
    const isUp = (node: NodeId): boolean => node !== owner && !this.#env.isSuspect(node);
    const present = owners.filter(isUp);
    if (present.length === 0) return false;
    const targets = [...present, ...pending.filter(isUp)];
    // On stable storage: what is deleted here may be the only copy.
    const durable = { ...bucket, durability: 'fsync' } as const;
    const errors = await Promise.all(targets.map((target) => this.#merge(target, view, address, set, durable)));
    const error = errors.find((one) => one !== undefined);
    if (error === undefined) return this.#env.hints.drop(owner, address, set);
    if (error.retryable || !this.#isGoing) throw error;
    return false;
  }

  get #isGoing(): boolean {
    return !this.#stopped && this.#env.mayDeliver();
  }

  #isLeaving(): boolean {
    return this.#env.view().members.get(this.#env.node)?.state === 'leaving';
  }

  /** To `target`, or, when this node is leaving and `target` is down, to somebody who keeps it for `target`. Resolves with what went wrong, if anything. */
  async #handTo(
    target: NodeId,
    view: View,
    address: Address,
    set: Uint8Array,
    bucket: BucketProperties,
  ): Promise<ArmatureError | undefined> {
    const isLeaving = this.#isLeaving();
    const refused =
      isLeaving && this.#env.isSuspect(target)
        ? new ArmatureError('unreachable', `${target} is down, and nobody can keep a hint for it now`)
        : await this.#merge(target, view, address, set, bucket);
    if (refused === undefined || !refused.retryable || !isLeaving) return refused;
    for (const heir of this.#heirs(target, view, address, bucket.n)) {
      // On stable storage: what is deleted here may be the only copy.
      const error = await this.#merge(heir, view, address, set, { ...bucket, durability: 'fsync' }, target);
      if (error === undefined) return undefined;
    }
    return refused;
  }

  /** Who may keep a hint in our stead, the best first: stand-ins of the key, then its owners. */
  #heirs(target: NodeId, view: View, address: Address, n: number): readonly NodeId[] {
    const { node, isSuspect } = this.#env;
    const { owners, pending, fallbacks } = view.placement(address, n);
    return [...fallbacks, ...owners, ...pending]
      .filter((one) => one !== node && one !== target && view.members.get(one)?.state === 'member' && !isSuspect(one))
      .slice(0, MAX_HEIRS);
  }

  /** Resolves with what went wrong, if anything. */
  async #merge(
    target: NodeId,
    view: View,
    address: Address,
    set: Uint8Array,
    { durability }: BucketProperties,
    hintFor?: NodeId,
  ): Promise<ArmatureError | undefined> {
    if (!this.#isGoing) return new ArmatureError('closed', 'the delivery of hints has stopped');
    const hint = hintFor === undefined ? {} : { hintFor };
    const request: MergeRequest = {
      ...{ kind: 'merge', ring: view.ringVersion, address, set, ...hint },
      durability: durability === 'buffered' ? 'fsync' : durability,
    };
    return this.#env.ask(target, request, MERGE_TIMEOUT_MS + transferTimeMs(set.length)).then(() => undefined, toArmatureError);
  }
}
