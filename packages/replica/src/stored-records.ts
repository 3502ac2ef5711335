/**
 * Where a replica's things lie in the node's one store (`storage/key-space.ts`): records under their addresses in the data space,
 * and the addresses of those that may be reaped in a space of their own; hints under the owner they are for and their address in
 * the hints space; the actor's epoch in the meta space, always on stable storage before it counts.
 */
import { EMPTY_BYTES, type BinaryString, type NodeId } from '@armature/kernel';
import type { Address } from '@armature/ring';
import {
  pageAfterDamage,
  parseSpaceKey,
  spaceBounds,
  spaceKey,
  spacePrefixBounds,
  type Space,
  type StorageOperation,
  type Store,
} from '@armature/storage';
import type { EpochStore } from './actor-epoch.js';
import type { HintSpace } from './hint-store.js';
import type { RecordStore } from './record-store.js';

const EPOCH_KEY = spaceKey('meta', 'actor-epoch');

export function epochStoreOn(store: Store): EpochStore {
  return {
    load: async () => store.read(EPOCH_KEY),
    save: (document) => store.write([{ kind: 'put', key: EPOCH_KEY, value: document }], 'fsync'),
  };
}

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
