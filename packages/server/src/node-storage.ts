/**
 * What a node keeps in the meta space of its one store, beside what its replica keeps there (`replica/stored-records.ts`): the
 * membership history, its tenure and its counts of clearings, and the records of commands.
 */
import { toArmatureError, unwrap, type ArmatureError, type BinaryString, type Result } from '@armature/kernel';
import type { HistoryStore } from '@armature/membership';
import { parseChangeRecord, parseCommandRecord, type ChangeRecord, type CommandRecord } from '@armature/protocol';
import type { Logger } from '@armature/runtime';
import { pageAfterDamage, spaceKey, spacePrefixBounds, type StorageOperation, type Store } from '@armature/storage';
import type { Clearings, ClearingStore, TenureStore } from './clearing-counts.js';
import type { CommandStore } from './command-log.js';
import { formatDocument, parseClearings, parseStoredDocument, parseTenure } from './stored-documents.js';

const TENURE_KEY = spaceKey('meta', 'tenure');
const CLEARINGS_KEY = spaceKey('meta', 'clearings');
const HISTORY_PREFIX = 'history/';
const DOCUMENTS_PER_PAGE = 1_000;
const COMMANDS_PREFIX = 'commands/';

export function tenureStoreOn(store: Store): TenureStore {
  return {
    async load() {
      const document = await store.read(TENURE_KEY);
      return document === undefined ? undefined : unwrap(parseTenure(document));
    },
    save: (tenure) => store.write([{ kind: 'put', key: TENURE_KEY, value: formatDocument(tenure) }], 'fsync'),
  };
}

/**
 * A document that cannot be read is as good as none: then the others know of more clearings, and the store is taken for a copy
 * from before them.
 */
export function clearingStoreOn(store: Store, log: Logger): ClearingStore {
  const nothing: Clearings = { own: undefined, known: [] };
  return {
    async load() {
      try {
        const document = await store.read(CLEARINGS_KEY);
        return document === undefined ? nothing : unwrap(parseClearings(document));
      } catch (thrown) {
        const error = toArmatureError(thrown);
        if (error.code !== 'storage-corrupt') throw error;
        log.error({ err: error }, 'the stored counts of clearings cannot be read');
        return nothing;
      }
    },
    save: (clearings, durable) =>
      store.write([{ kind: 'put', key: CLEARINGS_KEY, value: formatDocument(clearings) }], durable ? 'fsync' : 'os'),
  };
}

/** One key per record, named by time and id, so that they load in the order of the history. */
export function historyStoreOn(store: Store, log: Logger): HistoryStore {
  return {
    load: () =>
      documentsUnder(store, HISTORY_PREFIX, parseChangeRecord, (err) =>
        log.error({ err }, 'a stored membership record cannot be read; peers will supply it again'),
      ),
    append: (records) => store.write(records.map(historyEntry), 'fsync'),
  };
}

function historyEntry(record: ChangeRecord): StorageOperation {
  const key = spaceKey('meta', `${HISTORY_PREFIX}${record.at.toString(16).padStart(14, '0')}-${record.id}`);
  return { kind: 'put', key, value: formatDocument(record) };
}

/** They survive the process, and are for people: not worth a sync each. */
export function commandStoreOn(store: Store, log: Logger): CommandStore {
  return {
    load: () =>
      documentsUnder(store, COMMANDS_PREFIX, parseCommandRecord, (err) =>
        log.warn({ err }, 'the stored record of a command cannot be read, and is left out'),
      ),
    save(kept, dropped) {
      const put: StorageOperation = { kind: 'put', key: commandKey(kept), value: formatDocument(kept) };
      return store.write([put, ...dropped.map((one) => ({ kind: 'delete' as const, key: commandKey(one) }))], 'os');
    },
  };
}

function commandKey({ firstMs, id }: CommandRecord): BinaryString {
  return spaceKey('meta', `${COMMANDS_PREFIX}${firstMs.toString(16).padStart(14, '0')}-${id}`);
}

/** JSON documents in the meta space, in the order of their keys. Those that are no `T` are told, and left out. */
async function documentsUnder<T>(
  store: Store,
  prefix: string,
  parse: (input: unknown) => Result<T, ArmatureError>,
  unreadable: (error: ArmatureError) => void,
): Promise<T[]> {
  const documents: T[] = [];
  const bounds = spacePrefixBounds('meta', prefix);
  for (let start: BinaryString | undefined = bounds.start; start !== undefined;) {
    const page = await pageAfterDamage(store, { start, end: bounds.end, limit: DOCUMENTS_PER_PAGE });
    for (const { value } of page.entries) {
      const document = parseStoredDocument(value, parse);
      if (document.ok) documents.push(document.value);
      else unreadable(document.error);
    }
    start = page.next;
  }
  return documents;
}
