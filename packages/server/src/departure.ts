/**
 * Leaving in good order. An administrator's `leave` takes a node out of the ring; it serves until its successors hold its
 * partitions, and is a member until it says itself that it has left. It says so when it has nothing that anybody could still
 * need: it owns no partition, the hints it kept for others are delivered or in other hands, and whatever else `isEmptyHanded`
 * asks for.
 *
 * From the moment at which it owns nothing no hints are taken either, so what was found empty stays empty.
 *
 * The conditions are looked at on each change of the view and every second: hints go away without a change of the view.
 */
import { toArmatureError, type NodeId } from '@armature/kernel';
import type { Membership, View } from '@armature/membership';
import { repeat, type Clock, type Logger, type Timer } from '@armature/runtime';

export interface DepartureEnv {
  readonly node: NodeId;
  readonly membership: Pick<Membership, 'view' | 'declareLeft'>;
  /** Whether nothing is left here that another node lacks. Asked again until it says yes; a good place to work towards that. */
  readonly isEmptyHanded: () => boolean | Promise<boolean>;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * `staying` as a member, `serving` until the successors are ready, `clearing` what is left, or `gone`: no member (any more, or
 * yet).
 */
export type DeparturePhase = 'staying' | 'serving' | 'clearing' | 'gone';

const LOOK_INTERVAL_MS = 1_000;

export class Departure {
  readonly #env: DepartureEnv;
  #view: View | undefined;
  #phase: DeparturePhase = 'gone';
  #timer: Timer | undefined;
  #looking = false;
  #stopped = false;

  constructor(env: DepartureEnv) {
    this.#env = env;
  }

  get phase(): DeparturePhase {
    const { view } = this.#env.membership;
    if (view !== this.#view) {
      this.#view = view;
      this.#phase = phaseOf(view, this.#env.node);
    }
    return this.#phase;
  }

  /** Looks whether it is over. Call it at the start and at every change of the view. */
  follow(): void {
    if (this.#stopped) return;
    if (this.phase !== 'clearing') {
      this.#timer?.cancel();
      this.#timer = undefined;
      return;
    }
    this.#timer ??= repeat(this.#env.clock, LOOK_INTERVAL_MS, () => this.#look());
    void this.#look();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  async #look(): Promise<void> {
    if (this.#looking || this.#stopped) return;
    this.#looking = true;
    const { membership, isEmptyHanded, log, node } = this.#env;
    try {
      if (!(await isEmptyHanded()) || this.#stopped || this.phase !== 'clearing') return;
      if ((await membership.declareLeft()) !== undefined) log.info({ node }, 'this node has left the cluster and can be stopped');
    } catch (thrown) {
      if (!this.#stopped) log.warn({ err: toArmatureError(thrown) }, 'this node could not leave yet, and tries again');
    } finally {
      this.#looking = false;
    }
  }
}

function phaseOf(view: View, node: NodeId): DeparturePhase {
  const state = view.members.get(node)?.state;
  if (state === undefined) return 'gone';
  if (state === 'member') return 'staying';
  return view.holds(node) ? 'serving' : 'clearing';
}
