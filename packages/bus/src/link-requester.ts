/**
 * The side of an endpoint that asks: sends requests, and settles each of them exactly once, by its answer, by an error of the
 * link, or by its deadline.
 *
 * One timer serves all deadlines (`sweep-timer.ts`). Where many requests fail at once, for one reason, they share one error: a
 * stack trace for each of thousands would stall the process.
 */
import { assert, toArmatureError, type ArmatureError, type ByteReader } from '@armature/kernel';
import { RECORD } from './frame.js';
import type { LinkAddress } from './link-address.js';
import * as errors from './link-errors.js';
import type { Peer } from './link-peers.js';
import { noteTooLarge, noteUndecodable, type LinkSide } from './link-side.js';
import type { PendingRequest } from './pending-requests.js';
import { readError } from './remote-error.js';

/** Longest timeout that a request can carry: 24 days, a little less than what a timer takes. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1000;
/** A request whose age the peer cannot tell goes out again, so often. Once is enough, unless the peer's clocks jump meanwhile. */
const MAX_REPEATS = 3;

export class LinkRequester<Request, Reply> {
  readonly #side: LinkSide<Request, Reply>;
  readonly #isConnected: () => boolean;
  #pending = 0;

  /** `isConnected`: to the bus. */
  constructor(side: LinkSide<Request, Reply>, isConnected: () => boolean) {
    this.#side = side;
    this.#isConnected = isConnected;
  }

  /** Requests without an answer yet. */
  get pending(): number {
    return this.#pending;
  }

  request(to: LinkAddress, message: Request, timeoutMs: number): Promise<Reply> {
    assert(timeoutMs > 0, 'a request waits for some time');
    const peer = this.#side.peers.at(to);
    if (peer === undefined) return Promise.reject(this.#refused('more peers than this endpoint remembers'));
    const obstacle = this.#obstacle(peer);
    if (obstacle !== undefined) return Promise.reject(obstacle);
    return new Promise<Reply>((resolve, reject) => {
      const deadlineMs = this.#side.clock.monotonicMs() + Math.min(timeoutMs, MAX_TIMEOUT_MS);
      this.#ask(peer, peer.pending.add(deadlineMs, resolve, reject, message), message);
    });
  }

  /** Throws only what the encoder throws. */
  send(to: LinkAddress, message: Request): void {
    const { peers, meter, codec } = this.#side;
    const peer = peers.at(to);
    if (peer === undefined || this.#side.state() === 'closed' || !this.#isConnected()) {
      meter.add('droppedMessages');
      return;
    }
    const writer = peer.outbox.open(RECORD.oneWay);
    try {
      codec.encodeRequest(writer, message);
    } catch (error) {
      peer.outbox.undo();
      throw error;
    }
    if (typeof peer.outbox.seal() === 'string') meter.add('droppedMessages');
  }

  // ---- answers

  onReply(peer: Peer<Reply>, id: number, body: ByteReader): void {
    const pending = this.#takeAnswered(peer, id);
    if (pending === undefined) return;
    let reply: Reply;
    try {
      reply = this.#side.codec.decodeReply(body);
    } catch (error) {
      pending.reject(noteUndecodable(this.#side, 'a reply', error, 'unknown'));
      return;
    }
    pending.resolve(reply);
  }

  onError(peer: Peer<Reply>, id: number, body: ByteReader): void {
    const pending = this.#takeAnswered(peer, id);
    if (pending === undefined) return;
    let error: ArmatureError;
    try {
      error = readError(body);
    } catch (failure) {
      error = noteUndecodable(this.#side, 'an error', failure, 'unknown');
    }
    pending.reject(error);
  }

  /**
   * The peer did not carry it out, for it could not tell how long it was under way. By what we have just heard from it, it can.
   */
  onAgain(peer: Peer<Reply>, id: number): void {
    const answered = this.#takeAnswered(peer, id);
    if (answered === undefined) return;
    const { deadlineMs, resolve, reject, message, repeats } = answered;
    if (this.#side.state() === 'closed') reject(errors.linkClosed('no'));
    else if (deadlineMs <= this.#side.clock.monotonicMs()) reject(errors.timedOut(peer.address));
    else if (repeats === MAX_REPEATS) reject(errors.ageUnknown(peer.address));
    else this.#ask(peer, peer.pending.add(deadlineMs, resolve, reject, message, repeats + 1), message as Request);
  }

  // ---- failures

  /** Rejects those that match. Returns how many. */
  fail(peer: Peer<Reply>, which: (pending: PendingRequest<Reply>) => boolean, error: ArmatureError): number {
    return this.#reject(peer.pending.takeWhere(which), error);
  }

  failAll(peer: Peer<Reply>, error: ArmatureError): number {
    return this.fail(peer, () => true, error);
  }

  /** Rejects what is past its deadline. Returns when to look again. */
  sweep(peer: Peer<Reply>, nowMs: number): number {
    const expired = peer.pending.takeExpired(nowMs);
    if (expired.length > 0) this.#side.meter.add('timeouts', this.#reject(expired, errors.timedOut(peer.address)));
    return peer.pending.earliestDeadlineMs;
  }

  /** Of requests that have been taken out. Returns how many. */
  #reject(taken: readonly PendingRequest<Reply>[], error: ArmatureError): number {
    this.#pending -= taken.length;
    for (const pending of taken) pending.reject(error);
    return taken.length;
  }

  /** Sends a request that has been entered. Should it fail at once, it is taken out and rejected. */
  #ask(peer: Peer<Reply>, pending: PendingRequest<Reply>, message: Request): void {
    const { clock, codec, limits } = this.#side;
    const { id, deadlineMs, reject } = pending;
    const waitMs = deadlineMs - clock.monotonicMs();
    const writer = peer.outbox.open(RECORD.request).u32(id).u32(Math.ceil(waitMs));
    try {
      codec.encodeRequest(writer, message);
    } catch (error) {
      peer.outbox.undo();
      peer.pending.take(id);
      reject(toArmatureError(error));
      return;
    }
    const sealed = peer.outbox.seal(pending);
    if (typeof sealed === 'string') {
      peer.pending.take(id);
      if (sealed === 'too-large') noteTooLarge(this.#side, peer);
      reject(errors.notTaken(sealed, limits.messageBytes));
      return;
    }
    peer.pending.measure(pending, sealed);
    this.#pending++;
    this.#side.wakeAt(deadlineMs);
  }

  #takeAnswered(peer: Peer<Reply>, id: number): PendingRequest<Reply> | undefined {
    const pending = peer.pending.take(id);
    if (pending === undefined) this.#side.meter.add('lateReplies');
    else this.#pending--;
    return pending;
  }

  #obstacle(peer: Peer<Reply>): ArmatureError | undefined {
    if (this.#side.state() === 'closed') return errors.linkClosed('no');
    if (!this.#isConnected()) return errors.busUnavailable('no');
    const { pendingPerPeer, pendingTotal, pendingBytesPerPeer } = this.#side.limits;
    if (peer.pending.size >= pendingPerPeer || this.#pending >= pendingTotal)
      return this.#refused('too many requests without an answer');
    if (peer.pending.sizeBytes >= pendingBytesPerPeer) return this.#refused('too many bytes without an answer');
    return undefined;
  }

  #refused(why: string): ArmatureError {
    this.#side.meter.add('overloaded');
    return errors.overloaded(why);
  }
}
