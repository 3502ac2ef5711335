/**
 * `join` on bytes: what a replica does with every incoming set. Nearly always the answer is one of the two inputs: they
 * are equal (a repair, a retry, a hint delivered twice), or one replaces the other. Then nothing needs encoding, and the
 * stored set need not be decoded past its dots.
 *
 * When may an input be taken whole? Not merely because its clock dominates. Say the incoming clock descends ours. Our
 * siblings are covered by our own clock, hence by the incoming one, so those that the incoming set lacks were superseded
 * there: they go, rightly. But an incoming sibling that our clock covers and that we do not hold was superseded *here*, and
 * must go too. Causal closure says that this cannot be: the event that superseded it is in our clock, hence in the incoming
 * one, hence was known where that set was made, which would have dropped the sibling. Last-write-wins pruning keeps
 * closure (resolvers.ts), and tombstones are ordinary versions. Yet closure is a promise about all code that ever wrote
 * a set, and it lapses while a bucket's resolver is being changed.
 *
 * Looking is as cheap as trusting, since dots precede values: an input is taken whole iff its clock descends the
 * other's and all its dots are new to the other. Then nothing is shared, nothing of the other's survives, nothing of its own
 * goes. So `joinEncoded` is the same function as decode, join, resolve, encode, for all well-formed inputs and not
 * only for honest histories, and the tests compare the two.
 */
import { bytesEqual, err, ok, type DecodeError, type Result } from '@armature/kernel';
import { decodeHead, decodeVersionSet, encodeVersionSet, type VersionSetHead } from './codec.js';
import { resolve, type Resolver } from './resolvers.js';
import { join, type VersionSet } from './version-set.js';
import { EMPTY_VECTOR, covers, descends, type VersionVector } from './version-vector.js';

export interface JoinedBytes {
  /** The joined set. May be `local` or `incoming` itself, with that input's lifetime. */
  readonly bytes: Uint8Array;
  /** Whether it differs from what is stored, that is, whether there is something to write. */
  readonly changed: boolean;
  /** The incoming set, for checks to make before writing (timestamps, amnesia). Its values are views into `incoming`. */
  readonly incoming: VersionSet;
  /** The clock of what is stored. */
  readonly localClock: VersionVector;
}

/** Which of the inputs is malformed: bytes off the wire are refused, stored bytes are corrupt. */
export interface JoinError {
  readonly side: 'local' | 'incoming';
  readonly error: DecodeError;
}

/**
 * What a replica that stores `local` (undefined: nothing) is to store after `incoming`, under the bucket's resolver. The
 * incoming bytes are validated whole; the stored ones, which were validated when they came, only where they are used.
 */
export function joinEncoded(
  local: Uint8Array | undefined,
  incoming: Uint8Array,
  resolver: Resolver = 'siblings',
): Result<JoinedBytes, JoinError> {
  const decoded = decodeVersionSet(incoming);
  if (!decoded.ok) return err({ side: 'incoming', error: decoded.error });
  const theirs = decoded.value;
  if (local === undefined) {
    const resolved = resolve(resolver, theirs);
    const bytes = resolved === theirs ? incoming : encodeVersionSet(resolved);
    return ok({ bytes, changed: theirs.clock.length > 0, incoming: theirs, localClock: EMPTY_VECTOR });
  }

  const head = decodeHead(local);
  if (!head.ok) return err({ side: 'local', error: head.error });
  const localClock = head.value.clock;
  // A side with several siblings under last-write-wins (the bucket kept siblings until lately) is pruned after joining.
  const prunes = resolver === 'last-write-wins' && (head.value.dots.length > 1 || theirs.siblings.length > 1);
  if (!prunes) {
    if (bytesEqual(local, incoming)) return ok({ bytes: local, changed: false, incoming: theirs, localClock });
    const theirHead: VersionSetHead = { clock: theirs.clock, dots: theirs.siblings.map((sibling) => sibling.dot) };
    if (replaces(theirHead, head.value)) return ok({ bytes: incoming, changed: true, incoming: theirs, localClock });
    if (replaces(head.value, theirHead)) return ok({ bytes: local, changed: false, incoming: theirs, localClock });
  }

  const stored = decodeVersionSet(local);
  if (!stored.ok) return err({ side: 'local', error: stored.error });
  const joined = resolve(resolver, join(stored.value, theirs));
  if (joined === stored.value) return ok({ bytes: local, changed: false, incoming: theirs, localClock });
  return ok({ bytes: encodeVersionSet(joined), changed: true, incoming: theirs, localClock });
}

/** Whether the join of both is `a`: it has seen all that `b` has, and all its siblings are news to `b`. */
function replaces(a: VersionSetHead, b: VersionSetHead): boolean {
  return descends(a.clock, b.clock) && a.dots.every((dot) => !covers(b.clock, dot));
}
