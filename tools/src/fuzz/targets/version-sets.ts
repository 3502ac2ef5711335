/**
 * Version sets, as they are stored and sent (`versioning/codec.ts`). One set has one encoding: digests of anti-entropy and
 * `joinEncoded` compare bytes. Two inputs, one after the other with the length of the first before them, are joined as a replica
 * joins what comes in with what it has.
 */
import { ByteReader, ByteWriter, DecodeError } from '@armature/kernel';
import { decodeVersionSet, encodedOutlineOf, encodeVersionSet, joinEncoded, resolve } from '@armature/versioning';
import { holds, type Target } from '../target.js';
import { denseList } from './dense.js';
import { attempt, attemptOf, outcomeOf } from './outcomes.js';
import { ENCODED_SETS } from './values.js';

export const versionSets: Target = {
  name: 'version-sets',
  what: 'version sets, stored and sent, and the join of two',
  covers: [
    'versioning/decodeVersionSet',
    'versioning/readVersionVector',
    'versioning/readCounter',
    'versioning/readHlc',
    'versioning/readSuperseded',
    'replica/decodeHeld',
  ],
  seeds: () => ENCODED_SETS.flatMap((one, i) => ENCODED_SETS.slice(i).map((other) => pairOf(one, other))),
  dense,
  decode: (input) => decodeVersionSet(input.subarray(2)),
  run(input) {
    const pair = attempt(() => {
      const reader = new ByteReader(input);
      return [reader.blob(), reader.rest()] as const;
    });
    if (!pair.taken) return pair.refusal;
    const [local, incoming] = pair.value;
    checkOne(local);
    return checkOne(incoming) ?? joined(local, incoming);
  },
};

/** Why it was refused, if it was. */
function checkOne(bytes: Uint8Array): string | undefined {
  const decoded = attemptOf(decodeVersionSet(bytes));
  if (!decoded.taken) return decoded.refusal;
  holds(Buffer.compare(encodeVersionSet(decoded.value), bytes) === 0, 'a version set with two encodings');
  const outline = encodedOutlineOf(bytes);
  holds(outline !== undefined && decodeVersionSet(outline).ok, 'an outline that is no version set');
  const latest = encodeVersionSet(resolve('last-write-wins', decoded.value));
  holds(decodeVersionSet(latest).ok, 'what the last write wins is no version set');
  return undefined;
}

function joined(local: Uint8Array, incoming: Uint8Array): string {
  const result = joinEncoded(local, incoming);
  if (!result.ok) {
    holds(result.error.error instanceof DecodeError, 'a refusal that is none');
    return `${result.error.side}: ${result.error.error.message}`;
  }
  const { bytes, changed } = result.value;
  holds(changed !== (Buffer.compare(bytes, local) === 0), 'a join that says it changed nothing and did, or the reverse');
  return outcomeOf(attemptOf(decodeVersionSet(bytes)), () => {
    const again = joinEncoded(bytes, incoming);
    holds(again.ok && !again.value.changed, 'a set that a second join with the same changes again');
    return `joined, ${changed ? 'changed' : 'the same'}`;
  });
}

function pairOf(local: Uint8Array, incoming: Uint8Array): Uint8Array {
  return new ByteWriter().blob(local).raw(incoming).copyOut();
}

function dense(sizeBytes: number): readonly Uint8Array[] {
  // Clock entries must be in order, so each is another actor.
  const count = Math.floor(sizeBytes / 9) - 4;
  const clock = new ByteWriter(sizeBytes).u8(1).varint(count);
  for (let i = 0; i < count; i++) clock.raw(Buffer.from(i.toString(16).padStart(16, '0'), 'hex')).varint(1);
  const versions = Math.floor(sizeBytes / 24) - 4;
  const dots = new ByteWriter(sizeBytes).u8(1).varint(1).raw(Buffer.alloc(7)).u8(1).varint(versions).varint(versions);
  for (let i = 1; i <= versions; i++) dots.varint(0).varint(i);
  for (let i = 1; i <= versions; i++) dots.u8(0).raw(Buffer.alloc(16)).varint(0);
  const nothing = Uint8Array.of(0);
  const two = Uint8Array.of(0, 1);
  return [
    pairOf(nothing, clock.u8(0).copyOut()),
    pairOf(nothing, dots.copyOut()),
    pairOf(nothing, denseList(sizeBytes, Uint8Array.of(1, 0), two)),
    pairOf(nothing, denseList(sizeBytes, Uint8Array.of(2, 0, 0), Buffer.alloc(9))),
  ];
}
