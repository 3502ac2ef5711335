/**
 * Random tokens, for strategies 1 and 2: T positions per unit of weight, "chosen uniformly at random from the hash space" (6.2).
 *
 * Here they are hashes of (seed, node, number), which are as uniform, and need no storing or gossiping: every node computes the
 * same ones. A node whose weight changes keeps the tokens it has, adding or dropping at the end of its numbers.
 */
import { type BinaryString, utf8Encode } from '@armature/kernel';
import { md5 } from './digest.js';
import { DEFAULT_TOKENS_PER_NODE, type RingMember, type RingSettings } from './ring.js';

export interface RandomTokens {
  /** 16-byte positions, ascending. */
  readonly positions: readonly BinaryString[];
  /** Index into the members of each position's owner. */
  readonly owners: Int32Array;
}

/**
 * The tokens of all members; at least one each. Two equal positions, which do not happen, would stand in the order of members.
 */
export function randomTokens(settings: RingSettings, members: readonly RingMember[]): RandomTokens {
  const perWeight = settings.tokensPerNode ?? DEFAULT_TOKENS_PER_NODE;
  const tokens = members.flatMap(({ node, weight }, owner) =>
    Array.from({ length: Math.max(1, Math.round(perWeight * weight)) }, (_, number) => ({
      position: md5(utf8Encode(JSON.stringify([settings.seed, node, number]))),
      owner,
    })),
  );
  tokens.sort((a, b) => (a.position < b.position ? -1 : a.position > b.position ? 1 : a.owner - b.owner));
  return { positions: tokens.map(({ position }) => position), owners: Int32Array.from(tokens, ({ owner }) => owner) };
}

/** How many of the ascending positions are at or before `position`; an address counts as its position. */
export function countUpTo(positions: readonly BinaryString[], position: BinaryString): number {
  let low = 0;
  let high = positions.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((positions[middle] as BinaryString) <= position) low = middle + 1;
    else high = middle;
  }
  return low;
}
