/**
 * Requests that are not carried out yet, because many bytes of large replies wait to be sent to their sender already. To read what is asked for, and to hold it, would take memory and time
 * for what cannot leave soon: hundreds of reads of large values, asked for at once, would stop a process for seconds. Requests are small, so they wait instead, in order, until the
 * backlog is half of what it may be. Those that nobody waits for any more are dropped then.
 *
 * Requests without large answers, pings and writes among them, never wait here.
 */
import type { Clock } from '@armature/runtime';
import type { LinkLimits } from './link-limits.js';
import type { LinkMeter } from './link-meter.js';
import type { Peer, PeerTable } from './link-peers.js';

export interface HeldRequestsEnvironment<Reply> {
  readonly clock: Clock;
  readonly limits: LinkLimits;
  readonly meter: LinkMeter;
  readonly peers: Pick<PeerTable<Reply>, 'backlogBytes'>;
}

interface Held<Request> {
  readonly id: number;
  readonly message: Request;
  readonly deadlineMs: number;
  /** Of the peer that has asked. */
  readonly session: number;
}

export class HeldRequests<Request, Reply> {
  readonly #env: HeldRequestsEnvironment<Reply>;
  readonly #carryOut: (peer: Peer<Reply>, id: number, timeoutMs: number, message: Request) => void;
  readonly #byPeer = new Map<Peer<Reply>, Held<Request>[]>();
  #size = 0;

  constructor(
    env: HeldRequestsEnvironment<Reply>,
    carryOut: (peer: Peer<Reply>, id: number, timeoutMs: number, message: Request) => void,
  ) {
    this.#env = env;
    this.#carryOut = carryOut;
  }

  get size(): number {
    return this.#size;
  }

  isBacklogged({ outbox: { backlogBytes } }: Peer<Reply>): boolean {
    if (backlogBytes === 0) return false;
    const { limits, peers } = this.#env;
    return backlogBytes >= limits.backlogBytesPerPeer || peers.backlogBytes >= limits.backlogBytes;
  }

  hold(peer: Peer<Reply>, id: number, timeoutMs: number, message: Request): void {
    const { clock, meter } = this.#env;
    meter.add('held');
    this.#size++;
    peer.executing++;
    peer.group.executing++;
    const one = { id, message, deadlineMs: clock.monotonicMs() + timeoutMs, session: peer.pairing.peerSession };
    const others = this.#byPeer.get(peer);
    if (others !== undefined) {
      others.push(one);
      return;
    }
    this.#byPeer.set(peer, [one]);
    this.#awaitRoom(peer);
  }

  /** Where all peers together have too much waiting, this one's turn comes when nothing of its own is left. */
  #awaitRoom(peer: Peer<Reply>): void {
    const { limits, peers } = this.#env;
    const belowBytes = peers.backlogBytes >= limits.backlogBytes ? 1 : limits.backlogBytesPerPeer / 2;
    peer.outbox.whenBelow(belowBytes, () => this.#resume(peer));
  }

  #resume(peer: Peer<Reply>): void {
    const held = this.#byPeer.get(peer) ?? [];
    const nowMs = this.#env.clock.monotonicMs();
    let done = 0;
    for (let one = held[0]; one !== undefined && !this.isBacklogged(peer); one = held[done]) {
      done++;
      this.#size--;
      peer.executing--;
      peer.group.executing--;
      if (one.session === peer.pairing.peerSession && one.deadlineMs > nowMs)
        this.#carryOut(peer, one.id, one.deadlineMs - nowMs, one.message);
      else this.#env.meter.add('expired');
    }
    if (done === held.length) this.#byPeer.delete(peer);
    else {
      held.splice(0, done);
      this.#awaitRoom(peer);
    }
  }
}
