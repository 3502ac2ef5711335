/** What both sides of a link endpoint, the one that asks and the one that answers, have of it. */
import { toArmatureError, type ArmatureError } from '@armature/kernel';
import type { Clock, Logger } from '@armature/runtime';
import type { LinkAddress } from './link-address.js';
import type { LinkCodec } from './link-codec.js';
import { TOO_LARGE_TO_SEND, undecodable } from './link-errors.js';
import type { LinkLimits } from './link-limits.js';
import type { LinkMeter } from './link-meter.js';
import type { Peer, PeerTable } from './link-peers.js';

export interface LinkSide<Request, Reply> {
  readonly address: LinkAddress;
  readonly codec: LinkCodec<Request, Reply>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: LinkLimits;
  readonly meter: LinkMeter;
  readonly peers: PeerTable<Reply>;
  state(): 'open' | 'draining' | 'closed';
  /** Deadlines are to be looked at about then, by the monotonic clock. */
  wakeAt(dueMs: number): void;
}

/** A message to the peer is larger than the link takes. */
export function noteTooLarge<Request, Reply>({ limits, log, meter }: LinkSide<Request, Reply>, peer: Peer<Reply>): void {
  meter.add('tooLarge');
  log.error({ peer: peer.address, messageBytes: limits.messageBytes }, TOO_LARGE_TO_SEND);
}

/** The error of a message from a peer that does not decode. `executed`: whether what was asked has been carried out. */
export function noteUndecodable<Request, Reply>(
  { meter }: LinkSide<Request, Reply>,
  what: string,
  thrown: unknown,
  executed: 'no' | 'unknown',
): ArmatureError {
  meter.add('decodeErrors');
  return thrown instanceof Error ? undecodable(what, thrown, executed) : toArmatureError(thrown);
}
