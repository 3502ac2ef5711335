/**
 * Lays the overlay over a page that the engine read.
 *
 * The engine took its page at some moment after the call; commits went on meanwhile. The pending writes were listed at
 * the call, before the engine was asked, so every write accepted by then is in one or the other (or both): none slips
 * through between leaving the overlay and reaching the page. A pending write that failed since gives way to what stands.
 */
import type { BinaryString } from '@armature/kernel';
import { keyAfter, operationBytes, type RangePage, type RangeQuery, type StorageEntry, type StorageOperation } from './engine.js';
import { standingAt, type PendingWrite } from './overlay.js';

/**
 * `pending`: the pending writes of the query's range when it began, ascending. `latest`: the newest pending write of a key
 * now. Pending keys from the page's `next` on belong to later pages.
 */
export function mergePage(
  query: RangeQuery,
  page: RangePage,
  pending: readonly PendingWrite[],
  latest: (key: BinaryString) => PendingWrite | undefined,
): RangePage {
  if (pending.length === 0) return page;
  const entries: StorageEntry[] = [];
  let pageBytes = 0;
  let atStored = 0;
  let atPending = 0;
  for (;;) {
    const stored = page.entries[atStored];
    const over = nextPending(pending[atPending], page.next);
    if (stored === undefined && over === undefined) return { entries, next: page.next };
    const overFirst = over !== undefined && (stored === undefined || over.operation.key <= stored.key);
    const key = overFirst ? over.operation.key : (stored as StorageEntry).key;
    const isBoth = stored?.key === key;
    const operation = overFirst ? (latest(key) ?? standingAt(over))?.operation : undefined;
    const entry = toEntry(operation, isBoth ? stored : undefined);
    if (overFirst) atPending++;
    if (isBoth) atStored++;
    if (entry === undefined) continue;
    entries.push(entry);
    pageBytes += operationBytes({ kind: 'put', ...entry });
    if (entries.length < query.limit && pageBytes < (query.limitBytes ?? Infinity)) continue;
    const isLast = page.entries[atStored] === undefined && nextPending(pending[atPending], page.next) === undefined;
    return { entries, next: isLast ? page.next : keyAfter(key) };
  }
}

function nextPending(pending: PendingWrite | undefined, end: BinaryString | undefined): PendingWrite | undefined {
  return pending !== undefined && (end === undefined || pending.operation.key < end) ? pending : undefined;
}

function toEntry(operation: StorageOperation | undefined, stored: StorageEntry | undefined): StorageEntry | undefined {
  if (operation === undefined) return stored;
  return operation.kind === 'put' ? { key: operation.key, value: operation.value } : undefined;
}
