/**
 * Who makes events, and what an event is called.
 *
 * The paper's clocks name nodes. That is not safe: a node that lost its disk, or came back on an old copy of it, counts
 * from an earlier number again, and gives a new write the name of an old one. Replicas that know the old event then take
 * the new write for something they have seen, and drop it. So the names here are *actors*: 64 random bits that stand for
 * one epoch of one node's store. A node whose store is not provably the one it last wrote takes a fresh actor, and
 * whatever the lost epoch did stays distinct from whatever the new one does.
 *
 * 64 bits suffice: among a million epochs ever minted, the chance that any two agree is below 10^-7.
 */
import { ArmatureError, err, ok, quoted, toHex, type Brand, type Random, type Result } from '@armature/kernel';

/** One epoch of one node's store: 16 lower-case hex digits. Text order is byte order. */
export type ActorId = Brand<string, 'ActorId'>;

/** One event: the `counter`-th write (counting from 1) that `actor` made to one key. */
export interface Dot {
  readonly actor: ActorId;
  readonly counter: number;
}

/** Bytes of an actor on the wire and on disk. */
export const ACTOR_BYTES = 8;

const ACTOR = /^[0-9a-f]{16}$/;

/** A fresh actor. `random` must be unpredictable across restarts: in production, the cryptographic source. */
export function mintActorId(random: Random): ActorId {
  return toHex(random.bytes(ACTOR_BYTES)) as ActorId;
}

/** An actor from its text form. Error: `invalid-argument`. */
export function parseActorId(text: string): Result<ActorId, ArmatureError> {
  if (ACTOR.test(text)) return ok(text as ActorId);
  return err(
    new ArmatureError('invalid-argument', `${quoted(text)} is not an actor id`, {
      remedy: 'Give the 16 lower-case hex digits that the node reports.',
    }),
  );
}

/** Byte order of actors: negative, zero or positive. */
export function compareActors(a: ActorId, b: ActorId): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

/** By actor, then counter: the order in which siblings are stored. */
export function compareDots(a: Dot, b: Dot): number {
  return a.actor === b.actor ? a.counter - b.counter : a.actor < b.actor ? -1 : 1;
}
