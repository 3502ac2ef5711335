/**
 * Which operations have been superseded lately: the third part of a version set, beside its clock and its siblings.
 *
 * A write whose outcome its sender does not know is repeated, under the same operation id, and may so be minted twice, at two
 * nodes, under two dots. The clock knows dots. Somebody reads the one and overwrites or deletes it; the other, late or from
 * beyond a partition, is news to the clock, and what was deleted would be back. Only the operation tells that it is the same
 * write. So a set remembers the operations of versions that it has seen end.
 *
 * It cannot remember all. Kept are the `MAX_SUPERSEDED` greatest by (at, operation); and an entry goes earlier when `ALWAYS_KEPT`
 * others are greater by more than `SUPERSEDED_WINDOW`. Of one operation the greatest `at` counts. One greater entry would do as a
 * reason to drop what is old, if all clocks were right. But a version that a wrong clock has stamped a year ahead is greater by
 * more than the window than everything that ends in that year, and the key would remember nothing else.
 *
 * That this remains a join: let M(X) be all operations of versions that X has known and seen the end of, with their greatest
 * `at`. M of a join is the pointwise maximum of both, and of what ends by that very join. Trimming drops an entry for one of two
 * reasons: that some number of others are greater, or that some number of others are greater by more than the window. Pointwise
 * maximum only raises those others, so they go on being reason enough, unless the operation dropped is raised itself, and then
 * the dropped entry says nothing any more. Hence trim(M + N) = trim(trim(M) + trim(N)): trimming early, late or often is the
 * same, and commutativity, associativity and idempotence of + pass to what is stored.
 *
 * A write that is repeated says so when its sender knows (`Version.repeated`). Of versions that were minted for repetitions a
 * second list is kept, by the same rules but for a day: they are rare, so it is not filled by the traffic of the key. It knows
 * the operation again when its first attempt turns up late.
 *
 * What is forgotten is a safeguard, not data: the repetition then shows up as a sibling, as if there were no such list.
 *
 * The list is read with every record of its key, so it is kept flat, as numbers: an id turned into text takes longer than all the
 * rest.
 */
import { DecodeError, hlcFromMs, type ByteReader, type ByteWriter, type Hlc } from '@armature/kernel';
import { hexToU32, readHlc, writeHlc } from './clock-codec.js';
import { OPERATION_BYTES, type OperationId } from './version.js';

export interface SupersededOperation {
  readonly operation: OperationId;
  /** Of the version that was superseded. */
  readonly at: Hlc;
  /** Whether that version was minted for a repetition (`Version.repeated`). */
  readonly repeated?: boolean;
}

/**
 * Greatest (at, operation) first, each operation once, at most `MAX_SUPERSEDED`, and from the one after the first `ALWAYS_KEPT`
 * on all within the list's window of the last of these. Three numbers for each: its `at`, and the first and the last four bytes
 * of the operation as little-endian integers, in the order of which operations are compared.
 */
type OperationList = readonly number[];

/** What a set remembers, as two lists. Each is a join by itself. */
export interface SupersededOperations {
  /** Of all versions that have ended. */
  readonly lately: OperationList;
  /** Of those that were minted for repetitions. */
  readonly repeated: OperationList;
}

const NO_OPERATIONS: OperationList = Object.freeze([]);

export const NONE_SUPERSEDED: SupersededOperations = Object.freeze({ lately: NO_OPERATIONS, repeated: NO_OPERATIONS });

/** In each list. Some 12 bytes each; only a key that is overwritten this often within the window has them all. */
export const MAX_SUPERSEDED = 16;
/**
 * So many versions stamped far ahead do not yet push out what others were. Each costs a key that is written now and then 12
 * bytes.
 */
export const ALWAYS_KEPT = 4;
/** Far longer than any client repeats a write; it bounds what keys carry that are overwritten now and then. */
export const SUPERSEDED_WINDOW: Hlc = hlcFromMs(10 * 60_000);
/**
 * As long as a cut of the network may last for which repetitions are still told from fresh writes. They are rare, so keys carry
 * no more for it.
 */
export const REPEATED_WINDOW: Hlc = hlcFromMs(24 * 3_600_000);

/** Numbers of an entry. */
const WIDTH = 3;
const MIN_ENTRY_BYTES = 1 + OPERATION_BYTES;

/** Canonical, from entries in any order, any of them more than once. */
export function supersededOperations(entries: readonly SupersededOperation[]): SupersededOperations {
  if (entries.length === 0) return NONE_SUPERSEDED;
  const repeated = entries.filter((entry) => entry.repeated === true);
  return {
    lately: listOf(entries, SUPERSEDED_WINDOW),
    repeated: repeated.length === 0 ? NO_OPERATIONS : listOf(repeated, REPEATED_WINDOW),
  };
}

/** What either knows. Returns `a` itself where `b` adds nothing, else `b` itself where `a` adds nothing. */
export function mergeSuperseded(a: SupersededOperations, b: SupersededOperations): SupersededOperations {
  if (b === NONE_SUPERSEDED || a === b) return a;
  if (a === NONE_SUPERSEDED) return b;
  const lately = mergeLists(a.lately, b.lately, SUPERSEDED_WINDOW);
  const repeated = mergeLists(a.repeated, b.repeated, REPEATED_WINDOW);
  const isOf = (one: SupersededOperations): boolean => areEqual(lately, one.lately) && areEqual(repeated, one.repeated);
  return isOf(a) ? a : isOf(b) ? b : { lately, repeated };
}

export function areEqualSuperseded(a: SupersededOperations, b: SupersededOperations): boolean {
  return a === b || (areEqual(a.lately, b.lately) && areEqual(a.repeated, b.repeated));
}

export function isSuperseded(set: SupersededOperations, operation: OperationId): boolean {
  if (set === NONE_SUPERSEDED) return false;
  const low = hexToU32(operation, 0);
  const high = hexToU32(operation, 8);
  return indexOf(set.lately, low, high) >= 0 || indexOf(set.repeated, low, high) >= 0;
}

/** What is remembered but for the operation; itself where that is not among it. */
export function withoutOperation(set: SupersededOperations, operation: OperationId): SupersededOperations {
  if (!isSuperseded(set, operation)) return set;
  const low = hexToU32(operation, 0);
  const high = hexToU32(operation, 8);
  const without = (list: OperationList): OperationList => {
    const at = indexOf(list, low, high);
    return at < 0 ? list : list.toSpliced(at, WIDTH);
  };
  return orNone({ lately: without(set.lately), repeated: without(set.repeated) });
}

export function hasRepetitions({ repeated }: SupersededOperations): boolean {
  return repeated.length > 0;
}

/** The list of all versions alone. */
export function withoutRepetitions(set: SupersededOperations): SupersededOperations {
  return hasRepetitions(set) ? orNone({ ...set, repeated: NO_OPERATIONS }) : set;
}

/** Entries of both lists. */
export function countSuperseded({ lately, repeated }: SupersededOperations): number {
  return (lately.length + repeated.length) / WIDTH;
}

/**
 * Each list: count; unless that is 0 the greatest `at`, and per operation by how much less its `at` is than the one before. The
 * second list only when it is asked for.
 */
export function writeSuperseded(writer: ByteWriter, { lately, repeated }: SupersededOperations, both: boolean): void {
  writeList(writer, lately);
  if (both) writeList(writer, repeated);
}

/**
 * Throws `DecodeError` for whatever is not canonical: too many, out of order, one operation twice, outside the window; or nothing
 * in the only list, or in the second of both.
 */
export function readSuperseded(reader: ByteReader, both: boolean): SupersededOperations {
  const lately = readList(reader, SUPERSEDED_WINDOW, !both);
  return { lately, repeated: both ? readList(reader, REPEATED_WINDOW, true) : NO_OPERATIONS };
}

function orNone(set: SupersededOperations): SupersededOperations {
  return set.lately.length === 0 && set.repeated.length === 0 ? NONE_SUPERSEDED : set;
}

function listOf(entries: readonly SupersededOperation[], window: Hlc): OperationList {
  const each = entries.map(({ at, operation }) => [at, hexToU32(operation, 0), hexToU32(operation, 8)]);
  return each.length === 1 ? (each[0] as OperationList) : trimmed(each.sort((a, b) => compareAt(a, 0, b, 0)).flat(), window);
}

function mergeLists(a: OperationList, b: OperationList, window: Hlc): OperationList {
  if (b.length === 0 || areEqual(a, b)) return a;
  if (a.length === 0) return b;
  const sorted: number[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const order = i === a.length ? 1 : j === b.length ? -1 : compareAt(a, i, b, j);
    if (order <= 0) push(sorted, a, i);
    else push(sorted, b, j);
    if (order <= 0) i += WIDTH;
    if (order >= 0) j += WIDTH;
  }
  return trimmed(sorted, window);
}

function areEqual(a: OperationList, b: OperationList): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function writeList(writer: ByteWriter, list: OperationList): void {
  writer.varint(list.length / WIDTH);
  if (list.length === 0) return;
  let before = list[0] as number;
  writeHlc(writer, before as Hlc);
  for (let i = 0; i < list.length; i += WIDTH) {
    const at = list[i] as number;
    writer
      .varint(before - at)
      .u32(list[i + 1] as number)
      .u32(list[i + 2] as number);
    before = at;
  }
}

function readList(reader: ByteReader, window: Hlc, mustHave: boolean): OperationList {
  const length = reader.count(MIN_ENTRY_BYTES);
  if ((length === 0 && mustHave) || length > MAX_SUPERSEDED) throw new DecodeError(`${length} superseded operations`);
  if (length === 0) return NO_OPERATIONS;
  const list: number[] = [];
  const greatest = readHlc(reader);
  let at: number = greatest;
  for (let i = 0; i < length; i++) {
    at -= reader.varint();
    const low = reader.u32();
    const high = reader.u32();
    const isTwice = indexOf(list, low, high) >= 0;
    list.push(at, low, high);
    const isInOrder = i === 0 ? at === greatest : compareAt(list, (i - 1) * WIDTH, list, i * WIDTH) < 0;
    if (isTwice || !isInOrder) throw new DecodeError('superseded operations out of order');
  }
  if (at < 0 || isOutsideWindow(list, at, window)) throw new DecodeError('superseded operations outside their window');
  return list;
}

/** Whether enough entries of the list are greater than `at` by more than the window. */
function isOutsideWindow(list: OperationList, at: number, window: Hlc): boolean {
  const last = list[(ALWAYS_KEPT - 1) * WIDTH];
  return last !== undefined && last - at > window;
}

/** Of sorted entries: the first of each operation is its greatest, and the rest follows from the order. */
function trimmed(sorted: OperationList, window: Hlc): OperationList {
  const kept: number[] = [];
  for (let i = 0; i < sorted.length && kept.length < MAX_SUPERSEDED * WIDTH; i += WIDTH) {
    if (isOutsideWindow(kept, sorted[i] as number, window)) break;
    if (indexOf(kept, sorted[i + 1] as number, sorted[i + 2] as number) < 0) push(kept, sorted, i);
  }
  return kept;
}

function push(to: number[], from: OperationList, at: number): void {
  to.push(from[at] as number, from[at + 1] as number, from[at + 2] as number);
}

/** Where the entry of the operation begins, or -1. */
function indexOf(list: OperationList, low: number, high: number): number {
  for (let i = 0; i < list.length; i += WIDTH) if (list[i + 1] === low && list[i + 2] === high) return i;
  return -1;
}

/** Of the entries that begin at `i` and `j`; less than 0 where the first is the greater one, and comes first. */
function compareAt(a: OperationList, i: number, b: OperationList, j: number): number {
  for (let k = 0; k < WIDTH; k++) {
    const difference = (b[j + k] as number) - (a[i + k] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}
