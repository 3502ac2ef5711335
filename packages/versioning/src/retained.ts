/**
 * What may be kept of a set when only some actors are trusted: those under which a store has minted since a certain moment, while
 * what it held before may be long out of date elsewhere.
 *
 * Where every sibling is of a trusted actor the set stays as it is: whatever else its clock covers was superseded, in the end by
 * one of these siblings. Otherwise the other siblings go, and with them all that the clock says of their actors. To keep that
 * would say of a version that is gone that it was superseded, and replicas that still hold it would drop it. So a version that a
 * kept one has overwritten may stand beside it again, and none is lost.
 */
import type { ActorId } from './actor.js';
import { versionSet, type VersionSet } from './version-set.js';
import { versionVector } from './version-vector.js';

/** The set itself where all of it may be kept; undefined where nothing may. */
export function retained(set: VersionSet, isTrusted: (actor: ActorId) => boolean): VersionSet | undefined {
  const siblings = set.siblings.filter(({ dot }) => isTrusted(dot.actor));
  if (siblings.length === 0) return undefined;
  if (siblings.length === set.siblings.length) return set;
  return versionSet(versionVector(set.clock.filter((event) => isTrusted(event.actor))), siblings, set.superseded);
}
