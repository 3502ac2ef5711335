/**
 * Which node of a tree a key belongs to, and which keys belong to a node.
 *
 * A tree covers one arc of the ring: the positions that begin with certain bits (a partition, of 2^bits equal ones). The bits
 * after those choose the way down, four at a time. So a node is a prefix of positions, its keys are one contiguous range of
 * stored keys, and leaves need not remember them.
 */
import { assert, type BinaryString } from '@armature/kernel';

/** One of 2^`bits` equal arcs, counted from position 0. */
export interface Arc {
  /** 0 to 16. */
  readonly bits: number;
  readonly index: number;
}

/** A node of the tree of some arc: level 0 is the root, level d has 16^d nodes, in ring order. */
export interface Prefix {
  readonly level: number;
  readonly index: number;
}

/** Stored keys k with start <= k < end; an end of undefined is the end of the ring. */
export interface KeyRange {
  readonly start: BinaryString;
  readonly end: BinaryString | undefined;
}

export const FAN_OUT = 16;
const FAN_OUT_BITS = 4;
/** 65,536 leaves: the first four bytes of a position are then enough for arc and leaf together. */
export const MAX_DEPTH = 4;
const MAX_ARC_BITS = 16;

const HEAD_BITS = 32;
const REST_OF_POSITION = '\0'.repeat(12);

function isArc(arc: Arc): boolean {
  return isBelow(arc.bits, MAX_ARC_BITS + 1) && isBelow(arc.index, 2 ** arc.bits);
}

export function isPrefix(prefix: Prefix): boolean {
  return isBelow(prefix.level, MAX_DEPTH + 1) && isBelow(prefix.index, nodesAt(prefix.level));
}

export function nodesAt(level: number): number {
  return 1 << (FAN_OUT_BITS * level);
}

/** The node of `level` that an address of an arc of `arcBits` belongs to. Does not look whether the address lies in the arc. */
export function prefixIndexOf(arcBits: number, level: number, address: BinaryString): number {
  if (level === 0) return 0; // a shift by 32 is no shift
  const head =
    (address.charCodeAt(0) << 24) | (address.charCodeAt(1) << 16) | (address.charCodeAt(2) << 8) | address.charCodeAt(3);
  return (head << arcBits) >>> (HEAD_BITS - FAN_OUT_BITS * level);
}

/** The range of a node. */
export function rangeOfPrefix(arc: Arc, prefix: Prefix): KeyRange {
  assert(isArc(arc) && isPrefix(prefix), 'a node of the tree of an arc');
  const size = 2 ** (HEAD_BITS - arc.bits - FAN_OUT_BITS * prefix.level);
  const start = arc.index * 2 ** (HEAD_BITS - arc.bits) + prefix.index * size;
  return { start: positionFrom(start), end: start + size === 2 ** HEAD_BITS ? undefined : positionFrom(start + size) };
}

/** The ranges of some nodes, none of which is below another: in ring order, neighbours as one. */
export function rangesOfPrefixes(arc: Arc, prefixes: readonly Prefix[]): KeyRange[] {
  const sorted = prefixes.map((prefix) => rangeOfPrefix(arc, prefix)).sort((a, b) => (a.start < b.start ? -1 : 1));
  const ranges: KeyRange[] = [];
  for (const range of sorted) {
    const last = ranges.at(-1);
    if (last?.end === range.start) ranges[ranges.length - 1] = { start: last.start, end: range.end };
    else ranges.push(range);
  }
  return ranges;
}

function isBelow(value: number, bound: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < bound;
}

function positionFrom(head: number): BinaryString {
  return (String.fromCharCode(head >>> 24, (head >>> 16) & 255, (head >>> 8) & 255, head & 255) +
    REST_OF_POSITION) as BinaryString;
}
