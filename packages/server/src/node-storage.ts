/**
 * How a node's one store is shared: records under their addresses in the data space, and the addresses of those that may be reaped in a space of their own; hints under the owner they are for and their addresses in the
 * hints space; the membership history and the actor's epoch, always on
 * stable storage before they count, and the records of commands in the meta space.
 */
import {
  EMPTY_BYTES,
  fromHex,
  toArmatureError,
  toBinaryString,
  unwrap,
  type ArmatureError,
  type BinaryString,
  type NodeId,
  type Result,
} from '@armature/kernel';
import type { HistoryStore } from '@armature/membership';
import { parseChangeRecord, parseCommandRecord, type ChangeRecord, type CommandRecord } from '@armature/protocol';
import type { EpochStore, HintSpace, RecordStore } from '@armature/replica';
import type { Address } from '@armature/ring';
import type { Logger } from '@armature/runtime';
import {
  parseSpaceKey,
  spaceBounds,
  spaceKey,
  spacePrefixBounds,
  type RangePage,
  type RangeQuery,
  type Space,
  type StorageOperation,
  type Store,
} from '@armature/storage';
import type { Clearings, ClearingStore, TenureStore } from './clearing-counts.js';
import type { CommandStore } from './command-log.js';
import { formatDocument, parseClearings, parseStoredDocument, parseTenure } from './stored-documents.js';

const EPOCH_KEY = spaceKey('meta', 'actor-epoch');
const TENURE_KEY = spaceKey('meta', 'tenure');
const CLEARINGS_KEY = spaceKey('meta', 'clearings');
const HISTORY_PREFIX = 'history/';
const DOCUMENTS_PER_PAGE = 1_000;
const COMMANDS_PREFIX = 'commands/';

export function recordStoreOn(store: Store): RecordStore {
  const listed = recordsUnder(store, 'reapable', '');
  return {
    ...recordsUnder(store, 'data', ''),
    reapable: {
      async page(query) {
        const { entries, next } = await listed.range(query);
        return { addresses: entries.map(({ key }) => key as string as Address), next };
      },
      set: (address, isListed) => store.write([listing(address, isListed)], 'os'),
    },
  };
}

function listing(key: BinaryString, isListed: boolean): StorageOperation {
  const stored = spaceKey('reapable', key);
  return isListed ? { kind: 'put', key: stored, value: EMPTY_BYTES } : { kind: 'delete', key: stored };
}

/** Records whose keys in the space begin with `prefix`, which the record store does not see. */
function recordsUnder(store: Store, space: Space, prefix: string): RecordStore {
  const stored = (key: string): BinaryString => spaceKey(space, prefix + key);
  /** A page may end at the space's own end, which has no key in it. */
  const address = (key: BinaryString): BinaryString => (parseSpaceKey(key)?.key ?? '').slice(prefix.length) as BinaryString;
  const bounds = spacePrefixBounds(space, prefix);
  return {
    read: (key) => store.read(stored(key)),
    write(operations, durability) {
      const batch: StorageOperation[] = [];
      for (const operation of operations) {
        const key = stored(operation.key);
        batch.push(operation.kind === 'put' ? { kind: 'put', key, value: operation.value } : { kind: 'delete', key });
        if (operation.reapable !== undefined) batch.push(listing(operation.key, operation.reapable));
      }
      return store.write(batch, durability);
    },
    async range(query) {
      const end = query.end === undefined ? bounds.end : stored(query.end);
      const page = await pageAfterDamage(store, { ...query, start: stored(query.start), end });
      return {
        entries: page.entries.map(({ key, value }) => ({ key: address(key), value })),
        next: page.next === undefined ? undefined : address(page.next),
      };
    },
  };
}

/** A page; where it would begin with a damaged entry, an empty one that goes on behind it: one bad block must not hide all that follows. */
async function pageAfterDamage(store: Store, query: RangeQuery): Promise<RangePage> {
  try {
    return await store.range(query);
  } catch (thrown) {
    const error = toArmatureError(thrown);
    const { resumeAt: hex } = error.details;
    const resumeAt = error.code === 'storage-corrupt' && typeof hex === 'string' ? fromHex(hex) : undefined;
    if (resumeAt === undefined) throw error;
    return { entries: [], next: toBinaryString(resumeAt) };
  }
}

export function tenureStoreOn(store: Store): TenureStore {
  return {
    async load() {
      const document = await store.read(TENURE_KEY);
      return document === undefined ? undefined : unwrap(parseTenure(document));
    },
    save: (tenure) => store.write([{ kind: 'put', key: TENURE_KEY, value: formatDocument(tenure) }], 'fsync'),
  };
}

/** A document that cannot be read is as good as none: then the others know of more clearings, and the store is taken for a copy from before them. */
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

export function epochStoreOn(store: Store): EpochStore {
  return {
    load: async () => store.read(EPOCH_KEY),
    save: (document) => store.write([{ kind: 'put', key: EPOCH_KEY, value: document }], 'fsync'),
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

/** Hints under their owner's name and their address. Names have no slash, so one owner's hints are one range. */
export function hintSpaceOn(store: Store): HintSpace {
  return {
    for: (owner) => recordsUnder(store, 'hints', `${owner}/`),
    async owners() {
      const owners: NodeId[] = [];
      const bounds = spaceBounds('hints');
      for (let start = bounds.start; ;) {
        const { entries, next } = await pageAfterDamage(store, { start, end: bounds.end, limit: 1 });
        const [first] = entries;
        const name = first === undefined ? undefined : parseSpaceKey(first.key)?.key.split('/', 1)[0];
        if (name !== undefined) {
          owners.push(name as NodeId);
          start = spaceKey('hints', `${name}0`); // "0" follows "/": past all hints of this owner
        } else if (next !== undefined) {
          start = next;
        } else {
          return owners;
        }
      }
    },
  };
}
