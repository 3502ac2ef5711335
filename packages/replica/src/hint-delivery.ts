/**
 * Hinted handoff: taking hints home (paper, section 4.6).
 *
 * When an owner answers again, and every now and then besides, its hints go out in ring order, a bounded number at a time, each
 * as a merge; a hint is deleted when the owner has acknowledged it, and only if nothing was added to it meanwhile. A delivery
 * that is interrupted starts again where hints are left, since what was delivered is gone. A hint that cannot be delivered stays
 * and keeps no other from being delivered: what is remembered during a walk is which nodes do not answer, and only hints for
 * these are left out. What stayed although its owner seems to be up is reported (`stuck`).
 *
 * An owner that does not own the key any more, because it left, was removed, or its share moved, cannot be given it. Its hints go
 * to all present owners of the key instead, and are deleted when all of them have acknowledged. Pending owners get every hint
 * too, as they get every write: one that has copied its partition already would otherwise take it over without what comes home
 * after that.
 *
 * A hint may be one of the W copies that a write was acknowledged for. So it is given up before its owner has it only when the
 * write is known to be on stable storage at W others that own the key or are about to (W of its bucket). Two cases want that:
 *
 *   - A hint may grow too old to be waited with: its owner has been away for days. All other owners that are up are given it. The
 *     absent one gets it from them, by replica synchronisation. Where they are fewer than W it stays here, however old.
 *   - A node that is leaving cannot wait for owners that are down. Where W others cannot be given a hint, another node that stays
 *     takes it over, one that holds nothing of the key yet: so it is on as many disks as before. Where there is none, the node
 *     stays `leaving`.
 *
 * Hints of a buffered bucket go home durable: the hint is deleted then, and where a fallback minted it may have been the one
 * durable copy.
 */
import { ArmatureError, toArmatureError, type NodeId } from '@armature/kernel';
import { isHolder, type View } from '@armature/membership';
import {
  transferTimeMs,
  type Durability,
  type MergeRequest,
  type ReadRequest,
  type ReplyTo,
  type StuckHints,
} from '@armature/protocol';
import { bucketOfAddress, type Address } from '@armature/ring';
import { repeat, type Clock, type Counter, type Logger, type Telemetry, type Timer } from '@armature/runtime';
import type { TakeSlice } from './admission-controller.js';
import { HintWalk, type Fate } from './hint-walk.js';
import type { HintStore } from './hint-store.js';
import type { StoredPage } from './replica-env.js';
import { SliceBudget } from './slice-budget.js';

export interface HintDeliveryEnv {
  readonly node: NodeId;
  readonly hints: HintStore;
  readonly view: () => View;
  readonly ask: <Q extends MergeRequest | ReadRequest>(node: NodeId, request: Q, timeoutMs: number) => Promise<ReplyTo<Q>>;
  readonly isSuspect: (node: NodeId) => boolean;
  /** How long a hint waits for its owner, ms; a day by default. */
  readonly maxAgeMs?: number;
  /**
   * Whether hints may go out: not those of a node that is no member, or whose store is not known to be the one that was here
   * last.
   */
  readonly mayDeliver: () => boolean;
  /** Whether the wall clock is not known to be wrong. Default: always. */
  readonly isClockRight?: () => boolean;
  /** Background work asks first. */
  readonly slice: TakeSlice;
  readonly clock: Clock;
  readonly log: Logger;
  readonly telemetry: Telemetry;
}

interface Hint {
  /** For whom it is kept. */
  readonly owner: NodeId;
  readonly address: Address;
  readonly set: Uint8Array;
}

/**
 * A day: long enough for a machine to be repaired. After that comparing replicas costs less than keeping, and going through, what
 * piles up.
 */
const DEFAULT_HINT_MAX_AGE_MS = 24 * 3_600_000;

/** Nodes asked to take over a hint, before it waits for the next scan. */
const MAX_HEIRS = 3;
/** The scan that finds what the detector's word has missed. */
const SCAN_INTERVAL_MS = 10_000;
/**
 * Merges under way to one owner: enough for a round trip of a few ms at some thousand hints a second, too few to hurt an owner
 * that is just back.
 */
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
  /** What stayed when the hints of an owner were gone through last. */
  readonly #stuck = new Map<NodeId, StuckHints>();
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

  /**
   * Hints that could not be delivered, or given up, when it was last tried; by owner. Those whose owner is down and waited for
   * are not among them.
   */
  get stuck(): readonly StuckHints[] {
    return [...this.#stuck.values()];
  }

  /** Delivers what can be delivered now. Never rejects. */
  async deliverAll(): Promise<void> {
    try {
      const isLeaving = this.#isLeaving();
      const kept = await this.#env.hints.owners();
      for (const owner of this.#stuck.keys()) if (!kept.includes(owner)) this.#stuck.delete(owner);
      for (const owner of kept) {
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
    const delivered = await this.#throughAll(owner, (walk, hint) => this.#takeHome(walk, hint));
    if (delivered === 0) return;
    this.#delivered.add(delivered);
    this.#env.log.info({ owner, delivered }, 'hints delivered');
  }

  /** What has waited for the owner for too long goes to the other owners instead. */
  async #ageOut(owner: NodeId): Promise<void> {
    const { maxAgeMs = DEFAULT_HINT_MAX_AGE_MS, hints, clock, log, isClockRight = () => true } = this.#env;
    if (!isClockRight()) return; // it does not tell how old anything is
    const bornBeforeMs = clock.nowMs() - maxAgeMs;
    if ((hints.ages.oldestMs(owner) ?? Infinity) > bornBeforeMs) return;
    const agedOut = await this.#throughAll(owner, async (walk, hint) =>
      hints.ages.bornMs(owner, hint.set, clock.nowMs()) <= bornBeforeMs ? this.#giveUp(walk, hint) : 'waits',
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
   * All hints of an owner, some at a time, and how many of them `take` has taken. One such walk per owner at a time. Never
   * rejects.
   */
  async #throughAll(owner: NodeId, take: (walk: HintWalk, hint: Hint) => Promise<Fate>): Promise<number> {
    if (!this.#isGoing || this.#delivering.has(owner)) return 0;
    this.#delivering.add(owner);
    const { hints, clock, log } = this.#env;
    const { ages } = hints;
    const walk = new HintWalk(owner, (node) => this.#env.isSuspect(node));
    let isComplete = false;
    ages.beginSurvey(owner);
    try {
      for await (const page of hints.pages(owner)) {
        await this.#dropDamaged(owner, page.damaged);
        for (let i = 0; i < page.entries.length && this.#isGoing && !this.#isVain(walk); i += CONCURRENT) {
          await this.#budget.ready();
          const batch = page.entries.slice(i, i + CONCURRENT);
          this.#budget.spend(batch.length);
          const fates = await Promise.all(batch.map(({ address, set }) => take(walk, { owner, address, set })));
          for (const [index, { address, set }] of batch.entries()) {
            const bornMs = ages.bornMs(owner, set, clock.nowMs());
            const fate = fates[index] ?? 'waits';
            walk.note(address, bornMs, fate);
            if (fate !== 'taken') ages.kept(owner, bornMs);
          }
        }
        if (this.#isVain(walk)) break;
      }
      isComplete = this.#isGoing && !this.#isVain(walk);
    } catch (thrown) {
      log.debug({ owner, err: toArmatureError(thrown) }, 'hints stay here for now');
    } finally {
      this.#delivering.delete(owner);
      ages.endSurvey(owner, isComplete);
      this.#report(walk);
    }
    return walk.taken;
  }

  /** No owner can be given them, and they would hold up a node that leaves, and the reaping of their keys, for ever. */
  async #dropDamaged(owner: NodeId, damaged: StoredPage['damaged']): Promise<void> {
    const dropped = await this.#env.hints.dropDamaged(owner, damaged);
    if (dropped === 0) return;
    const remedy = 'Check the disk. Replica synchronisation gives the owner what other replicas have of these keys.';
    this.#env.log.error({ owner, dropped, remedy }, 'damaged hints were dropped');
  }

  /** Whether the owner, which is the home of most of its hints, takes none now. A node that leaves finds others for them. */
  #isVain(walk: HintWalk): boolean {
    return walk.isFailing(walk.owner) && this.#env.view().members.has(walk.owner) && !this.#isLeaving();
  }

  #report({ owner, stuck }: HintWalk): void {
    if (stuck === undefined) this.#stuck.delete(owner);
    else {
      if (!this.#stuck.has(owner)) this.#env.log.warn({ ...stuck }, 'hints cannot be delivered, and stay here');
      this.#stuck.set(owner, stuck);
    }
  }

  /** To the owner, or where it is none any more to all owners; and to those who are about to be. Deleted when all have it. */
  async #takeHome(walk: HintWalk, hint: Hint): Promise<Fate> {
    const view = this.#env.view();
    const bucket = view.buckets.get(bucketOfAddress(hint.address));
    if (bucket === undefined) return 'waits'; // its record is on its way here
    const placement = view.placement(hint.address, bucket.n);
    const { owners, pending } = placement;
    const home = isHolder(placement, hint.owner) ? [hint.owner] : owners;
    const targets = [...home, ...pending.filter((node) => !home.includes(node))];
    const durability = home[0] === hint.owner && bucket.durability !== 'buffered' ? bucket.durability : 'fsync';
    const errors = await Promise.all(targets.map((target) => this.#give(walk, target, hint, durability)));
    const missing = targets.filter((_, i) => errors[i] !== undefined);
    if (missing.length === 0) return this.#drop(hint);
    const error = errors.find((one) => one !== undefined) as ArmatureError;
    this.#env.log.debug({ target: missing[0], err: error }, 'a hint stays here for now');
    return this.#isLeaving() && error.retryable ? this.#giveUp(walk, hint, missing) : error;
  }

  /**
   * Gives the hint to all others that own the key or are about to, and deletes it if that makes W copies on stable storage. A
   * node that leaves hands it to others who are to keep it for those that are `missing`; if there are fewer than W, to one that
   * holds nothing of the key.
   */
  async #giveUp(walk: HintWalk, hint: Hint, missing: readonly NodeId[] = []): Promise<Fate> {
    const view = this.#env.view();
    const bucket = view.buckets.get(bucketOfAddress(hint.address));
    if (bucket === undefined) return 'waits';
    const { owners, pending, next } = view.placement(hint.address, bucket.n);
    const isUp = (node: NodeId): boolean => node !== hint.owner && node !== this.#env.node && !this.#env.isSuspect(node);
    const others = [...owners, ...pending].filter((node) => isUp(node) && !missing.includes(node));
    const errors = await Promise.all(others.map((target) => this.#give(walk, target, hint, 'fsync')));
    const copies = errors.filter((error) => error === undefined).length;
    const wanted = Math.min(bucket.w, next.length);
    const isEnough = copies >= wanted;
    let isKept = false;
    for (const target of missing) isKept = (await this.#handOver(hint, target, { view, n: bucket.n, isEnough })) || isKept;
    if (isEnough || isKept) return this.#drop(hint);
    return new ArmatureError(
      'unavailable',
      `${copies} of the ${wanted} owners that must have it on stable storage could be given it`,
      { remedy: `Bring ${[hint.owner, ...missing][0] ?? 'its owner'} back, or remove it. It is tried again by itself.` },
    );
  }

  /**
   * Whether another node that is to stay has taken over the hint for `target`. `isEnough`: whichever; otherwise one that holds
   * nothing of the key.
   */
  async #handOver(hint: Hint, target: NodeId, to: { view: View; n: number; isEnough: boolean }): Promise<boolean> {
    const { node, isSuspect } = this.#env;
    const { owners, pending, fallbacks } = to.view.placement(hint.address, to.n);
    const heirs = [...fallbacks, ...(to.isEnough ? [...owners, ...pending] : [])]
      .filter((one) => one !== node && one !== target && to.view.members.get(one)?.state === 'member' && !isSuspect(one))
      .slice(0, MAX_HEIRS);
    for (const heir of heirs) {
      if (!to.isEnough && !(await this.#holdsNothing(heir, hint.address))) continue;
      if ((await this.#merge(heir, hint, 'fsync', target)) === undefined) return true;
    }
    return false;
  }

  /** Whether the node says that it has nothing of the key, under any title. */
  #holdsNothing(heir: NodeId, address: Address): Promise<boolean> {
    const question: ReadRequest = { kind: 'read', ring: this.#env.view().ringVersion, address, standIn: true, outline: true };
    return this.#env.ask(heir, question, MERGE_TIMEOUT_MS).then(
      ({ set }) => set === undefined,
      () => false,
    );
  }

  async #drop({ owner, address, set }: Hint): Promise<Fate> {
    return (await this.#env.hints.drop(owner, address, set)) ? 'taken' : 'waits'; // more was added to it
  }

  get #isGoing(): boolean {
    return !this.#stopped && this.#env.mayDeliver();
  }

  #isLeaving(): boolean {
    return this.#env.view().members.get(this.#env.node)?.state === 'leaving';
  }

  /** As its own; a node that has not answered in this walk is not asked again. Resolves with what went wrong, if anything. */
  async #give(walk: HintWalk, target: NodeId, hint: Hint, durability: Durability): Promise<ArmatureError | undefined> {
    // A node that leaves does not wait for one that is down, either.
    const known = walk.failure(target) ?? (this.#isLeaving() && this.#env.isSuspect(target) ? down(target) : undefined);
    if (known !== undefined) return known;
    const error = await this.#merge(target, hint, durability);
    if (error !== undefined) walk.failed(target, error);
    return error;
  }

  /** Resolves with what went wrong, if anything. */
  async #merge(
    target: NodeId,
    { address, set }: Hint,
    durability: Durability,
    hintFor?: NodeId,
  ): Promise<ArmatureError | undefined> {
    if (!this.#isGoing) return new ArmatureError('closed', 'the delivery of hints has stopped');
    const asHint = hintFor === undefined ? {} : { hintFor };
    const ring = this.#env.view().ringVersion;
    const request: MergeRequest = { kind: 'merge', ring, address, set, durability, ...asHint };
    return this.#env.ask(target, request, MERGE_TIMEOUT_MS + transferTimeMs(set.length)).then(() => undefined, toArmatureError);
  }
}

function down(node: NodeId): ArmatureError {
  return new ArmatureError('unreachable', `${node} is down`);
}
