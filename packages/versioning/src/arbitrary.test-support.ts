/**
 * Generators of well-formed values: any version vector and any version set that the constructors can make, whether or not an
 * honest history leads there. Laws that hold for these hold also when replicas misbehave.
 */
import { hlcFromMs, utf8Encode, type Hlc } from '@armature/kernel';
import * as fc from 'fast-check';
import { type ActorId, type Dot } from './actor.js';
import {
  MAX_SUPERSEDED,
  NONE_SUPERSEDED,
  SUPERSEDED_WINDOW,
  supersededOperations,
  type SupersededOperation,
  type SupersededOperations,
} from './superseded.js';
import { tombstoneVersion, valueVersion, type OperationId, type Version, type VersionMeta } from './version.js';
import { versionSet, type VersionSet } from './version-set.js';
import { versionVector, type VersionVector } from './version-vector.js';

const MAX_COUNTER = 4;

/** Few actors, so that vectors overlap; with digits and letters, so that order matters. */
export const ACTORS = ['00ff00ff00ff00ff', '10000000deadbeef', 'a0b1c2d3e4f50617', 'ffffffffffffffff'] as ActorId[];

export const actor: fc.Arbitrary<ActorId> = fc.constantFrom(...ACTORS);
export const dot: fc.Arbitrary<Dot> = fc.record({ actor, counter: fc.integer({ min: 1, max: MAX_COUNTER }) });
export const vector: fc.Arbitrary<VersionVector> = fc.array(dot, { maxLength: 6 }).map(versionVector);

export function operation(n: number): OperationId {
  return n.toString(16).padStart(16, '0') as OperationId;
}

/** A version that is a function of its dot, as in honest stores. Some are tombstones, some have metadata. */
export function versionOf({ actor, counter }: Dot): Version {
  const n = ACTORS.indexOf(actor) * 16 + counter;
  const common = { at: hlcFromMs(1_800_000_000_000 + ((n * 7) % 11)), operation: operation(n) };
  if (n % 5 === 0) return tombstoneVersion(common);
  const meta: VersionMeta = n % 3 === 0 ? [['content-type', 'text/pläin']] : [];
  return valueVersion({ ...common, value: utf8Encode(`${n}`.repeat(n % 4)), meta });
}

/** Dots that a clock covers. */
export function coveredBy(clock: VersionVector): Dot[] {
  return clock.flatMap(({ actor, counter }) => Array.from({ length: counter }, (_, i) => ({ actor, counter: i + 1 })));
}

/** Operations of versions in sets and of others, more than are kept, some of them twice and some outside the window. */
export const supersededEntry: fc.Arbitrary<SupersededOperation> = fc.record({
  operation: fc.integer({ min: 1, max: 40 }).map(operation),
  repeated: fc.boolean(),
  at: fc
    .oneof(fc.constantFrom(-1, 0, 1), fc.double({ min: -1, max: 1, noNaN: true }))
    .map((windows) => (hlcFromMs(1_800_000_000_000) + Math.round(windows * SUPERSEDED_WINDOW)) as Hlc),
});
export const superseded: fc.Arbitrary<SupersededOperations> = fc
  .array(supersededEntry, { maxLength: MAX_SUPERSEDED + 8, size: 'max' })
  .map(supersededOperations);

export const set: fc.Arbitrary<VersionSet> = vector.chain((clock) =>
  fc.tuple(fc.subarray(coveredBy(clock)), fc.oneof(fc.constant(NONE_SUPERSEDED), superseded)).map(([dots, ended]) =>
    versionSet(
      clock,
      dots.map((dot) => ({ dot, version: versionOf(dot) })),
      ended,
    ),
  ),
);
