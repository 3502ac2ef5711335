/**
 * What two endpoints know of each other's present lives, so that nothing of a former life is carried out again.
 *
 * An endpoint draws a *session* for each peer that it meets, and numbers its frames to that peer within it. The receiver refuses
 * a number that it has seen (`replay-window.ts`). That is enough while it knows the session. But a session that it does not know
 * may be that of a peer that has just started, or that of a recording: a frame of long ago still has a right MAC.
 *
 * So each endpoint also draws a *nonce* for the peer, shows it in every frame, and each frame names the nonce of its receiver as
 * far as its sender knows it. A session that is not known is taken up only by a frame that names the present nonce: it was
 * written after that nonce was drawn. With that the nonce has done its work, and a fresh one is drawn. So a recording of the
 * session before names a nonce that is gone.
 *
 * A frame that names another nonce is *unconfirmed*. It changes nothing and nothing in it is carried out; what it asks is sent
 * back with our nonce, and its sender asks again. First contact costs one round trip.
 *
 * Frames that were under way while the session was taken up name the nonce before. They are taken too, in that session only: none
 * of them can have been carried out before.
 */
import { ReplayWindow } from './replay-window.js';

/** The numbers in the header of a frame, see `frame.ts`. */
export interface FrameNumbers {
  readonly session: number;
  readonly nonce: number;
  readonly named: number;
  readonly sequence: number;
}

/**
 * - *confirmed*: of the session that is known, and not seen before.
 * - *renewed*: the first of a session that is taken up with it.
 * - *unconfirmed*: not known to be of the peer's present life, or not meant for this life of ours.
 * - *replayed*: of the session that is known, and seen before, or too old to tell.
 */
export type Hearing = 'confirmed' | 'renewed' | 'unconfirmed' | 'replayed';

export class Pairing {
  /** Ours towards this peer; not 0. */
  readonly session: number;
  readonly #draw: () => number;
  readonly #window = new ReplayWindow();
  #nonce: number;
  #formerNonce = 0;
  #peerSession = 0;
  #peerNonce = 0;
  #sequence = 0;

  /** `draw` gives 32 random bits. `nonce`: what the peer has been told already, if it has (`greeter.ts`). */
  constructor(draw: () => number, nonce?: number) {
    this.#draw = () => draw() || 1;
    this.session = this.#draw();
    this.#nonce = nonce ?? this.#draw();
  }

  /** What our frames show, and the peer's are to name. */
  get nonce(): number {
    return this.#nonce;
  }

  /** Which life of the peer we know; 0 when none yet. */
  get peerSession(): number {
    return this.#peerSession;
  }

  /** What our frames are to name; 0 when we know none yet. */
  get peerNonce(): number {
    return this.#peerNonce;
  }

  /** The number of our next frame. */
  nextSequence(): number {
    return ++this.#sequence;
  }

  /** Takes in what the header of a frame says, and tells what is to become of the frame. */
  hear({ session, nonce, named, sequence }: FrameNumbers): Hearing {
    const isKnown = session === this.#peerSession && session !== 0;
    if (named !== this.#nonce && !(isKnown && named === this.#formerNonce)) return 'unconfirmed';
    if (!isKnown) this.#takeUp(session);
    const isNewest = sequence > this.#window.highest;
    if (!this.#window.accept(sequence)) return 'replayed';
    if (isNewest) this.#peerNonce = nonce;
    return isKnown ? 'confirmed' : 'renewed';
  }

  #takeUp(session: number): void {
    this.#peerSession = session;
    this.#formerNonce = this.#nonce;
    this.#nonce = this.#draw();
    this.#window.reset();
  }
}
