/**
 * Whether this node's store is the one that was here last, and what to do when it is not.
 *
 * The membership history says that a node owns partitions; the store may not know. A disk is replaced, a data directory deleted,
 * a backup put back, a node that was removed long ago is started again. Such a node must not answer as its old self: an empty
 * store says "not found" with the authority of an owner, an old one says what was true once, and brings back what has been
 * deleted since.
 *
 * Three facts decide, each a comparison of what the others say of this node with what its store says of itself:
 *
 * - *lost*: among the actors recorded last in this stint is one that the store never had: the store was wiped, or is a copy from
 *   before that actor. Or the others know of more clearings of this store than it does itself: it is a copy from before one of
 *   them (`clearing-counts.ts`). The node states `lost` under a fresh actor: it is taken out of the owners, and pending anew.
 * - *foreign*: the store was last used in another stint (the node was removed or left, and joined again), or before a loss that
 *   has been stated since. What it holds is discarded, hints included, save where the node still is an owner of the present
 *   stint, because there is no other.
 * - *unconfirmed*: since it started, the node has not compared its history with anybody's, so it may not know yet what the first
 *   two depend on. It asks everybody until one answers, or until all have been silent for so long that nobody who could know
 *   better is there (`store-confirmation.ts`). A node that began with no history need not ask: what it has it was told in this
 *   life.
 *
 * What a node acknowledged in its present life is kept even if its store turns out to be lost: versions that it minted under
 * actors which it took in this life. What it held before goes. A node that goes on alone takes a fresh actor first, so that the
 * two can be told apart.
 *
 * Facts about this node are stated by this node only. So a node that has been settled, and hears of an actor of its own that it
 * never had and that was stated since it started, learns that another process runs under its name (`presence.ts`). It is
 * *contested*: the history speaks of the other's store and not of its own. Then it neither states nor discards anything. It says
 * so, and waits for an administrator.
 *
 * Until all is settled, requests that concern the node's own replica are refused: `check` is asked for each of them, under the
 * view that the request is served by, so a view that arrives in the middle of a request cannot slip past. When it is settled, the
 * filler copies what the node is pending for, and `ready` gives it back what it had.
 *
 * A store that has no note of a stint is new, or was wiped, or was written before there were such notes; nothing is discarded for
 * that.
 */
import { ArmatureError, hlcToMs, toArmatureError, type Hlc, type NodeId } from '@armature/kernel';
import type { Member, Membership, View } from '@armature/membership';
import type { ActorEpoch } from '@armature/replica';
import type { Clock, Logger, Timer } from '@armature/runtime';
import type { ActorId } from '@armature/versioning';
import type { ClearingCounts, Tenure } from './clearing-counts.js';
import type { Presence } from './presence.js';
import { sounded, UNASKED, type Confirmation } from './store-confirmation.js';

export interface StoreIdentityEnv {
  readonly node: NodeId;
  readonly membership: Pick<Membership, 'view' | 'sound' | 'declareActor' | 'declareLost'>;
  readonly epoch: Pick<ActorEpoch, 'current' | 'has' | 'isOfThisLife' | 'recorded' | 'retire' | 'renewed'>;
  readonly presence: Pick<Presence, 'another' | 'lost'>;
  /** Under which membership the store is used, and how often it has cleared something. */
  readonly clearings: Pick<ClearingCounts, 'tenure' | 'begin' | 'isBehind'>;
  /**
   * Drops what the store holds for this node under none of its present ownerships, hints included, and was not minted in this
   * life. Resolves when it is gone.
   */
  readonly discard: (all: boolean) => Promise<void>;
  /** Called when it has become settled under a view under which it was not known to be. */
  readonly onSettled: () => void;
  /** Between two records of an actor, ms, a minute by default: a node that starts again and again must not fill the history. */
  readonly actorIntervalMs?: number;
  readonly clock: Clock;
  readonly log: Logger;
}

export type StoreStanding = 'stranger' | 'unconfirmed' | 'lost' | 'foreign' | 'contested' | 'displaced' | 'settled';

const DEFAULT_ACTOR_INTERVAL_MS = 60_000;
/** A store that is found lost again and again must not fill the history. */
const LOSS_INTERVAL_MS = 60_000;
const RETRY_MS = 1_000;
/** While another process of this name answers, which is about to end. */
const ANOTHER_MS = 5_000;

export class StoreIdentity {
  readonly #env: StoreIdentityEnv;
  #confirmation: Confirmation;
  /** By the monotonic clock. */
  readonly #beganMs: number;
  /** It has answered for its replica in this life. */
  #hasServed = false;
  /** Who else runs under this name, in words. */
  #contestedBy: string | undefined;
  /** Resolves when it has been looked once what the store is; it may be unconfirmed still. */
  readonly firstLook: Promise<void>;
  #looked: () => void = () => undefined;
  #lostAtMs: number | undefined;
  /** For which beginning the actor was retired last. */
  #retiredFor: string | undefined;
  /** By the monotonic clock: when another actor may be stated, after the one that was recorded last. */
  #nextActor: { readonly after: string; readonly atMs: number } | undefined;
  /** The view under which it was found settled last: nearly always the present one, and then there is nothing to compare. */
  #settledUnder: View | undefined;
  #announcedUnder: View | undefined;
  #working = false;
  #again = false;
  #stopped = false;
  #timer: Timer | undefined;

  constructor(env: StoreIdentityEnv) {
    this.#env = env;
    this.#beganMs = env.clock.monotonicMs();
    const isNew = env.membership.view.cluster === undefined && !this.wasMember;
    this.#confirmation = isNew ? { ...UNASKED, state: 'confirmed' } : UNASKED;
    this.firstLook = new Promise((resolve) => (this.#looked = resolve));
  }

  /** What the store is to this node, under the present view. */
  get standing(): StoreStanding {
    const { membership, presence } = this.#env;
    const { view } = membership;
    if (presence.lost !== undefined) return 'displaced';
    if (view === this.#settledUnder) return 'settled';
    if (this.#contestedBy !== undefined) return 'contested';
    const standing = this.#compare(view.members.get(this.#env.node));
    if (standing === 'settled') this.#settledUnder = view;
    return standing;
  }

  get isSettled(): boolean {
    return this.standing === 'settled';
  }

  /** Whether the store was ever used by a member of the cluster. */
  get wasMember(): boolean {
    return this.#env.clearings.tenure !== undefined;
  }

  /**
   * Error `unavailable` while this node's replica must not be asked. A stranger is asked nothing as an owner, and may say what it
   * has.
   */
  check(): void {
    const { standing } = this;
    if (standing === 'settled' || standing === 'stranger') return;
    const needsHelp = standing === 'contested' || standing === 'displaced';
    throw new ArmatureError('unavailable', `this node cannot answer for its replica: ${this.#describe(standing)}`, {
      remedy: needsHelp
        ? 'Ask another replica. Its readiness tells what an administrator has to do.'
        : 'It settles by itself. Ask another replica meanwhile.',
    });
  }

  /** In words for an operator; undefined when all is well, or the node is none of the cluster's. */
  get note(): string | undefined {
    const { standing } = this;
    return standing === 'settled' || standing === 'stranger' ? undefined : this.#describe(standing);
  }

  /**
   * What it knew may be out of date: it asks the others again, as after a start. Meanwhile it answers nothing for its replica.
   */
  doubt(): void {
    this.#confirmation = UNASKED;
    this.#settledUnder = undefined;
    this.follow();
  }

  /** It has turned out that others know of more clearings of this store than it does. */
  foundBehind(): void {
    this.#settledUnder = undefined;
    this.follow();
  }

  /** Looks what has to be done. Call it at the start and at every change of the view or the actor. */
  follow(): void {
    if (this.#stopped) return;
    if (this.#working) {
      this.#again = true;
      return;
    }
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#working = true;
    this.#work().then(
      (waitMs) => this.#rest(waitMs),
      (thrown: unknown) => {
        if (!this.#stopped)
          this.#env.log.warn({ err: toArmatureError(thrown) }, 'what this store is could not be found out or stated yet');
        this.#rest(RETRY_MS);
      },
    );
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #rest(waitMs: number | undefined): void {
    this.#working = false;
    this.#looked();
    if (this.#stopped) return;
    if (this.#again) {
      this.#again = false;
      this.follow();
    } else if (waitMs !== undefined) this.#timer = this.#env.clock.after(waitMs, () => this.follow());
  }

  #compare(member: Member | undefined): StoreStanding {
    if (member === undefined) return 'stranger';
    if (member.actors.some(({ id }) => !this.#env.epoch.has(id))) return 'lost';
    const { tenure, isBehind } = this.#env.clearings;
    if (tenure === undefined || !isOfStint(tenure, member) || tenure.loss !== member.loss) return 'foreign';
    if (isBehind) return 'lost';
    return this.#confirmation.state === 'asking' ? 'unconfirmed' : 'settled';
  }

  /** Does what is to be done now. Resolves with the ms after which to look again, if there is something to wait for. */
  async #work(): Promise<number | undefined> {
    const { membership } = this.#env;
    if (this.standing === 'stranger') return undefined;
    if (this.#confirmation.state === 'asking') {
      const pauseMs = await this.#ask();
      if (pauseMs !== undefined) return pauseMs;
    }
    const { standing } = this;
    const member = membership.view.members.get(this.#env.node);
    if (this.#stopped || member === undefined) return undefined;
    switch (standing) {
      case 'contested':
      case 'displaced':
        return undefined;
      case 'lost':
        return (await this.#waitForAnother(member)) ?? this.#stateLoss(member);
      case 'foreign':
        await this.#begin(member);
        return 0;
      default:
        this.#announce(membership.view);
        return this.#stateActor(member);
    }
  }

  /** Asks everybody once. Resolves with the ms to wait before everybody is asked again, if need be. */
  async #ask(): Promise<number | undefined> {
    const { membership, epoch, clock, log } = this.#env;
    const askedMs = clock.monotonicMs();
    const sounding = await membership.sound();
    const found = sounded(this.#confirmation, sounding, askedMs, clock.monotonicMs());
    if (found.state === 'alone') {
      log.warn({}, 'no member and no seed has answered for ten seconds: this node goes on with what it has');
      if (epoch.current !== undefined && !epoch.isOfThisLife(epoch.current)) {
        epoch.retire('nobody could be asked whether this store is the one that was here last');
        await epoch.renewed();
      }
    }
    this.#confirmation = found;
    return found.state === 'asking' ? found.pauseMs : undefined;
  }

  /**
   * While there may be another process of this name, nothing is stated about the store, nor discarded. Resolves with the ms to
   * wait, if so.
   */
  async #waitForAnother({ actors }: Member): Promise<number | undefined> {
    const { epoch, clock, log, presence } = this.#env;
    const other = await presence.another();
    // By the wall clock as it is now: when this process began it may have been far ahead.
    const beganAtMs = clock.nowMs() - (clock.monotonicMs() - this.#beganMs);
    const stated = actors.findLast(({ id, at }) => !epoch.has(id) && hlcToMs(at) > beganAtMs);
    if (this.#hasServed && (other !== undefined || stated !== undefined)) {
      this.#contestedBy = other ?? `whoever stated the actor ${stated?.id ?? ''}`;
      log.error(
        { other: this.#contestedBy, remedy: CONTESTED_REMEDY },
        'another process has run under the name of this one: its store is kept as it is',
      );
      return ANOTHER_MS;
    }
    return other === undefined ? undefined : ANOTHER_MS;
  }

  #describe(standing: StoreStanding): string {
    switch (standing) {
      case 'unconfirmed':
        return this.#confirmation.silentSinceMs === undefined
          ? 'it has just started, and asks the others what became of it'
          : 'it asks the others what became of it, and nobody has answered yet; after ten seconds of silence it goes on with what it has';
      case 'lost':
        return 'its store is not the one that was here last, which it is about to state';
      case 'foreign':
        return 'its store is of an earlier membership, and is being discarded';
      case 'contested':
        return `another process has run under its name (${this.#contestedBy ?? ''}), and its store is kept as it is. ${CONTESTED_REMEDY}`;
      case 'displaced':
        return this.#env.presence.lost?.message ?? 'another process has its name';
      default:
        return standing;
    }
  }

  #announce(view: View): void {
    if (view === this.#announcedUnder) return;
    this.#announcedUnder = view;
    this.#hasServed = true;
    this.#env.onSettled();
  }

  async #stateLoss({ actors, stint, loss }: Member): Promise<number> {
    const { membership, clock, log } = this.#env;
    const nowMs = clock.monotonicMs();
    if (this.#lostAtMs !== undefined && nowMs - this.#lostAtMs < LOSS_INTERVAL_MS)
      return LOSS_INTERVAL_MS - (nowMs - this.#lostAtMs);
    log.warn(
      { recorded: actors.map(({ id }) => id), stint },
      'this store is not the one that was here last: it was wiped, or is an older copy; what it should hold is copied from the other owners',
    );
    const fresh = await this.#renewFor(`lost ${stint} ${loss ?? ''}`, 'this store is not the one that was here last');
    await membership.declareLost(fresh);
    this.#lostAtMs = nowMs;
    return 0;
  }

  /**
   * A fresh actor for a new beginning. The former one is retired once only: a store that has retired several takes the next one
   * after a while, and this is tried again until it has. That one has minted nothing before.
   */
  #renewFor(beginning: string, reason: string): Promise<ActorId> {
    const { epoch } = this.#env;
    if (this.#retiredFor !== beginning) epoch.retire(reason);
    this.#retiredFor = beginning;
    return epoch.renewed();
  }

  /** Begins a new tenure with what may be kept of the old one. */
  async #begin(member: Member): Promise<void> {
    const { stint, loss } = member;
    const { clearings, presence, discard } = this.#env;
    const { tenure } = clearings;
    const isNewStint = tenure !== undefined && !isOfStint(tenure, member);
    // What it minted in another stint is none of this one's: a copy of that store may be anywhere.
    if (isNewStint) await this.#renewFor(`anew ${stint}`, 'this node is a member anew');
    if (tenure !== undefined || loss !== undefined) {
      if ((await presence.another()) !== undefined) throw nameTaken();
      await discard(isNewStint);
    }
    if (this.#stopped) return;
    await clearings.begin({ stint, loss });
  }

  async #stateActor({ actors }: Member): Promise<number> {
    const { epoch, membership, clock, actorIntervalMs = DEFAULT_ACTOR_INTERVAL_MS } = this.#env;
    await epoch.recorded(actors.map(({ id }) => id));
    const actor = actors.at(-1);
    const current = await epoch.renewed();
    // Looked at again all the same: actors retire while they are in use.
    if (actor?.id === current) return actorIntervalMs;
    const waitMs = actor === undefined ? 0 : this.#waitAfter(actor, actorIntervalMs);
    if (waitMs > 0) return waitMs;
    await membership.declareActor(current);
    this.#nextActor = { after: current, atMs: clock.monotonicMs() + actorIntervalMs };
    return 0;
  }

  /**
   * How long to wait before another actor is stated after this one. By our monotonic clock; only how long ago another life of
   * this node stated the one before is taken from the record's stamp. That may be of a wrong clock, or right behind one, and
   * costs one interval at most.
   */
  #waitAfter({ id, at }: { readonly id: string; readonly at: Hlc }, intervalMs: number): number {
    const { clock } = this.#env;
    const nowMs = clock.monotonicMs();
    if (this.#nextActor?.after !== id) {
      const agoMs = clock.nowMs() - hlcToMs(at);
      this.#nextActor = { after: id, atMs: nowMs + Math.max(0, Math.min(intervalMs, intervalMs - agoMs)) };
    }
    return this.#nextActor.atMs - nowMs;
  }
}

const CONTESTED_REMEDY =
  'Make sure that only one process of this name is ever started. Then restart this node: it discards what the others have too, and is filled by them. What only it holds (N = 1, W = 1), export before that.';

function nameTaken(): ArmatureError {
  return new ArmatureError('name-in-use', 'nothing is discarded while another process has the name of this one', {
    remedy: 'Stop one of the two.',
  });
}

/** Whether the store was last used in the present stint, by whichever record that seemed to have begun. */
function isOfStint({ stint }: Tenure, member: Member): boolean {
  return stint === member.stint || member.alsoBegunBy.includes(stint);
}
