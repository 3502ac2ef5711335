/**
 * The documents of a node's own bookkeeping, as JSON: records of the membership history and of commands, under which membership
 * the store is used, and how often it has cleared something.
 *
 * Engines check what they read against a checksum, so bytes that a disk has changed do not come so far. What comes is
 * nevertheless checked field by field: it may be another version's, or somebody's who repaired a store by hand, and a node that
 * went on with half a document would act upon what nobody has written.
 */
import { ArmatureError, err, ok, utf8Decode, utf8Encode, type Result } from '@armature/kernel';
import type { ChangeRecord, ClearingCount, CommandRecord } from '@armature/protocol';
import type { Clearings, Tenure } from './clearing-counts.js';

/** Tenures that are known: those of all members, and of members that have been. */
const MAX_COUNTS = 65_536;

type Document = Readonly<Record<string, unknown>>;

export function formatDocument(document: Tenure | Clearings | ChangeRecord | CommandRecord): Uint8Array {
  return utf8Encode(JSON.stringify(document));
}

/** A document that is a `T`, as `parse` says. Error: `storage-corrupt`. */
export function parseStoredDocument<T>(
  bytes: Uint8Array,
  parse: (input: unknown) => Result<T, ArmatureError>,
): Result<T, ArmatureError> {
  const parsed = parse(json(bytes));
  return parsed.ok ? parsed : unreadable('a record of the node', parsed.error.message);
}

/** Error: `storage-corrupt`. */
export function parseTenure(bytes: Uint8Array): Result<Tenure, ArmatureError> {
  const { stint, loss } = fieldsOf(json(bytes));
  if (typeof stint === 'string' && (loss === undefined || typeof loss === 'string')) return ok({ stint, loss });
  return unreadable('the membership that the store is used under', 'stint and loss must be texts');
}

/** Error: `storage-corrupt`. */
export function parseClearings(bytes: Uint8Array): Result<Clearings, ArmatureError> {
  const { own, known } = fieldsOf(json(bytes));
  const counts = Array.isArray(known) && known.length <= MAX_COUNTS ? known.map(countOf) : [undefined];
  const ownCount = own === undefined ? undefined : countOf(own);
  if (counts.every((count) => count !== undefined) && (own === undefined) === (ownCount === undefined))
    return ok({ own: ownCount, known: counts });
  return unreadable('the counts of clearings', 'each must have a tenure and a count');
}

function countOf(given: unknown): ClearingCount | undefined {
  const { tenure, count } = fieldsOf(given);
  if (typeof tenure !== 'string' || typeof count !== 'number' || !Number.isSafeInteger(count) || count < 0) return undefined;
  return { tenure, count };
}

function fieldsOf(value: unknown): Document {
  return typeof value === 'object' && value !== null ? (value as Document) : {};
}

/** Undefined for what is no JSON. */
function json(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(utf8Decode(bytes));
  } catch {
    return undefined;
  }
}

function unreadable(what: string, why: string): Result<never, ArmatureError> {
  return err(
    new ArmatureError('storage-corrupt', `${what}, as it is stored, cannot be read: ${why}`, {
      remedy:
        'Run the version that wrote it. Otherwise put the data aside, and let the node start empty and be filled by the others.',
    }),
  );
}
