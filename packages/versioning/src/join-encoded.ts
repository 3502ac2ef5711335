/**
 * `join` on bytes: what a replica does with every incoming set. Nearly always the answer is one of the two inputs: they are equal
 * (a repair, a retry, a hint delivered twice), or one replaces the other. Then nothing needs encoding, and what is stored or sent
 * on are the very bytes that came.
 *
 * Equal inputs are not even decoded twice. For the rest `join` is asked, which returns an input itself where the other adds
 * nothing: decoding makes views of values, so it costs little, and it leaves nothing to be trusted. That a clock dominates would
 * not be enough to take an input whole: it may hold a sibling that was superseded here, and it may not remember an operation that
 * has ended here.
 */
import { bytesEqual, err, ok, type DecodeError, type Result } from '@armature/kernel';
import { decodeVersionSet, encodeVersionSet } from './codec.js';
import { resolve, type Resolver } from './resolvers.js';
import { emptyVersionSet, join, type VersionSet } from './version-set.js';

export interface JoinedBytes {
  /** The joined set. May be `local` or `incoming` itself, with that input's lifetime. */
  readonly bytes: Uint8Array;
  /** Whether it differs from what is stored, that is, whether there is something to write. */
  readonly changed: boolean;
  /** The incoming set, for checks to make before writing (timestamps, amnesia). Its values are views into `incoming`. */
  readonly incoming: VersionSet;
  /** What is stored, the empty set for nothing. */
  readonly local: VersionSet;
  /** The joined set, decoded. */
  readonly joined: VersionSet;
}

/** Which of the inputs is malformed: bytes off the wire are refused, stored bytes are corrupt. */
export interface JoinError {
  readonly side: 'local' | 'incoming';
  readonly error: DecodeError;
}

/**
 * What a replica that stores `local` (undefined: nothing) is to store after `incoming`, under the bucket's resolver. Both are
 * validated whole.
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
    return ok({ bytes, changed: theirs.clock.length > 0, incoming: theirs, local: emptyVersionSet, joined: resolved });
  }

  const stored = bytesEqual(local, incoming) ? decoded : decodeVersionSet(local);
  if (!stored.ok) return err({ side: 'local', error: stored.error });
  const ours = stored.value;
  // Equal sets, too, may have to be pruned: the bucket kept siblings until lately.
  const joined = resolve(resolver, join(ours, theirs));
  const answer = (bytes: Uint8Array, changed: boolean): Result<JoinedBytes, JoinError> =>
    ok({ bytes, changed, incoming: theirs, local: ours, joined });
  if (joined === ours) return answer(local, false);
  if (joined === theirs) return answer(incoming, true);
  const bytes = encodeVersionSet(joined);
  return bytesEqual(bytes, local) ? answer(local, false) : answer(bytes, true);
}
