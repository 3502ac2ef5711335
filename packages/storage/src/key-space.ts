/**
 * One engine holds four kinds of things: the replica's records, the list of those that may be reaped, hints for other nodes, and
 * the node's own bookkeeping. A leading byte keeps them apart, so that each is one contiguous range, can be scanned or dropped by
 * itself, and one atomic batch (one fsync) may touch all four.
 */
import type { BinaryString } from '@armature/kernel';

export type Space = 'data' | 'reapable' | 'hints' | 'meta';

/** Never renumbered: they are on disk. Letters, so that a dump can be read. */
const PREFIXES: Readonly<Record<Space, string>> = { data: 'd', reapable: 'r', hints: 'h', meta: 'm' };

export interface KeyBounds {
  /** Inclusive. */
  readonly start: BinaryString;
  /** Exclusive. */
  readonly end: BinaryString;
}

/** The stored key of a key in a space. */
export function spaceKey(space: Space, key: string): BinaryString {
  return (PREFIXES[space] + key) as BinaryString;
}

/** The space a stored key is in and its key there; undefined for a key of none. */
export function parseSpaceKey(stored: BinaryString): { readonly space: Space; readonly key: BinaryString } | undefined {
  const key = stored.slice(1) as BinaryString;
  switch (stored[0]) {
    case PREFIXES.data:
      return { space: 'data', key };
    case PREFIXES.reapable:
      return { space: 'reapable', key };
    case PREFIXES.hints:
      return { space: 'hints', key };
    case PREFIXES.meta:
      return { space: 'meta', key };
    default:
      return undefined;
  }
}

/** Bounds in stored keys of the range [start, end) of a space; the whole space without arguments. */
export function spaceBounds(space: Space, start = '', end?: string): KeyBounds {
  const prefix = PREFIXES[space];
  return {
    start: (prefix + start) as BinaryString,
    end: (end === undefined ? String.fromCharCode(prefix.charCodeAt(0) + 1) : prefix + end) as BinaryString,
  };
}

/** Bounds in stored keys of all keys of a space that begin with `prefix`. */
export function spacePrefixBounds(space: Space, prefix: string): KeyBounds {
  return spaceBounds(space, prefix, prefixEnd(prefix));
}

/** The smallest key greater than every key that begins with `prefix`; undefined where there is none. */
function prefixEnd(prefix: string): string | undefined {
  let last = prefix.length - 1;
  while (last >= 0 && prefix.charCodeAt(last) === 0xff) last--;
  return last < 0 ? undefined : prefix.slice(0, last) + String.fromCharCode(prefix.charCodeAt(last) + 1);
}
