/**
 * Values that are large for the messages of their cluster (`simulated-run.ts`), from some bytes to thousands: the id of the
 * operation that wrote it, and spaces behind it. How many follows from the id, so that a run is the same each time.
 *
 * With many blind puts a few of them fill a key: sibling storms, on both sides of every cut.
 */
import { utf8, type Codec } from '@armature/client';

export const LARGEST_VALUE_BYTES = 24_000;
const LEAST_BYTES = 16;

export const padded: Codec<string> = {
  encode: (id) =>
    utf8.encode(id.padEnd(LEAST_BYTES + (Number.parseInt(id.slice(0, 8), 16) % (LARGEST_VALUE_BYTES - LEAST_BYTES)))),
  decode: (stored) => utf8.decode(stored).trimEnd(),
  contentType: utf8.contentType,
};
