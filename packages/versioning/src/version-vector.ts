/**
 * A version vector says which events of a key somebody has seen: for each actor, how many of its events, counted from
 * the first. It is the set { (actor, 1), ..., (actor, counter) } over its actors, written in the space of one number each, and
 * every function below is that set's: descends is superset, merge is union, covers is membership.
 *
 * The form is a list with the last seen dot of each actor, sorted by actor. A key has a handful of actors, so a linear
 * walk over a sorted list beats any hash table, encodes canonically without sorting, and is free of the accidents of
 * plain objects (`toString`, `__proto__`). Lists are never mutated; an operation that changes nothing returns its argument
 * itself, so `===` tells.
 */
import { assert, type Brand } from '@armature/kernel';
import { compareActors, type ActorId, type Dot } from './actor.js';

/** The last seen dot of each actor, sorted by actor, each actor once, counters from 1. */
export type VersionVector = Brand<readonly Dot[], 'VersionVector'>;

/** How two histories relate: the first is the same as, part of, an extension of, or neither with regard to the second. */
export type CausalOrder = 'equal' | 'before' | 'after' | 'concurrent';

export const EMPTY_VECTOR = Object.freeze([]) as unknown as VersionVector;

/** A vector from dots in any order; of several dots of one actor the greatest counts. */
export function versionVector(dots: Iterable<Dot>): VersionVector {
  let vector = EMPTY_VECTOR;
  for (const dot of dots) vector = withDot(vector, dot);
  return vector;
}

/** How many events of `actor` are covered; 0 for an actor never seen. */
export function counterOf(vector: VersionVector, actor: ActorId): number {
  for (const entry of vector) {
    if (entry.actor === actor) return entry.counter;
  }
  return 0;
}

/** Whether the event is among those seen. */
export function covers(vector: VersionVector, dot: Dot): boolean {
  return counterOf(vector, dot.actor) >= dot.counter;
}

/** Whether `a` has seen everything that `b` has. Reflexive. */
export function descends(a: VersionVector, b: VersionVector): boolean {
  if (a === b) return true;
  if (a.length < b.length) return false;
  let i = 0;
  for (const seen of b) {
    while (i < a.length && compareActors((a[i] as Dot).actor, seen.actor) < 0) i++;
    const ours = a[i];
    if (ours?.actor !== seen.actor || ours.counter < seen.counter) return false;
    i++;
  }
  return true;
}

export function compareVersionVectors(a: VersionVector, b: VersionVector): CausalOrder {
  const after = descends(a, b);
  const before = descends(b, a);
  return after ? (before ? 'equal' : 'after') : before ? 'before' : 'concurrent';
}

/** Everything that either has seen. Returns `a` itself where it descends `b`, else `b` itself where that descends `a`. */
export function mergeVersionVectors(a: VersionVector, b: VersionVector): VersionVector {
  if (descends(a, b)) return a;
  if (descends(b, a)) return b;
  const out: Dot[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    const x = a[i] as Dot;
    const y = b[j] as Dot;
    const order = compareActors(x.actor, y.actor);
    out.push(order < 0 || (order === 0 && x.counter >= y.counter) ? x : y);
    if (order <= 0) i++;
    if (order >= 0) j++;
  }
  while (i < a.length) out.push(a[i++] as Dot);
  while (j < b.length) out.push(b[j++] as Dot);
  return out as readonly Dot[] as VersionVector;
}

/** The vector that also covers `dot` and all events of its actor before it. */
export function withDot(vector: VersionVector, dot: Dot): VersionVector {
  // A 53-bit counter outlasts a million writes per second to one key for 285 years, so passing it is a bug.
  assert(Number.isSafeInteger(dot.counter) && dot.counter >= 1, 'a dot counts from 1, in safe integers');
  let at = 0;
  while (at < vector.length && compareActors((vector[at] as Dot).actor, dot.actor) < 0) at++;
  const present = vector[at];
  if (present?.actor !== dot.actor) return vector.toSpliced(at, 0, dot) as readonly Dot[] as VersionVector;
  if (present.counter >= dot.counter) return vector;
  return vector.with(at, dot) as readonly Dot[] as VersionVector;
}

/** The vector with `dot`, if that is its actor's next event; otherwise unchanged, since a vector cannot have gaps. */
export function withNextDot(vector: VersionVector, dot: Dot): VersionVector {
  return dot.counter === counterOf(vector, dot.actor) + 1 ? withDot(vector, dot) : vector;
}

/** The vector with one more event of `actor`. */
export function incrementVersionVector(vector: VersionVector, actor: ActorId): VersionVector {
  return withDot(vector, { actor, counter: counterOf(vector, actor) + 1 });
}

/**
 * At most `limit` entries of the vector: those of the actors of `first` before all others. The vector itself where it is no
 * longer than that. It covers nothing that the vector does not cover.
 */
export function partOfVector(vector: VersionVector, limit: number, first: readonly Dot[]): VersionVector {
  if (vector.length <= limit) return vector;
  const wanted = new Set<ActorId>();
  for (const { actor } of first) if (wanted.size < limit) wanted.add(actor);
  let others = limit - wanted.size;
  return vector.filter(({ actor }) => wanted.has(actor) || others-- > 0) as readonly Dot[] as VersionVector;
}
