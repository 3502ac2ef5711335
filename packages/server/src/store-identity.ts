/**
 * Whether this node's store is the one that was here last, and what to do when it is not.
 *
 * The membership history says that a node owns partitions; the store may not know. A disk is replaced, a data directory deleted, a backup put back, a node
 * that was removed long ago is started again. Such a node must not answer as its old self: an empty store says "not found" with
 * the authority of an owner, an old one says what was true once, and brings back what has been deleted since.
 *
 * Three facts decide, each a comparison of what the view says of this node with what its store says of itself:
 *
 * - *lost*: among the actors recorded last in this stint is one that the store never had. The store was wiped, or is a copy from before that actor. The node
 *   states `lost` under a fresh actor: it is taken out of the owners, and pending anew.
 * - *foreign*: the store was last used in another stint (the node was removed or left, and joined again), or before a loss that has been stated since. What it holds
 *   is discarded, hints included, save where the node still is an owner of the present stint, because there is no other.
 * - *unconfirmed*: since it started, the node has not compared its history with anybody's, so it may not know yet what the first two depend on. It asks
 *   once; where nobody answers there is nobody who could know better, and it goes on with what it has. Should it learn later that its store is lost, it
 *   keeps what it holds, since acknowledged writes may be among it.
 *
 * Until none of them holds, requests that concern the node's own replica are refused: `check` is asked for each of them, under the view that the request
 * is served by, so a view that arrives in the middle of a request cannot slip past. When it is settled, the filler copies what the node is
 * pending for, and `ready` gives it back what it had.
 *
 * A store that has no note of a stint is new, or was wiped, or was written before there were such notes; nothing is discarded for that.
 */
import { ArmatureError, hlcToMs, toArmatureError, type Hlc, type NodeId } from '@armature/kernel';
import type { Member, Membership, View } from '@armature/membership';
import type { ActorEpoch } from '@armature/replica';
import type { Clock, Logger, Timer } from '@armature/runtime';

/** Under which membership a store is used: kept with it, on stable storage when `save` resolves. */
export interface Tenure {
  /** The member's `stint`. */
  readonly stint: string;
  /** The member's `loss`. */
  readonly loss: string | undefined;
}

export interface TenureStore {
  load(): Promise<Tenure | undefined>;
  save(tenure: Tenure): Promise<void>;
}

export interface StoreIdentityEnv {
  readonly node: NodeId;
  readonly membership: Pick<Membership, 'view' | 'refresh' | 'declareActor' | 'declareLost'>;
  readonly epoch: Pick<ActorEpoch, 'current' | 'has' | 'recorded' | 'retire' | 'renewed'>;
  readonly tenures: TenureStore;
  /** Drops what the store holds for this node under none of its present ownerships, hints included. Resolves when it is gone. */
  readonly discard: (all: boolean) => Promise<void>;
  /** Called when it has become settled under a view under which it was not known to be. */
  readonly onSettled: () => void;
  /** Between two records of an actor, ms, a minute by default: a node that starts again and again must not fill the history. */
  readonly actorIntervalMs?: number;
  readonly clock: Clock;
  readonly log: Logger;
}

export type StoreStanding = 'stranger' | 'unconfirmed' | 'lost' | 'foreign' | 'settled';

const DEFAULT_ACTOR_INTERVAL_MS = 60_000;
/** Two processes that run under one name would each find the other's store to be lost, for ever. */
const LOSS_INTERVAL_MS = 60_000;
const RETRY_MS = 1_000;
const KEPT =
  'nobody could be asked when this node started, so what it holds is kept, for it may have acknowledged writes since: values deleted long ago may return';

export class StoreIdentity {
  readonly #env: StoreIdentityEnv;
  #tenure: Tenure | undefined;
  #confirmed = false;
  /** Nobody answered at the start: what was acknowledged since then may be here only. */
  #isAlone = false;
  #lostAtMs: number | undefined;
  /** By the monotonic clock: when another actor may be stated, after the one that was recorded last. */
  #nextActor: { readonly after: string; readonly atMs: number } | undefined;
  /** The view under which it was found settled last: nearly always the present one, and then there is nothing to compare. */
  #settledUnder: View | undefined;
  #announcedUnder: View | undefined;
  #working = false;
  #again = false;
  #stopped = false;
  #timer: Timer | undefined;

  static async open(env: StoreIdentityEnv): Promise<StoreIdentity> {
    return new StoreIdentity(env, await env.tenures.load());
  }

  private constructor(env: StoreIdentityEnv, tenure: Tenure | undefined) {
    this.#env = env;
    this.#tenure = tenure;
  }

  /** What the store is to this node, under the present view. */
  get standing(): StoreStanding {
    const { view } = this.#env.membership;
    if (view === this.#settledUnder) return 'settled';
    const standing = this.#compare(view.members.get(this.#env.node));
    if (standing === 'settled') this.#settledUnder = view;
    return standing;
  }

  get isSettled(): boolean {
    return this.standing === 'settled';
  }

  /** Whether the store was ever used by a member of the cluster. */
  get wasMember(): boolean {
    return this.#tenure !== undefined;
  }

  /** Error `unavailable` while this node's replica must not be asked. A stranger is asked nothing as an owner, and may say what it has. */
  check(): void {
    const { standing } = this;
    if (standing === 'settled' || standing === 'stranger') return;
    throw new ArmatureError('unavailable', `this node cannot answer for its replica yet: ${describe(standing)}`, {
      remedy: 'It settles by itself. Ask another replica meanwhile.',
    });
  }

  /** In words for an operator; undefined when all is well, or the node is none of the cluster's. */
  get note(): string | undefined {
    const { standing } = this;
    return standing === 'settled' || standing === 'stranger' ? undefined : describe(standing);
  }

  /** Resolves when the history has been compared with somebody's, nobody has answered, or there is no cluster that this node is a member of. */
  async confirm(): Promise<void> {
    if (this.#confirmed || this.standing === 'stranger') return;
    await this.#env.membership.refresh().catch(() => (this.#isAlone = true));
    this.#confirmed = true;
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
    if (this.#stopped) return;
    if (this.#again) {
      this.#again = false;
      this.follow();
    } else if (waitMs !== undefined) this.#timer = this.#env.clock.after(waitMs, () => this.follow());
  }

  #compare(member: Member | undefined): StoreStanding {
    if (member === undefined) return 'stranger';
    if (member.actors.some(({ id }) => !this.#env.epoch.has(id))) return 'lost';
    if (this.#tenure === undefined || !isOfStint(this.#tenure, member) || this.#tenure.loss !== member.loss) return 'foreign';
    return this.#confirmed ? 'settled' : 'unconfirmed';
  }

  /** Does what is to be done now. Resolves with the ms after which to look again, if there is something to wait for. */
  async #work(): Promise<number | undefined> {
    const { membership } = this.#env;
    if (this.standing === 'stranger') return undefined;
    await this.confirm();
    const { standing } = this;
    const member = membership.view.members.get(this.#env.node);
    if (this.#stopped || member === undefined) return undefined;
    switch (standing) {
      case 'lost':
        return this.#stateLoss(member);
      case 'foreign':
        await this.#begin(member);
        return 0;
      default:
        this.#announce(membership.view);
        return this.#stateActor(member);
    }
  }

  #announce(view: View): void {
    if (view === this.#announcedUnder) return;
    this.#announcedUnder = view;
    this.#env.onSettled();
  }

  async #stateLoss({ actors, stint }: Member): Promise<number> {
    const { epoch, membership, clock, log } = this.#env;
    const nowMs = clock.monotonicMs();
    if (this.#lostAtMs !== undefined && nowMs - this.#lostAtMs < LOSS_INTERVAL_MS)
      return LOSS_INTERVAL_MS - (nowMs - this.#lostAtMs);
    log.warn(
      { recorded: actors.map(({ id }) => id), stint },
      'this store is not the one that was here last: it was wiped, or is an older copy; what it should hold is copied from the other owners',
    );
    epoch.retire('this store is not the one that was here last');
    const fresh = await epoch.renewed();
    await membership.declareLost(fresh);
    this.#lostAtMs = nowMs;
    return 0;
  }

  /** Begins a new tenure with what may be kept of the old one. */
  async #begin(member: Member): Promise<void> {
    const { stint, loss } = member;
    const { epoch, tenures, discard, log } = this.#env;
    const isNewStint = this.#tenure !== undefined && !isOfStint(this.#tenure, member);
    // What it minted in another stint is none of this one's: a copy of that store may be anywhere.
    if (isNewStint) {
      epoch.retire('this node is a member anew');
      await epoch.renewed();
    }
    const isOwnLoss = this.#lostAtMs !== undefined && !isNewStint;
    if (isOwnLoss && this.#isAlone) log.warn({ stint, loss }, KEPT);
    else if (this.#tenure !== undefined || loss !== undefined) await discard(isNewStint);
    if (this.#stopped) return;
    await tenures.save({ stint, loss });
    this.#tenure = { stint, loss };
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
   * How long to wait before another actor is stated after this one. By our monotonic clock; only how long ago another life of this node stated the one before is taken
   * from the record's stamp. That may be of a wrong clock, or right behind one, and costs one interval at most.
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

function describe(standing: StoreStanding): string {
  switch (standing) {
    case 'unconfirmed':
      return 'it has just started, and asks the others what became of it';
    case 'lost':
      return 'its store is not the one that was here last, which it is about to state';
    case 'foreign':
      return 'its store is of an earlier membership, and is being discarded';
    default:
      return standing;
  }
}

/** Whether the store was last used in the present stint, by whichever record that seemed to have begun. */
function isOfStint({ stint }: Tenure, member: Member): boolean {
  return stint === member.stint || member.alsoBegunBy.includes(stint);
}
