/**
 * Requests that are not carried out yet, because many bytes of large replies wait to be sent to their sender already. To read
 * what is asked for, and to hold it, would take memory and time for what cannot leave soon: hundreds of reads of large values,
 * asked for at once, would stop a process for seconds. Requests are small, so they wait instead, in order, until the backlog is
 * half of what it may be. Those that nobody waits for any more are dropped then.
 *
 * What is being read counts as well, with what answers to that peer usually take: a router asks nodes, and has answered nothing
 * yet when hundreds of requests have come. How large an answer will be nobody knows before it is there, so of a peer that is new
 * a few are carried out at first; one that is larger than usual counts at once, and smaller ones little by little.
 *
 * Requests without large answers, pings and writes among them, never wait here.
 */
import type { Clock } from '@armature/runtime';
import type { LinkLimits } from './link-limits.js';
import type { LinkMeter } from './link-meter.js';
import type { Peer, PeerTable } from './link-peers.js';
import type { IncomingBuffer, RequestsInHand } from './requests-in-hand.js';

export interface HeldRequestsEnvironment<Reply> {
  readonly clock: Clock;
  readonly limits: LinkLimits;
  readonly meter: LinkMeter;
  readonly peers: Pick<PeerTable<Reply>, 'backlogBytes'>;
}

/** Of a peer whose answers are not known: 32 at once. */
export const UNKNOWN_ANSWER_BYTES = 256 * 1024;
/**
 * Smaller answers count as that: 128 at once, or a peer that was content with small ones for long could have thousands of large
 * ones read before the first is there.
 */
const LEAST_ANSWER_BYTES = 64 * 1024;
/** Share of the latest answer in what answers usually take, where it is smaller. */
const WEIGHT = 1 / 16;

/** A request that is to be carried out. */
export interface TakenRequest<Request> {
  /** Of the sender. */
  readonly id: number;
  readonly message: Request;
  readonly buffer: IncomingBuffer;
}

interface Held<Request> {
  readonly request: TakenRequest<Request>;
  readonly deadlineMs: number;
  /** Of the peer that has asked. */
  readonly session: number;
}

export class HeldRequests<Request, Reply> {
  readonly #env: HeldRequestsEnvironment<Reply>;
  readonly #inHand: RequestsInHand;
  readonly #carryOut: (peer: Peer<Reply>, request: TakenRequest<Request>, timeoutMs: number) => void;
  readonly #byPeer = new Map<Peer<Reply>, Held<Request>[]>();
  /** Of answers that are being made, for all peers. */
  #expectedBytes = 0;

  constructor(
    env: HeldRequestsEnvironment<Reply>,
    inHand: RequestsInHand,
    carryOut: (peer: Peer<Reply>, request: TakenRequest<Request>, timeoutMs: number) => void,
  ) {
    this.#env = env;
    this.#inHand = inHand;
    this.#carryOut = carryOut;
  }

  isBacklogged({ outbox, expectedBytes }: Peer<Reply>): boolean {
    const ownBytes = outbox.backlogBytes + expectedBytes;
    if (ownBytes === 0) return false;
    const { limits, peers } = this.#env;
    return ownBytes >= limits.backlogBytesPerPeer || peers.backlogBytes + this.#expectedBytes >= limits.backlogBytes;
  }

  /** An answer that may be large is being made. How many bytes it is expected to take. */
  begun(peer: Peer<Reply>): number {
    const bytes = peer.usualAnswerBytes;
    peer.expectedBytes += bytes;
    this.#expectedBytes += bytes;
    return bytes;
  }

  /**
   * It has been made, and waits to be sent, if it has to: `sizeBytes`, 0 for an error. Of one that cannot be large nothing was
   * expected.
   */
  ended(peer: Peer<Reply>, expectedBytes: number, sizeBytes: number): void {
    if (expectedBytes === 0) return;
    peer.expectedBytes -= expectedBytes;
    this.#expectedBytes -= expectedBytes;
    const usualBytes = peer.usualAnswerBytes;
    peer.usualAnswerBytes =
      sizeBytes > usualBytes ? sizeBytes : Math.max(LEAST_ANSWER_BYTES, usualBytes + (sizeBytes - usualBytes) * WEIGHT);
    if (this.#byPeer.size > 0 && this.#byPeer.has(peer)) this.#resume(peer);
  }

  hold(peer: Peer<Reply>, request: TakenRequest<Request>, timeoutMs: number): void {
    const { clock, meter } = this.#env;
    meter.add('held');
    this.#inHand.begin(peer, request.buffer);
    const one = { request, deadlineMs: clock.monotonicMs() + timeoutMs, session: peer.pairing.peerSession };
    const others = this.#byPeer.get(peer);
    if (others !== undefined) {
      others.push(one);
      return;
    }
    this.#byPeer.set(peer, [one]);
    this.#awaitRoom(peer);
  }

  /**
   * Where all peers together have too much waiting, this one's turn comes when nothing of its own is left. While answers are
   * being made, the end of each is a reason to look.
   */
  #awaitRoom(peer: Peer<Reply>): void {
    if (peer.expectedBytes > 0) return;
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
      this.#inHand.end(peer, one.request.buffer);
      if (one.session === peer.pairing.peerSession && one.deadlineMs > nowMs)
        this.#carryOut(peer, one.request, one.deadlineMs - nowMs);
      else this.#env.meter.add('expired');
    }
    if (done === held.length) this.#byPeer.delete(peer);
    else {
      held.splice(0, done);
      this.#awaitRoom(peer);
    }
  }
}
