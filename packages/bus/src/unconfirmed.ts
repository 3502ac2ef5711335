/**
 * What can be answered to a frame of a session that is not known: which requests are in it, to be sent back. Nothing else in it
 * is looked at.
 */
import type { ByteReader } from '@armature/kernel';
import { readRecords, RECORD, type RecordVisitor } from './frame.js';

/** Ids of the requests in a frame, and of the one whose first fragment is in it. */
export function requestsIn(records: ByteReader): readonly number[] {
  const ids: number[] = [];
  readRecords(records, VISITOR, ids);
  return ids;
}

/**
 * The id of the request whose first fragment this is: a fragmented message begins with its kind and, if it is a request, its id.
 */
export function requestBegunBy(first: Uint8Array): number | undefined {
  return first.length >= 5 && first[0] === RECORD.request ? idAt(first, 1) : undefined;
}

const ignore = (): void => undefined;

const VISITOR: RecordVisitor<number[]> = {
  request: (ids, id) => void ids.push(id),
  fragment: (ids, _message, index, _count, bytes) => {
    const id = index === 0 ? requestBegunBy(bytes) : undefined;
    if (id !== undefined) ids.push(id);
  },
  reply: ignore,
  error: ignore,
  oneWay: ignore,
  received: ignore,
  again: ignore,
  token: ignore,
  malformed: ignore,
};

function idAt(bytes: Uint8Array, offset: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(offset, true);
}
