/**
 * A model of causal histories, and a player that runs random histories through it and through the real code side by side.
 *
 * In the model an event is a bit, and what somebody has seen is a set of bits: no clocks, no dots, no pruning rules. A put
 * makes an event whose past is the set of its context. What a replica must store is the *frontier* of what it has seen: the
 * events that are in the past of no other. Under last-write-wins it is the one with the greatest (at, dot) of all it has seen.
 *
 * The player draws every choice from one function. Fed from a seeded generator it plays a hundred thousand histories in
 * seconds; fed from a list of numbers that fast-check made, a failing history shrinks.
 */
import { HLC_ZERO, assert, bytesEqual, unwrap, type Hlc } from '@armature/kernel';
import { compareDots, type ActorId, type Dot } from './actor.js';
import { encodeVersionSet } from './codec.js';
import { joinEncoded } from './join-encoded.js';
import { nextTimestamp, resolve, resolveLastWriteWins, type Resolver } from './resolvers.js';
import { tombstoneVersion, valueVersion, type OperationId } from './version.js';
import { contextOf, emptyVersionSet, isAmnesiac, isDeleted, join, mint, reconcile, type VersionSet } from './version-set.js';
import { compareVersionVectors } from './version-vector.js';

/** A choice: an integer in [0, bound). */
export type Draw = (bound: number) => number;

/** A set of events: bit e for event e. */
type Events = number;

/** One state in three worlds: the model, the code that keeps siblings, the code that keeps the last write. */
interface State {
  readonly seen: Events;
  readonly siblings: VersionSet;
  readonly last: VersionSet;
}

interface Replica {
  readonly actor: ActorId;
  /** How far this replica's wall clock is off, in milliseconds. */
  readonly skewMs: number;
  hlc: Hlc;
  state: State;
}

interface ModelEvent {
  readonly past: Events;
  readonly at: Hlc;
  readonly dot: Dot;
  readonly tombstone: boolean;
}

const MAX_REPLICAS = 4;
const CLIENTS = 3;
const MAX_STEPS = 14;
const NOTHING: State = { seen: 0, siblings: emptyVersionSet, last: emptyVersionSet };
const ACTORS = Array.from({ length: MAX_REPLICAS }, (_, i) => String(i + 1).padStart(16, '0') as ActorId);
const OPERATIONS = Array.from({ length: MAX_STEPS }, (_, i) => i.toString(16).padStart(16, '0') as OperationId);

/** What a history amounted to, so that a test can tell that its histories were worth playing. */
export interface Played {
  readonly events: number;
  readonly mostSiblings: number;
}

/** Plays one history; throws at the first disagreement between code and model. */
export function playHistory(draw: Draw): Played {
  const events: ModelEvent[] = [];
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
    const choice = draw(8);
    if (choice < 4) {
      const context = any(clients);
      put(replica, context, events, 1000 + step, draw(5) === 0);
      if (draw(2) === 0) clients[draw(CLIENTS)] = replica.state; // the answer came with all siblings
      sent.push(replica.state);
    } else if (choice < 5) {
      const several = [replica, any(replicas)].map(({ state }) => state);
      clients[draw(CLIENTS)] = {
        seen: several.reduce((all, { seen }) => all | seen, 0),
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
  converge(replicas, events, draw);
  return { events: events.length, mostSiblings };
}

function put(replica: Replica, context: State, events: ModelEvent[], nowMs: number, tombstone: boolean): void {
  const { actor, state } = replica;
  assert(!isAmnesiac(state.siblings, actor, context.siblings.clock), 'a store that forgets nothing is not amnesiac');
  const wallMs = nowMs + replica.skewMs;
  const at = unwrap(nextTimestamp(replica.hlc, state.siblings, contextOf(context.siblings), wallMs));
  const sameAt = unwrap(nextTimestamp(replica.hlc, state.last, contextOf(context.last), wallMs));
  assert(at === sameAt, 'both resolvers keep the latest timestamp');

  const event = events.length;
  const operation = OPERATIONS[event] as OperationId;
  const version = tombstone ? tombstoneVersion({ at, operation }) : valueVersion({ value: Uint8Array.of(event), at, operation });
  const minted = mint(state.siblings, actor, context.siblings.clock, version);
  const mintedLast = mint(state.last, actor, context.last.clock, version);
  assert(compareDots(minted.dot, mintedLast.dot) === 0, 'both resolvers mint the same dot');
  assert(
    events.every(({ dot }) => compareDots(dot, minted.dot) !== 0),
    'a dot is new',
  );
  assert(mint(minted.set, actor, context.siblings.clock, version).set === minted.set, 'a retried put changes nothing');

  events.push({ past: context.seen, at, dot: minted.dot, tombstone });
  replica.hlc = at;
  replica.state = {
    seen: state.seen | context.seen | (1 << event),
    siblings: minted.set,
    last: resolveLastWriteWins(mintedLast.set),
  };
  check(replica.state, events);
}

function deliver(replica: Replica, incoming: State, events: readonly ModelEvent[]): void {
  const { seen, siblings, last } = replica.state;
  assert(!isAmnesiac(siblings, replica.actor, incoming.siblings.clock), 'a store that forgets nothing is not amnesiac');
  const nothingNew = (incoming.seen & ~seen) === 0;
  const joined = join(siblings, incoming.siblings);
  assert((joined === siblings) === nothingNew, 'join returns its first argument itself iff nothing changes');
  replica.state = { seen: seen | incoming.seen, siblings: joined, last: resolveLastWriteWins(join(last, incoming.last)) };
  check(replica.state, events);
}

/** The heart: what is stored is what the model says. */
function check({ seen, siblings, last }: State, events: readonly ModelEvent[]): void {
  let past: Events = 0;
  let latest: ModelEvent | undefined;
  let live = false;
  for (const [e, event] of events.entries()) {
    if ((seen & (1 << e)) === 0) continue;
    past |= event.past;
    if (latest === undefined || event.at > latest.at || (event.at === latest.at && compareDots(event.dot, latest.dot) > 0))
      latest = event;
  }
  const frontier = seen & ~past;
  let held: Events = 0;
  for (const { version } of siblings.siblings) held |= 1 << Number.parseInt(version.operation, 16);
  for (const [e, event] of events.entries()) live ||= (frontier & (1 << e)) !== 0 && !event.tombstone;
  assert(held === frontier, 'the siblings are the causal frontier');
  assert(isDeleted(siblings) === (seen !== 0 && !live), 'deleted iff the frontier is tombstones');

  assert(last.siblings.length === (latest === undefined ? 0 : 1), 'the last write is one');
  assert(
    latest === undefined || compareDots((last.siblings[0] as { dot: Dot }).dot, latest.dot) === 0,
    'the last write is the maximum',
  );
  assert(compareVersionVectors(siblings.clock, last.clock) === 'equal', 'pruning keeps the clock');
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
  assert(sameBytes(encodeVersionSet(last(lastAb, c.last)), last(a.last, last(b.last, c.last))), 'pruned: associative');
  assert(last(lastAb, lastAb) === lastAb, 'pruned: idempotent');
  // Pruning early or late is the same.
  assert(sameBytes(encodeVersionSet(lastAb), resolveLastWriteWins(ab)), 'pruned: of the whole join');
}

/** Everybody gets every final state, each in an order of its own, some of them twice: all end equal. */
function converge(replicas: readonly Replica[], events: readonly ModelEvent[], draw: Draw): void {
  const finals = replicas.map(({ state }) => state);
  for (const replica of replicas) {
    const mail = draw(2) === 0 ? finals : [...finals, ...finals];
    const start = draw(mail.length);
    const stride = draw(2) === 0 ? 1 : mail.length - 1; // forwards or backwards from anywhere
    for (let i = 0; i < mail.length; i++) deliver(replica, mail[(start + i * stride) % mail.length] as State, events);
  }
  const [first, ...others] = replicas as [Replica, ...Replica[]];
  const bytes = encodeVersionSet(first.state.siblings);
  const lastBytes = encodeVersionSet(first.state.last);
  for (const { state } of others) {
    assert(
      sameBytes(bytes, state.siblings) && sameBytes(lastBytes, state.last),
      'replicas that have exchanged everything are byte-equal',
    );
  }
}

function sameBytes(bytes: Uint8Array, set: VersionSet): boolean {
  return bytesEqual(bytes, encodeVersionSet(set));
}
