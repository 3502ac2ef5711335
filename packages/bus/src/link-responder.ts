/**
 * The side of an endpoint that answers: requests of peers go to the handler, and its answers to the outbox of whoever asked.
 * Nothing a peer sends makes this throw.
 *
 * A request is not carried out where it may have waited for longer than its sender does, where too many are in hand
 * (`requests-in-hand.ts`), or where it does not decode. One whose answer may be large waits while its sender has large answers to
 * come (`held-requests.ts`).
 */
import { DecodeError, toArmatureError, type ArmatureError, type ByteReader } from '@armature/kernel';
import { isInTime } from './frame-age.js';
import { RECORD } from './frame.js';
import { HeldRequests, type TakenRequest } from './held-requests.js';
import type { LinkHandler, LinkSender, RequestTraits } from './link-codec.js';
import * as errors from './link-errors.js';
import type { Peer } from './link-peers.js';
import { noteTooLarge, noteUndecodable, type LinkSide } from './link-side.js';
import { writeError } from './remote-error.js';
import { RequestsInHand, type IncomingBuffer } from './requests-in-hand.js';

export class LinkResponder<Request, Reply> {
  readonly #side: LinkSide<Request, Reply>;
  readonly #inHand: RequestsInHand;
  readonly #held: HeldRequests<Request, Reply>;
  #handler: LinkHandler<Request, Reply> | undefined;
  #traits: RequestTraits<Request> = {};

  constructor(side: LinkSide<Request, Reply>) {
    this.#side = side;
    this.#inHand = new RequestsInHand(side.limits);
    this.#held = new HeldRequests(side, this.#inHand, (peer, request, timeoutMs) => this.#carryOut(peer, request, timeoutMs));
  }

  /** Requests of peers that are not answered yet. */
  get inHand(): number {
    return this.#inHand.count;
  }

  get isServing(): boolean {
    return this.#handler !== undefined;
  }

  serve(handler: LinkHandler<Request, Reply>, traits: RequestTraits<Request>): void {
    this.#handler = handler;
    this.#traits = traits;
  }

  /** `buffer`: what the request came in, and is held as long as it is in hand. */
  onRequest(peer: Peer<Reply>, id: number, timeoutMs: number, body: ByteReader, buffer: IncomingBuffer): void {
    if (!isInTime(peer.frameAgeMs, timeoutMs)) {
      this.#sendBack(peer, id); // whoever asked may have given up, and done otherwise since
      return;
    }
    const obstacle = this.#obstacle(peer);
    if (obstacle !== undefined) {
      this.sendError(peer, id, obstacle);
      return;
    }
    let message: Request;
    try {
      message = this.#side.codec.decodeRequest(body);
    } catch (error) {
      this.sendError(peer, id, error instanceof DecodeError ? noteUndecodable(this.#side, 'a request', error, 'no') : error);
      return;
    }
    const request = { id, message, buffer };
    const { mayHaveLargeAnswer } = this.#traits;
    if (this.#held.isBacklogged(peer) && mayHaveLargeAnswer?.(message) === true) this.#held.hold(peer, request, timeoutMs);
    else this.#carryOut(peer, request, timeoutMs);
  }

  onOneWay(peer: Peer<Reply>, body: ByteReader, buffer: IncomingBuffer, onFailure: (error: unknown) => void): void {
    const { meter, codec } = this.#side;
    const handler = this.#handler;
    if (handler === undefined || this.#obstacle(peer) !== undefined) {
      meter.add('droppedMessages');
      return;
    }
    const failed = (error: unknown): void => {
      if (error instanceof DecodeError) meter.add('decodeErrors');
      else onFailure(error);
    };
    try {
      const answer = handler(codec.decodeRequest(body), senderOf(peer, Infinity));
      if (!(answer instanceof Promise)) return;
      this.#inHand.begin(peer, buffer);
      answer.catch(failed).finally(() => this.#inHand.end(peer, buffer));
    } catch (error) {
      failed(error);
    }
  }

  sendError(peer: Peer<Reply>, id: number, thrown: unknown): void {
    if (this.#side.state() === 'closed') return;
    const error = toArmatureError(thrown);
    if (error.code === 'internal') this.#side.log.error({ peer: peer.address, error: thrown }, 'answering a request failed');
    writeError(peer.outbox.open(RECORD.error).u32(id), error);
    peer.outbox.seal();
  }

  #carryOut(peer: Peer<Reply>, request: TakenRequest<Request>, timeoutMs: number): void {
    const { id, message } = request;
    let answer: Reply | Promise<Reply>;
    try {
      answer = (this.#handler as LinkHandler<Request, Reply>)(message, senderOf(peer, timeoutMs));
    } catch (error) {
      this.sendError(peer, id, error);
      return;
    }
    if (answer instanceof Promise) this.#answerLater(peer, request, answer, this.#traits.mayHaveLargeAnswer?.(message) === true);
    else this.#sendReply(peer, id, answer);
  }

  /** Not carried out: with our answer the peer gets a stamp by which the age of its next frame can be told. */
  #sendBack(peer: Peer<Reply>, id: number): void {
    this.#side.meter.add('expired');
    if (this.#side.state() === 'closed') return;
    peer.outbox.open(RECORD.again).u32(id);
    peer.outbox.seal();
  }

  /** Why no request is taken at the moment, if none is. */
  #obstacle({ group }: Peer<Reply>): ArmatureError | undefined {
    const { address, meter } = this.#side;
    if (this.#side.state() === 'draining') return errors.draining(address);
    if (this.#handler === undefined) return errors.unreachable(address, 'no');
    const whose = this.#inHand.fullWith(group);
    if (whose === undefined) return undefined;
    meter.add('overloaded');
    return errors.overloaded(`${address} has too many requests in hand${whose}`);
  }

  #answerLater(peer: Peer<Reply>, { id, buffer }: TakenRequest<Request>, answer: Promise<Reply>, mayBeLarge: boolean): void {
    const session = peer.pairing.peerSession;
    this.#inHand.begin(peer, buffer);
    const expectedBytes = mayBeLarge ? this.#held.begun(peer) : 0;
    const askerIsAlive = (): boolean => {
      this.#inHand.end(peer, buffer);
      return peer.pairing.peerSession === session; // else its successor may use the same id
    };
    answer.then(
      (reply) => this.#held.ended(peer, expectedBytes, askerIsAlive() ? this.#sendReply(peer, id, reply) : 0),
      (error: unknown) => {
        if (askerIsAlive()) this.sendError(peer, id, error);
        this.#held.ended(peer, expectedBytes, 0);
      },
    );
  }

  /** Its size in bytes, 0 where an error has been sent in its place. */
  #sendReply(peer: Peer<Reply>, id: number, reply: Reply): number {
    const { codec, limits } = this.#side;
    if (this.#side.state() === 'closed') return 0;
    const writer = peer.outbox.open(RECORD.reply).u32(id);
    try {
      codec.encodeReply(writer, reply);
    } catch (error) {
      peer.outbox.undo();
      this.sendError(peer, id, error);
      return 0;
    }
    const sealed = peer.outbox.seal();
    if (typeof sealed !== 'string') return sealed;
    if (sealed === 'too-large') noteTooLarge(this.#side, peer);
    this.sendError(peer, id, errors.notTaken(sealed, limits.messageBytes));
    return 0;
  }
}

function senderOf<Reply>({ address, token }: Peer<Reply>, remainingMs: number): LinkSender {
  return { address, remainingMs, token };
}
