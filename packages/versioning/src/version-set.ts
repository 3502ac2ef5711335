/**
 * What is stored under a key: a *dotted version vector set* (Preguica, Baquero, Almeida, Fonte, Goncalves, 2010-2014), with
 * the dots written out.
 *
 * The paper (4.4) gives each version a vector clock of its own. With one entry per server, that cannot tell apart two
 * clients writing through the same server: either the second write seems to descend from the first (a write is lost), or
 * the server keeps both under one merged clock that cannot say which of them a later write has seen, and siblings pile
 * up (the *sibling explosion*). With one entry per client, clocks grow with the number of clients.
 *
 * Here the set has one clock, all events this replica has seen of the key, and each sibling carries the one event, its dot,
 * that made it. An event in the clock without a sibling has been superseded. That is all it takes: who has a sibling
 * and who has seen its end is decided dot by dot. In terms of sets, with C the events of the clock and R those of them without a
 * sibling, `join` is the union of both C and R; hence it is commutative, associative and idempotent for all
 * well-formed sets, and replicas that have exchanged everything, in whatever order, how often ever, hold equal sets.
 *
 * Beside them, the set remembers the operations of some versions that have ended (superseded.ts), whoever ended them: a put here,
 * or a clock that came in. A sibling with such an operation is a repetition of a write that somebody has overwritten already.
 * Readers are not shown it, and the next put supersedes it. It is not dropped before that: what is remembered is bounded, so who
 * knows it for a repetition depends on the order of arrival, and dropping must not.
 *
 * Two invariants. (1) Every sibling's dot is covered by the set's own clock: the constructors keep it and the codec
 * refuses anything else. (2) Causal closure: whoever has seen an event has seen all that it superseded, because clocks travel
 * with the siblings they belong to. From (2), the siblings at any replica are exactly the causal frontier of the events it has
 * seen: a function of the clock alone. The tests hold the code against a model of causal histories to this.
 */
import { ArmatureError, HLC_ZERO, assert, type Hlc } from '@armature/kernel';
import { compareDots, type ActorId, type Dot } from './actor.js';
import {
  NONE_SUPERSEDED,
  areEqualSuperseded,
  countSuperseded,
  isSuperseded,
  mergeSuperseded,
  supersededOperations,
  type SupersededOperation,
  type SupersededOperations,
} from './superseded.js';
import { compareVersions, type OperationId, type Version } from './version.js';
import {
  EMPTY_VECTOR,
  counterOf,
  covers,
  mergeVersionVectors,
  partOfVector,
  withDot,
  withNextDot,
  type VersionVector,
} from './version-vector.js';

/** A version and the event that made it. */
export interface Sibling {
  readonly dot: Dot;
  readonly version: Version;
}

/** Canonical: the clock sorted by actor, the siblings by dot, every sibling's dot covered by the clock. */
export interface VersionSet {
  readonly clock: VersionVector;
  readonly siblings: readonly Sibling[];
  /** Operations of versions that were superseded lately. */
  readonly superseded: SupersededOperations;
}

/**
 * What a user has seen of a key: all these events, and nothing newer than `at`. The payload of the user's opaque context.
 *
 * A writer that put beside siblings it has not read knows its own event and not those before it; `own` is that event, where the
 * clock cannot say it without covering the others. The next put with such a context replaces the writer's own version and spares
 * the rest.
 */
export interface CausalContext {
  readonly clock: VersionVector;
  readonly own?: Dot | undefined;
  readonly at: Hlc;
}

/** Nothing known of the key. */
export const emptyVersionSet: VersionSet = Object.freeze({
  clock: EMPTY_VECTOR,
  siblings: Object.freeze([]),
  superseded: NONE_SUPERSEDED,
});

/** The context of somebody who has read nothing. */
export const EMPTY_CONTEXT: CausalContext = Object.freeze({ clock: EMPTY_VECTOR, at: HLC_ZERO });

/** Actors that a context names at most. A key has one per replica and store epoch, so it takes a crash loop to reach this. */
export const MAX_CONTEXT_ENTRIES = 1024;

/** A set from parts, canonically ordered. Asserts that dots are distinct and covered by the clock. */
export function versionSet(
  clock: VersionVector,
  siblings: readonly Sibling[],
  superseded: SupersededOperations = NONE_SUPERSEDED,
): VersionSet {
  const sorted = siblings.toSorted((a, b) => compareDots(a.dot, b.dot));
  for (const [i, { dot }] of sorted.entries()) {
    assert(covers(clock, dot), 'a sibling is covered by the clock of its set');
    assert(i === 0 || compareDots((sorted[i - 1] as Sibling).dot, dot) !== 0, 'a dot names one sibling');
  }
  return { clock, siblings: sorted, superseded };
}

/**
 * Everything that either replica knows: siblings that both hold, and those that one holds and the other has never seen. A sibling
 * that one holds and the other has seen but no longer holds was superseded there, and goes; its operation is remembered, since
 * whoever superseded it may have known no more of it than its dot.
 *
 * Returns `a` itself where `b` adds nothing, else `b` itself where `a` adds nothing, so the caller can skip the write with `===`.
 *
 * Should both hold different versions under one dot, then a store forgot an event and issued its name again under an
 * actor that should have been retired. One of the two writes is lost either way; choosing by (at, operation) at least keeps
 * the replicas equal, where keeping one's own would have them exchange the key forever.
 */
export function join(a: VersionSet, b: VersionSet): VersionSet {
  if (a === b) return a;
  const clock = mergeVersionVectors(a.clock, b.clock);
  const out: Sibling[] = [];
  const ended: SupersededOperation[] = [];
  let fromA = 0;
  let fromB = 0;
  let i = 0;
  let j = 0;
  while (i < a.siblings.length || j < b.siblings.length) {
    const x = a.siblings[i];
    const y = b.siblings[j];
    const order = x === undefined ? 1 : y === undefined ? -1 : compareDots(x.dot, y.dot);
    if (order === 0) {
      const preference = compareVersions((x as Sibling).version, (y as Sibling).version);
      out.push((preference >= 0 ? x : y) as Sibling);
      if (preference !== 0 && x?.version.operation !== y?.version.operation) ended.push(endOf(preference > 0 ? y : x));
      if (preference >= 0) fromA++;
      if (preference <= 0) fromB++;
    } else if (order < 0) {
      const isEnded = covers(b.clock, (x as Sibling).dot);
      if (isEnded) ended.push(endOf(x));
      else out.push(x as Sibling);
      if (!isEnded) fromA++;
    } else {
      const isEnded = covers(a.clock, (y as Sibling).dot);
      if (isEnded) ended.push(endOf(y));
      else out.push(y as Sibling);
      if (!isEnded) fromB++;
    }
    if (order <= 0) i++;
    if (order >= 0) j++;
  }
  const superseded = mergeSuperseded(mergeSuperseded(a.superseded, b.superseded), supersededOperations(ended));
  // Everything kept is a's and nothing of a's went: the siblings are a's. With the rest a's too, nothing changed.
  const isAll = (from: number, of: VersionSet): boolean =>
    from === out.length && from === of.siblings.length && areEqualSuperseded(superseded, of.superseded);
  if (clock === a.clock && isAll(fromA, a)) return a;
  if (clock === b.clock && isAll(fromB, b)) return b;
  return { clock, siblings: out, superseded };
}

function endOf(sibling: Sibling | undefined): SupersededOperation {
  const { operation, at, repeated } = (sibling as Sibling).version;
  return { operation, at, repeated };
}

/** Syntactic reconciliation (4.4): what a reader of all these replicas sees. Ancestors go, concurrent versions stay. */
export function reconcile(sets: readonly VersionSet[]): VersionSet {
  let all = emptyVersionSet;
  for (const set of sets) all = join(all, set);
  return all;
}

export interface Minted {
  readonly set: VersionSet;
  /**
   * The event that carries the operation: new, or the one it was given the first time. Undefined where that has been superseded
   * meanwhile.
   */
  readonly dot: Dot | undefined;
}

/**
 * A put: makes a new event of `actor` that supersedes what `context` covers and is concurrent with the rest.
 *
 * It must be applied to the actor's own latest state, one put of a key at a time, and stored before anybody else sees the
 * result: the counter is the name of the event, and two puts that start from the same state, or one whose state is lost
 * after the dot got out, would give one name to two values. Hence the minting replica goes first, others merge.
 *
 * An operation that is already among the siblings is not minted again: the retry is answered with the first dot. One that is
 * known to have been superseded is not minted either: it has taken place, and what came after it stands.
 *
 * Siblings that no reader is shown, since they repeat superseded writes, are superseded whatever the context: there is nobody who
 * could still have to read them, and they must not reappear once their operation is forgotten.
 *
 * `own` is the event of the context that its clock does not cover, if there is one (see `CausalContext`).
 *
 * `floor` is the greatest counter of this actor in any set that the node reaped (dropped whole, tombstone and clock). A key
 * created again after that must not reuse the dots of its former life, which lagging replicas still know as seen.
 */
export function mint(
  local: VersionSet,
  actor: ActorId,
  context: VersionVector,
  version: Version,
  { own, floor = 0 }: { readonly own?: Dot | undefined; readonly floor?: number } = {},
): Minted {
  const earlier = findOperation(local, version.operation);
  if (earlier !== undefined) return { set: local, dot: earlier.dot };
  if (isSuperseded(local.superseded, version.operation)) return { set: local, dot: undefined };
  const counter = Math.max(counterOf(local.clock, actor), counterOf(context, actor), floor) + 1;
  const dot: Dot = { actor, counter };
  const seen = own === undefined ? context : withNextDot(context, own);
  const shown = shownSiblings(local);
  const siblings = shown.filter(({ dot: held }) => !covers(seen, held) && (own === undefined || compareDots(held, own) !== 0));
  const ended = siblings.length === local.siblings.length ? [] : local.siblings.filter((one) => !siblings.includes(one));
  // The new dot is the greatest of its actor, so it goes behind all dots of that actor.
  let at = siblings.length;
  while (at > 0 && compareDots((siblings[at - 1] as Sibling).dot, dot) > 0) at--;
  siblings.splice(at, 0, { dot, version });
  // An own event that is not next after what is known here stays unknown: where it is held, the new version will be its sibling.
  const known = mergeVersionVectors(local.clock, seen);
  const clock = withDot(own === undefined ? known : withNextDot(known, own), dot);
  return { set: { clock, siblings, superseded: withEnded(local.superseded, ended) }, dot };
}

/** What is remembered once these have ended, too. */
export function withEnded(superseded: SupersededOperations, ended: readonly Sibling[]): SupersededOperations {
  return ended.length === 0 ? superseded : mergeSuperseded(superseded, supersededOperations(ended.map(endOf)));
}

/**
 * What the writer of `dot`, who put with `context`, has seen afterwards: everything, where its version is all that is left. No
 * more than before, where its version has been superseded (`dot` is undefined): not by what it has read.
 */
export function contextAfter(set: VersionSet, context: CausalContext, dot: Dot | undefined): CausalContext {
  if (dot === undefined) return context;
  if (set.siblings.length === 1) return contextOf(set);
  const before = context.own === undefined ? context.clock : withNextDot(context.clock, context.own);
  const clock = contextClock(withNextDot(before, dot), [{ dot }, ...set.siblings]);
  const written = set.siblings.find((sibling) => compareDots(sibling.dot, dot) === 0);
  const at = written === undefined || written.version.at < context.at ? context.at : written.version.at;
  return covers(clock, dot) ? { clock, at } : { clock, own: dot, at };
}

/**
 * Whether others know more events of our own actor than we do: our store has forgotten writes, and the next dot might be one
 * that was already given out. The caller must retire its actor and mint under a fresh one. Counters up to `floor` (see `mint`)
 * were reaped, not forgotten.
 */
export function isAmnesiac(local: Pick<VersionSet, 'clock'>, actor: ActorId, incoming: VersionVector, floor = 0): boolean {
  return counterOf(incoming, actor) > Math.max(counterOf(local.clock, actor), floor);
}

/**
 * Whether the key was written and every version of it that readers are shown is a tombstone. False for the empty set, which knows
 * nothing.
 */
export function isDeleted(set: VersionSet): boolean {
  return set.siblings.length > 0 && shownSiblings(set).every(({ version }) => version.tombstone);
}

/**
 * The siblings but for those that repeat a write which has been superseded. Never none of several: what superseded a write is a
 * sibling itself, or has been superseded in turn, so they cannot all be repetitions, unless operation ids were used for different
 * writes; nothing is hidden then.
 */
export function shownSiblings({ siblings, superseded }: VersionSet): readonly Sibling[] {
  if (siblings.length < 2 || superseded === NONE_SUPERSEDED) return siblings;
  const shown = siblings.filter(({ version }) => !isSuperseded(superseded, version.operation));
  return shown.length === 0 ? siblings : shown;
}

/**
 * The siblings that readers are shown, each operation once: a put that two replicas minted, because the client retried, is one
 * write to a reader. The smallest dot stands for it.
 *
 * This belongs to the answer only. Dropping the double inside `join` would record its dot as superseded, which nobody wrote: let
 * x and y carry one operation, and z supersede x alone. Joining x, y first and then z would end with z; joining y and z
 * first, then x, with y and z. What is not associative does not converge. A put with the context of the answer supersedes both.
 */
export function distinctSiblings(set: VersionSet): readonly Sibling[] {
  const shown = shownSiblings(set);
  if (shown.length < 2) return shown;
  const firsts = new Map<OperationId, Sibling>();
  for (const sibling of shown) {
    if (!firsts.has(sibling.version.operation)) firsts.set(sibling.version.operation, sibling);
  }
  return firsts.size === shown.length ? shown : [...firsts.values()];
}

/** The values a reader gets: distinct siblings that are not tombstones. */
export function liveSiblings(set: VersionSet): readonly Sibling[] {
  return distinctSiblings(set).filter(({ version }) => !version.tombstone);
}

/**
 * What somebody who was handed all siblings of `set` that are shown has seen. Hand it out only together with them: a context that
 * covers a sibling its holder never saw makes the holder's next put destroy that sibling unread.
 */
export function contextOf(set: VersionSet): CausalContext {
  return { clock: contextClock(set.clock, set.siblings), at: latestTimestamp(set) };
}

/**
 * As much of a reader's clock as a context may name (`MAX_CONTEXT_ENTRIES`), the entries of these siblings' actors before all
 * others.
 *
 * Leaving entries out is safe. A put supersedes what its context covers, so with fewer entries it supersedes less, and never
 * anything that was not read. It still supersedes every sibling that was read, because the entries of their actors come first.
 *
 * What is left out are events that the siblings themselves have superseded. The replicas that answered the read count those
 * events in their own clocks, and keep them there when the put is merged into what they hold. A replica that lags may hold one of
 * these events as a sibling. It then shows that old version beside the new one until it is joined with a replica that answered
 * the read. A read of both, a repair or an exchange does that.
 *
 * A context that leaves out the entry of the minting actor can not show that the actor's store has forgotten events
 * (`isAmnesiac`). Another replica's set still shows it.
 */
function contextClock(clock: VersionVector, siblings: readonly Pick<Sibling, 'dot'>[]): VersionVector {
  return clock.length <= MAX_CONTEXT_ENTRIES
    ? clock
    : partOfVector(
        clock,
        MAX_CONTEXT_ENTRIES,
        siblings.map(({ dot }) => dot),
      );
}

/** The greatest timestamp among the siblings; zero for none. */
export function latestTimestamp(set: VersionSet): Hlc {
  let at = HLC_ZERO;
  for (const { version } of set.siblings) if (version.at > at) at = version.at;
  return at;
}

/** The sibling that carries the operation, or undefined. */
export function findOperation(set: VersionSet, operation: OperationId): Sibling | undefined {
  return set.siblings.find(({ version }) => version.operation === operation);
}

/** Whether the set shows that the operation has taken place, be it superseded since. */
export function knowsOperation(set: VersionSet, operation: OperationId): boolean {
  return findOperation(set, operation) !== undefined || isSuperseded(set.superseded, operation);
}

/** Versions stored, tombstones, doubles and repetitions included. */
export function countSiblings(set: VersionSet): number {
  return set.siblings.length;
}

/** How large the set of a key may grow by puts. */
export interface SetLimits {
  readonly maxSiblings: number;
  /** Of the encoded set. */
  readonly maxSetBytes: number;
}

/** What of a set is limited. */
export interface SetSize {
  readonly siblings: number;
  /** Encoded. */
  readonly sizeBytes: number;
}

/**
 * Refuses what a put would make of a key, `after`, where it exceeds a limit and is not less than what the put found, `before`: a
 * put that resolves or deletes always works, however large the key has become. Only a put asks, before anything is stored: a
 * merge that refused would lose data that is written already, and part the replicas. Error: `too-large`.
 */
export function checkGrowth(before: SetSize, after: SetSize, { maxSiblings, maxSetBytes }: SetLimits): ArmatureError | undefined {
  const { siblings, sizeBytes } = after;
  const hasTooMany = siblings > maxSiblings && siblings >= before.siblings;
  const isTooLarge = sizeBytes > maxSetBytes && sizeBytes >= before.sizeBytes;
  if (!hasTooMany && !isTooLarge) return undefined;
  const what = hasTooMany
    ? `the key would have ${siblings} concurrent versions (limit ${maxSiblings})`
    : `the concurrent versions of the key would take ${sizeBytes} bytes together (limit ${maxSetBytes})`;
  return new ArmatureError('too-large', `${what}: merge them first`, {
    remedy: 'Read the key, merge its versions, and put the result with the context of that read; or delete the key.',
    details: { siblings, maxSiblings, sizeBytes, maxSetBytes },
  });
}

const CLOCK_ENTRY_BYTES = 16;
const SIBLING_BYTES = 48;
const SUPERSEDED_BYTES = 16;

/** About what the set takes when encoded: never less, and at most some tens of bytes more per clock entry and sibling. */
export function estimateSizeBytes(set: VersionSet): number {
  let sizeBytes = CLOCK_ENTRY_BYTES + set.clock.length * CLOCK_ENTRY_BYTES + countSuperseded(set.superseded) * SUPERSEDED_BYTES;
  for (const { version } of set.siblings) {
    sizeBytes += SIBLING_BYTES + version.value.length;
    for (const [name, text] of version.meta) sizeBytes += 8 + (name.length + text.length) * 3;
  }
  return sizeBytes;
}
