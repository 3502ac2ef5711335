/**
 * How a node's one store is shared: records under their addresses in the data space; the membership history and the actor's epoch, always on
 * stable storage before they count, in the meta space.
 */
import { utf8Decode, utf8Encode, type BinaryString } from '@armature/kernel';
import type { HistoryStore } from '@armature/membership';
import { parseChangeRecord, type ChangeRecord } from '@armature/protocol';
import type { EpochStore, RecordStore } from '@armature/replica';
import type { Logger } from '@armature/runtime';
import { parseSpaceKey, spaceBounds, spaceKey, spacePrefixBounds, type Store } from '@armature/storage';

const EPOCH_KEY = spaceKey('meta', 'actor-epoch');
const HISTORY_PREFIX = 'history/';
const HISTORY_PAGE = 1_000;

export function recordStoreOn(store: Store): RecordStore {
  return {
    read: (address) => store.read(spaceKey('data', address)),
    write: (operations, durability) =>
      store.write(
        operations.map((operation) => ({ ...operation, key: spaceKey('data', operation.key) })),
        durability,
      ),
    async range(query) {
      const page = await store.range({ ...query, ...spaceBounds('data', query.start, query.end) });
      return {
        entries: page.entries.map(({ key, value }) => ({ key: dataKey(key), value })),
        next: page.next === undefined ? undefined : dataKey(page.next),
      };
    },
  };
}

export function epochStoreOn(store: Store): EpochStore {
  return {
    load: async () => store.read(EPOCH_KEY),
    save: (document) => store.write([{ kind: 'put', key: EPOCH_KEY, value: document }], 'fsync'),
  };
}

/** One key per record, named by time and id, so that they load in the order of the history. */
export function historyStoreOn(store: Store, log: Logger): HistoryStore {
  return {
    async load() {
      const records: ChangeRecord[] = [];
      const bounds = spacePrefixBounds('meta', HISTORY_PREFIX);
      for (let start: BinaryString | undefined = bounds.start; start !== undefined;) {
        const page = await store.range({ start, end: bounds.end, limit: HISTORY_PAGE });
        for (const { value } of page.entries) {
          const record = parseChangeRecord(JSON.parse(utf8Decode(value)));
          if (record.ok) records.push(record.value);
          else log.error({ err: record.error }, 'a stored membership record cannot be read; peers will supply it again');
        }
        start = page.next;
      }
      return records;
    },
    append: (records) =>
      store.write(
        records.map((record) => ({ kind: 'put', key: historyKey(record), value: utf8Encode(JSON.stringify(record)) })),
        'fsync',
      ),
  };
}

function historyKey(record: ChangeRecord): BinaryString {
  return spaceKey('meta', `${HISTORY_PREFIX}${record.at.toString(16).padStart(14, '0')}-${record.id}`);
}

/** A page of the data space may end at the space's own end, which has no key in it. */
function dataKey(stored: BinaryString): BinaryString {
  return parseSpaceKey(stored)?.key ?? ('' as BinaryString);
}
