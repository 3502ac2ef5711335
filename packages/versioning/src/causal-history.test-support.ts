/**
 * A model of causal histories, and a player that runs random histories through it and through the real code side by side.
 *
 * In the model an event is a bit, and what somebody has seen is a set of bits: no clocks, no dots, no pruning rules. A put
 * makes an event whose past is the set of its context. What a replica must store is the *frontier* of what it has seen: the
 * events that are in the past of no other. Under last-write-wins it is the one with the greatest (at, dot) of all it has seen.
 *
 * Clients repeat puts, at any replica, with the context and the operation of the first attempt. So an operation may have several
 * events. One of which some event is over may be shown to nobody, once that is known. What a replica remembers of that is, in the
 * model, a set of bits too: the events whose versions it has known, less those of its frontier.
 *
 * The player draws every choice from one function. Fed from a seeded generator it plays a hundred thousand histories in
 * seconds; fed from a list of numbers that fast-check made, a failing history shrinks.
 */
import { HLC_ZERO, assert, bytesEqual, type Hlc } from '@armature/kernel';
import { compareDots, type ActorId, type Dot } from './actor.js';
import { encodeVersionSet } from './codec.js';
import { joinEncoded } from './join-encoded.js';
import { nextTimestamp, resolve, resolveLastWriteWins, type Resolver } from './resolvers.js';
import { tombstoneVersion, valueVersion, type OperationId } from './version.js';
import {
  ALWAYS_KEPT,
  SUPERSEDED_WINDOW,
  areEqualSuperseded,
  countSuperseded,
  isSuperseded,
  mergeSuperseded,
  supersededOperations,
  withoutRepetitions,
} from './superseded.js';
import {
  contextOf,
  distinctSiblings,
  emptyVersionSet,
  isAmnesiac,
  isDeleted,
  join,
  mint,
  reconcile,
  shownSiblings,
  type Sibling,
  type VersionSet,
} from './version-set.js';
import { compareVersionVectors } from './version-vector.js';

/** A choice: an integer in [0, bound). */
export type Draw = (bound: number) => number;

/** A set of events: bit e for event e. */
type Events = number;

/** One state in three worlds: the model, the code that keeps siblings, the code that keeps the last write. */
interface State {
  readonly seen: Events;
  /** Of those, the ones whose versions have been here. What a context has seen need not have been. */
  readonly known: Events;
  readonly siblings: VersionSet;
  readonly last: VersionSet;
}

interface Replica {
  readonly actor: ActorId;
  /** How far this replica's wall clock is off, in milliseconds. */
  skewMs: number;
  hlc: Hlc;
  state: State;
}

interface ModelEvent {
  readonly past: Events;
  readonly at: Hlc;
  readonly dot: Dot;
  readonly tombstone: boolean;
  readonly operation: OperationId;
  readonly repeated: boolean;
}

/** What a client asks for, however often. */
interface Write {
  readonly context: State;
  readonly operation: OperationId;
  readonly tombstone: boolean;
  readonly repeated: boolean;
}

const MAX_REPLICAS = 4;
const BEGINNING_MS = Date.UTC(2020, 0, 1);
const CLIENTS = 3;
const MAX_STEPS = 14;
/** What wall clocks are set to: right, minutes, an hour and twenty years ahead, and behind. */
const WRONG_CLOCKS_MS = [0, 0, 120_000, 3_600_000, 20 * 365 * 86_400_000, -3_600_000, -20 * 365 * 86_400_000];
const NOTHING: State = { seen: 0, known: 0, siblings: emptyVersionSet, last: emptyVersionSet };
const ACTORS = Array.from({ length: MAX_REPLICAS }, (_, i) => String(i + 1).padStart(16, '0') as ActorId);
const OPERATIONS = Array.from({ length: MAX_STEPS }, (_, i) => i.toString(16).padStart(16, '0') as OperationId);

/** What a history amounted to, so that a test can tell that its histories were worth playing. */
export interface Played {
  readonly events: number;
  readonly mostSiblings: number;
  /** Repetitions that were held and hidden at the end. */
  readonly hidden: number;
}

/** Plays one history; throws at the first disagreement between code and model. */
export function playHistory(draw: Draw): Played {
  const events: ModelEvent[] = [];
  const writes: Write[] = [];
  const replicas = Array.from({ length: 1 + draw(MAX_REPLICAS) }, (_, i): Replica => {
    return { actor: ACTORS[i] as ActorId, skewMs: draw(40), hlc: HLC_ZERO, state: NOTHING };
  });
  /** What each client read last. Puts with an old or empty context are the point. */
  const clients = Array.from({ length: CLIENTS }, () => NOTHING);
  /** Every state that was ever sent: any of them may arrive anywhere, late and again. */
  const sent: State[] = [NOTHING];
  const any = <T>(items: readonly T[]): T => items[draw(items.length)] as T;
  let mostSiblings = 0;

  const steps = 1 + draw(MAX_STEPS);
  for (let step = 0; step < steps; step++) {
    const replica = any(replicas);
    if (draw(10) === 0) replica.skewMs = any(WRONG_CLOCKS_MS);
    const choice = draw(8);
    if (choice < 4) {
      const isRepeated = writes.length > 0 && draw(4) === 0;
      const operation = OPERATIONS[writes.length] as OperationId;
      const write = isRepeated
        ? { ...any(writes), repeated: draw(4) > 0 } // some do not know that they repeat anything
        : { context: any(clients), operation, tombstone: draw(5) === 0, repeated: false };
      if (!isRepeated) writes.push(write);
      put(replica, write, events, BEGINNING_MS + step);
      if (draw(2) === 0) clients[draw(CLIENTS)] = replica.state; // the answer came with all siblings
      sent.push(replica.state);
    } else if (choice < 5) {
      const several = [replica, any(replicas)].map(({ state }) => state);
      clients[draw(CLIENTS)] = {
        seen: several.reduce((all, { seen }) => all | seen, 0),
        known: several.reduce((all, { known }) => all | known, 0),
        siblings: reconcile(several.map(({ siblings }) => siblings)),
        last: resolveLastWriteWins(reconcile(several.map(({ last }) => last))),
      };
    } else {
      const incoming = choice < 7 ? any(sent) : any(replicas).state;
      checkBytes(replica.state.siblings, incoming.siblings, 'siblings');
      checkBytes(replica.state.last, incoming.last, 'last-write-wins');
      deliver(replica, incoming, events);
      sent.push(replica.state);
    }
    mostSiblings = Math.max(mostSiblings, replica.state.siblings.siblings.length);
  }

  checkLaws(any(sent), any(sent), any(sent));
  const hidden = converge(replicas, events, draw);
  return { events: events.length, mostSiblings, hidden };
}

function put(replica: Replica, { context, operation, tombstone, repeated }: Write, events: ModelEvent[], nowMs: number): void {
  const { actor, state } = replica;
  assert(!isAmnesiac(state.siblings, actor, context.siblings.clock), 'a store that forgets nothing is not amnesiac');
  const wallMs = nowMs + replica.skewMs;
  const { at, last } = nextTimestamp(replica.hlc, state.siblings, contextOf(context.siblings), wallMs);
  const { at: sameAt } = nextTimestamp(replica.hlc, state.last, contextOf(context.last), wallMs);
  assert(at === sameAt, 'both resolvers keep the latest timestamp');

  const event = events.length;
  const version = tombstone
    ? tombstoneVersion({ at, operation, repeated })
    : valueVersion({ value: Uint8Array.of(event), at, operation, repeated });
  const minted = mint(state.siblings, actor, context.siblings.clock, version);
  const mintedLast = mint(state.last, actor, context.last.clock, version);
  const { frontier, superseded, hidden } = modelOf(state, events);
  const isKnown = isSuperseded(superseded, operation) || namesOneOf(frontier, operation, events);
  assert((minted.set === state.siblings) === isKnown, 'minted iff the operation is not known here');
  // Under last write wins a version may have ended that is still a sibling under the other: then the worlds would part.
  if (isKnown || mintedLast.set === state.last) return;
  assert(minted.dot !== undefined && mintedLast.dot !== undefined, 'what is minted has a dot');
  const { dot } = minted;
  assert(compareDots(dot, mintedLast.dot) === 0, 'both resolvers mint the same dot');
  assert(
    events.every((other) => compareDots(other.dot, dot) !== 0),
    'a dot is new',
  );
  assert(mint(minted.set, actor, context.siblings.clock, version).set === minted.set, 'a retried put changes nothing');

  events.push({ past: context.seen | hidden, at, dot, tombstone, operation, repeated });
  replica.hlc = last;
  replica.state = {
    seen: state.seen | context.seen | (1 << event),
    known: state.known | (1 << event),
    siblings: minted.set,
    last: resolveLastWriteWins(mintedLast.set),
  };
  check(replica.state, events);
}

function deliver(replica: Replica, incoming: State, events: readonly ModelEvent[]): void {
  const { seen, known, siblings, last } = replica.state;
  assert(!isAmnesiac(siblings, replica.actor, incoming.siblings.clock), 'a store that forgets nothing is not amnesiac');
  const nothingNew = (incoming.seen & ~seen) === 0 && (incoming.known & ~known) === 0;
  const joined = join(siblings, incoming.siblings);
  assert(joined === siblings || !nothingNew, 'what adds nothing changes nothing');
  assert(
    (joined === siblings) === sameBytes(encodeVersionSet(siblings), joined),
    'join returns its first argument itself iff nothing changes',
  );
  replica.state = {
    seen: seen | incoming.seen,
    known: known | incoming.known,
    siblings: joined,
    last: resolveLastWriteWins(join(last, incoming.last)),
  };
  check(replica.state, events);
}

/** What the model says of a state: what is held, what is remembered, and which of what is held no reader is shown. */
function modelOf({ seen, known }: State, events: readonly ModelEvent[]) {
  let past: Events = 0;
  for (const [e, event] of events.entries()) if (isIn(seen, e)) past |= event.past;
  const frontier = seen & ~past;
  const superseded = supersededOperations(events.filter((_, e) => isIn(known & ~frontier, e)));
  let hidden: Events = 0;
  for (const [e, { operation }] of events.entries()) {
    if (isIn(frontier, e) && isSuperseded(superseded, operation)) hidden |= 1 << e;
  }
  assert(seen === 0 || hidden !== frontier, 'something is shown of what was written');
  return { past, frontier, superseded, hidden };
}

function isIn(these: Events, event: number): boolean {
  return (these & (1 << event)) !== 0;
}

function namesOneOf(these: Events, operation: OperationId, events: readonly ModelEvent[]): boolean {
  return events.some((event, e) => isIn(these, e) && event.operation === operation);
}

/** How many operations among these are stamped further ahead of a time than the window. */
function countFarAhead(at: Hlc, these: Events, events: readonly ModelEvent[]): number {
  const ahead = events.filter((event, e) => isIn(these, e) && event.at - at > SUPERSEDED_WINDOW);
  return new Set(ahead.map(({ operation }) => operation)).size;
}

/** The events of siblings. */
function eventsOf(siblings: readonly Sibling[], events: readonly ModelEvent[]): Events {
  return siblings.reduce((all, { dot }) => all | (1 << events.findIndex((event) => compareDots(event.dot, dot) === 0)), 0);
}

/** The heart: what is stored is what the model says. */
function check(state: State, events: readonly ModelEvent[]): void {
  const { seen, known, siblings, last } = state;
  let latest: ModelEvent | undefined;
  for (const [e, event] of events.entries()) {
    if (!isIn(seen, e)) continue;
    if (latest === undefined || event.at > latest.at || (event.at === latest.at && compareDots(event.dot, latest.dot) > 0))
      latest = event;
  }
  const { frontier, superseded, hidden } = modelOf(state, events);
  assert(eventsOf(siblings.siblings, events) === frontier, 'the siblings are the causal frontier');
  assert(eventsOf(shownSiblings(siblings), events) === (frontier & ~hidden), 'all is shown but repetitions of what is over');
  assert(areEqualSuperseded(siblings.superseded, superseded), 'remembered is what was known and has ended');
  const live = events.some((event, e) => isIn(frontier & ~hidden, e) && !event.tombstone);
  assert(isDeleted(siblings) === (seen !== 0 && !live), 'deleted iff all that is shown is tombstones');

  assert(last.siblings.length === (latest === undefined ? 0 : 1), 'the last write is one');
  assert(
    latest === undefined || compareDots((last.siblings[0] as { dot: Dot }).dot, latest.dot) === 0,
    'the last write is the maximum',
  );
  assert(compareVersionVectors(siblings.clock, last.clock) === 'equal', 'pruning keeps the clock');
  const lost = events.filter((event, e) => isIn(known, e) && event.operation !== latest?.operation);
  const remembered = withoutRepetitions(supersededOperations(lost));
  // Where there are enough to be trimmed, one may be missing for which an attempt of the winner took the room (see resolvers.ts).
  const isRemembered =
    countSuperseded(remembered) < ALWAYS_KEPT
      ? areEqualSuperseded(last.superseded, remembered)
      : mergeSuperseded(remembered, last.superseded) === remembered;
  assert(isRemembered, 'remembered is every operation but the last');
}

/** The fast path on bytes is decode, join, resolve, encode. */
function checkBytes(local: VersionSet, incoming: VersionSet, resolver: Resolver): void {
  const localBytes = encodeVersionSet(local);
  const result = joinEncoded(localBytes, encodeVersionSet(incoming), resolver);
  assert(result.ok, 'honest bytes decode');
  assert(sameBytes(result.value.bytes, resolve(resolver, join(local, incoming))), 'joining bytes is joining sets');
  assert(result.value.changed === !bytesEqual(localBytes, result.value.bytes), 'changed iff the bytes differ');
}

function checkLaws(a: State, b: State, c: State): void {
  const ab = join(a.siblings, b.siblings);
  const bc = join(b.siblings, c.siblings);
  assert(sameBytes(encodeVersionSet(ab), join(b.siblings, a.siblings)), 'commutative');
  assert(sameBytes(encodeVersionSet(join(ab, c.siblings)), join(a.siblings, bc)), 'associative');
  assert(join(ab, ab) === ab && join(ab, b.siblings) === ab, 'idempotent');

  const last = (x: VersionSet, y: VersionSet): VersionSet => resolveLastWriteWins(join(x, y));
  const lastAb = last(a.last, b.last);
  assert(sameBytes(encodeVersionSet(lastAb), last(b.last, a.last)), 'pruned: commutative');
  assert(areSame(last(lastAb, c.last), last(a.last, last(b.last, c.last))), 'pruned: associative');
  assert(last(lastAb, lastAb) === lastAb, 'pruned: idempotent');
  // Pruning early or late is the same.
  assert(areSame(lastAb, resolveLastWriteWins(ab)), 'pruned: of the whole join');
}

/** Everybody gets what everybody has, each in an order of its own, some of it twice. */
function exchangeAll(replicas: readonly Replica[], events: readonly ModelEvent[], draw: Draw): void {
  const finals = replicas.map(({ state }) => state);
  for (const replica of replicas) {
    const mail = draw(2) === 0 ? finals : [...finals, ...finals];
    const start = draw(mail.length);
    const stride = draw(2) === 0 ? 1 : mail.length - 1; // forwards or backwards from anywhere
    for (let i = 0; i < mail.length; i++) deliver(replica, mail[(start + i * stride) % mail.length] as State, events);
  }
}

/** Equal, but for what is remembered where there are enough entries to be trimmed: see `check`. */
function areSame(x: VersionSet, y: VersionSet): boolean {
  if (sameBytes(encodeVersionSet(x), y)) return true;
  const isTrimmed = [x, y].every(({ superseded }) => countSuperseded(superseded) + 1 >= ALWAYS_KEPT);
  return isTrimmed && sameBytes(encodeVersionSet({ ...x, superseded: y.superseded }), y);
}

/** Once everybody has got every final state, all are equal. How many versions are then hidden. */
function converge(replicas: readonly Replica[], events: readonly ModelEvent[], draw: Draw): number {
  exchangeAll(replicas, events, draw);
  // What was trimmed for an attempt of the winner comes back once all know who has won.
  if (replicas.some(({ state }) => countSuperseded(state.last.superseded) + 1 >= ALWAYS_KEPT))
    exchangeAll(replicas, events, draw);
  const [first, ...others] = replicas as [Replica, ...Replica[]];
  const bytes = encodeVersionSet(first.state.siblings);
  const lastBytes = encodeVersionSet(first.state.last);
  for (const { state } of others) {
    assert(
      sameBytes(bytes, state.siblings) && sameBytes(lastBytes, state.last),
      'replicas that have exchanged everything are byte-equal',
    );
  }
  const { past, hidden } = modelOf(first.state, events);
  for (const { version } of distinctSiblings(first.state.siblings)) {
    const ended = events.filter((event, e) => isIn(past, e) && event.operation === version.operation);
    const isForgotten = ended.every(({ at }) => countFarAhead(at, past, events) >= ALWAYS_KEPT);
    assert(
      ended.length === 0 || isForgotten,
      'no write that somebody superseded is shown, but of those pushed out by wrong clocks',
    );
  }
  return events.filter((_, e) => isIn(hidden, e)).length;
}

function sameBytes(bytes: Uint8Array, set: VersionSet): boolean {
  return bytesEqual(bytes, encodeVersionSet(set));
}
