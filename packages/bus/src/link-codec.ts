/** What a link carries and who answers it: the two things its user supplies. */
import type { ByteReader, ByteWriter } from '@armature/kernel';
import type { LinkAddress } from './link-address.js';

/**
 * How messages become bytes. Encoders write straight into the frame; decoders throw `DecodeError` on malformed input, may
 * leave bytes of a newer version unread, and may return views into the frame (which stays valid, but pins it).
 */
export interface LinkCodec<Request, Reply> {
  encodeRequest(writer: ByteWriter, message: Request): void;
  decodeRequest(reader: ByteReader): Request;
  encodeReply(writer: ByteWriter, message: Reply): void;
  decodeReply(reader: ByteReader): Reply;
}

export interface LinkSender {
  readonly address: LinkAddress;
  /** What the requester still waits, in ms, not counting the way here; Infinity for a one-way message. */
  readonly remainingMs: number;
  /** What it shows to be let in, if anything. The same object as long as it shows the same. */
  readonly token: Uint8Array | undefined;
}

/**
 * Answers one message; what it answers to a one-way message is ignored. An `ArmatureError` thrown or rejected with reaches the
 * requester as it is. A promise must be a native one; a reply that is not a promise costs none.
 */
export type LinkHandler<Request, Reply> = (message: Request, from: LinkSender) => Reply | Promise<Reply>;

/** What a link has to know of a request. */
export interface RequestTraits<Request> {
  /**
   * Whether its answer may be large. It then waits while many bytes of such answers wait to be sent to the same peer. Default:
   * no.
   */
  readonly mayHaveLargeAnswer?: (message: Request) => boolean;
}
