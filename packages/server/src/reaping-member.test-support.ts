/**
 * A member in the worlds of `reaping-model.test-support.ts`: real replica, hint store, actor and reaper over a crashable disk,
 * and beside each record the writes that it has seen.
 */
import { ArmatureError, hlcFromMs, utf8Encode, type NodeId, type Random } from '@armature/kernel';
import { foldHistory, History, type View } from '@armature/membership';
import {
  DEFAULT_BUCKET,
  DEFAULT_BUCKET_PROPERTIES,
  type Change,
  type ClearRequest,
  type DropRequest,
  type NoteRequest,
} from '@armature/protocol';
import { Clearing, Reaper, type AskedRequest } from '@armature/repair';
import { ActorEpoch, HintStore, Replica, type RecordOperation, type RecordStore } from '@armature/replica';
import { addressOf, type Address } from '@armature/ring';
import { type ManualClock, noTelemetry, silentLog } from '@armature/runtime';
import { MemoryDisk, type StorageOperation } from '@armature/storage';
import { decodeVersionSet, emptyVersionSet, type VersionSet } from '@armature/versioning';

export const NODES = ['n1', 'n2', 'n3', 'n4', 'n5'] as NodeId[];
export const KEYS = ['a', 'b'].map((key) => addressOf(DEFAULT_BUCKET, utf8Encode(key)));
export const BUCKET = DEFAULT_BUCKET_PROPERTIES;
/** Longer than any message of these worlds is old (`reaping-model.test-support.ts`). */
export const QUARANTINE_MS = 100;
/** Low, since crashes, and with them actors, are few in each of these worlds. */
export const PRUNE_ABOVE = 1;

/** A state of a key, and the writes that whoever holds it has seen. */
export interface Load {
  readonly key: Address;
  readonly set: Uint8Array;
  readonly seen: ReadonlySet<string>;
}

const viewOfAll = (): View => {
  const members = NODES.map((node) => ({ node, weight: 1, zone: 'z' as never }));
  const create: Change = {
    ...{
      kind: 'create',
      clusterId: 'c1'.repeat(16),
      cluster: 'test' as never,
      strategy: 3,
      partitionCount: 8,
      targetN: 3,
      members,
    },
  };
  const merged = History.empty.merge([
    { id: '0'.repeat(16), at: hlcFromMs(1_600_000_000_000), by: NODES[0]!, author: 'test', change: create },
  ]);
  if (!merged.ok) throw merged.error;
  return foldHistory(merged.value.history);
};
export const VIEW = viewOfAll();
export const placementOf = (address: Address) => VIEW.placement(address, BUCKET.n);

export function decoded(set: Uint8Array | undefined): VersionSet {
  const result = set === undefined ? undefined : decodeVersionSet(set);
  if (result === undefined) return emptyVersionSet;
  if (!result.ok) throw result.error;
  return result.value;
}

function storeOn(disk: MemoryDisk, prefix: string): RecordStore {
  const under = (address: string): never => `${prefix}${address}` as never;
  return {
    read: (address) => disk.get(under(address)),
    write: (operations: readonly RecordOperation[], durability) => {
      const batch = operations.flatMap(({ reapable, ...operation }): StorageOperation[] => {
        const record = { ...operation, key: under(operation.key) };
        return reapable === undefined ? [record] : [record, listing(operation.key as string as Address, reapable)];
      });
      disk.apply(batch, durability === 'fsync');
      return Promise.resolve();
    },
    range(query) {
      const end = query.end === undefined ? under('\xff'.repeat(40)) : under(query.end);
      const page = disk.page({ ...query, start: under(query.start), end });
      const bare = (stored: string): never => stored.slice(prefix.length) as never;
      const entries = page.entries.map(({ key: stored, value }) => ({ key: bare(stored), value }));
      return Promise.resolve({ entries, next: page.next === undefined ? undefined : bare(page.next) });
    },
  };
}

function listing(address: Address, isListed: boolean): StorageOperation {
  const key = `r/${address}` as never;
  return isListed ? { kind: 'put', key, value: new Uint8Array(0) } : { kind: 'delete', key };
}

/** With the list of what may be reaped beside the records. */
function listedStoreOn(disk: MemoryDisk): RecordStore {
  const list = storeOn(disk, 'r/');
  return {
    ...storeOn(disk, 'd/'),
    reapable: {
      async page(query) {
        const { entries, next } = await list.range(query);
        return { addresses: entries.map(({ key }) => key as string as Address), next };
      },
      async set(address, isListed) {
        disk.apply([listing(address, isListed)], false);
      },
    },
  };
}

/** Where a member lives. */
export interface MemberWorld {
  readonly clock: ManualClock;
  readonly random: Random;
  carry(to: NodeId, request: AskedRequest): Promise<unknown>;
  /** Whether that life of the member carries the key in memory. */
  hasInHand(member: Member, life: number, address: Address): boolean;
}

export class Member {
  readonly name: NodeId;
  readonly world: MemberWorld;
  readonly disk = new MemoryDisk();
  /** By what is stored and where: all that was ever written there. Grows only: what was dropped had been superseded. */
  readonly seen = new Map<string, Set<string>>();
  up = true;
  life = 0;
  epoch!: ActorEpoch;
  replica!: Replica;
  hints!: HintStore;
  clearing!: Clearing;
  reaper!: Reaper;

  constructor(name: NodeId, world: MemberWorld) {
    this.name = name;
    this.world = world;
  }

  async open(): Promise<void> {
    const { disk, name, world } = this;
    const { clock, random } = world;
    const life = ++this.life;
    const parts = { node: name, clock, random, log: silentLog, telemetry: noTelemetry };
    this.epoch = await ActorEpoch.open({
      ...parts,
      store: {
        load: async () => disk.get('epoch' as never),
        save: async (value) => disk.apply([{ kind: 'put', key: 'epoch' as never, value }], true),
      },
    });
    this.replica = new Replica({ ...parts, store: listedStoreOn(disk), epoch: this.epoch, pruneAbove: PRUNE_ABOVE });
    const space = (owner: NodeId): RecordStore => storeOn(disk, `h/${owner}/`);
    const owners = async (): Promise<NodeId[]> =>
      NODES.filter((owner) => KEYS.some((each) => space(owner).read(each) !== undefined));
    this.hints = await HintStore.open({ ...parts, space: { for: space, owners }, limitBytes: 1_000_000 });
    this.clearing = new Clearing({
      ...{ node: name, view: () => VIEW, replica: this.replica, steadyForMs: () => 1, settleMs: 1 },
      hinted: (addresses) => this.hints.kept(addresses),
      isInHand: (address) => world.hasInHand(this, life, address),
      // No store goes back to an older state here, so nothing has to be told by a count.
      counts: { mayCount: true, count: async () => ({ tenure: name, count: 1 }), note: async () => undefined },
      sync: async () => disk.sync(),
    });
    const alive = <T>(work: () => Promise<T>): Promise<T> => {
      if (this.life !== life) throw new ArmatureError('closed', 'this process has ended');
      return work();
    };
    const reaper = {
      ...{ node: name, view: () => VIEW, clock, isSuspect: () => false, slice: () => Promise.resolve() },
      clearing: {
        clear: (request: Pick<ClearRequest, 'entries'>) => alive(() => this.clearing.clear(request)),
        note: (request: Pick<NoteRequest, 'counts'>) => alive(() => this.clearing.note(request)),
        drop: (request: Pick<DropRequest, 'entries'>) => alive(() => this.clearing.drop(request)),
      },
      reapable: (query: Parameters<Replica['page']>[0]) => this.replica.reapable.page(query),
      ask: (member: NodeId, request: AskedRequest) => world.carry(member, request) as Promise<never>,
    };
    this.reaper = new Reaper(reaper, { quarantineMs: QUARANTINE_MS, pruneAbove: PRUNE_ABOVE });
  }

  answer(request: AskedRequest): Promise<unknown> {
    switch (request.kind) {
      case 'clear':
        return this.clearing.clear(request);
      case 'note':
        return this.clearing.note(request);
      case 'drop':
        return this.clearing.drop(request);
    }
  }

  async merge({ key: address, set, seen }: Load, hintFor?: NodeId): Promise<void> {
    if (hintFor === undefined) await this.replica.merge(address, set, BUCKET, 'fsync');
    else await this.hints.merge(hintFor, address, set, BUCKET, 'fsync');
    this.saw(address, seen, hintFor);
  }

  saw(address: Address, seen: Iterable<string>, hintFor?: NodeId): void {
    const place = `${hintFor ?? ''} ${address}`;
    this.seen.set(place, new Set([...(this.seen.get(place) ?? []), ...seen]));
  }

  held(address: Address): Load | undefined {
    const set = this.replica.read(address) as Uint8Array | undefined;
    return set === undefined ? undefined : { key: address, set, seen: this.seen.get(` ${address}`) ?? new Set() };
  }
}
