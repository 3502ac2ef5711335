/** Nodes as maps, for tests of transfers: what they hold, how they answer digests and sets, and what goes wrong with that. */
import { ArmatureError, utf8Encode, type ErrorCode, type NodeId } from '@armature/kernel';
import type { View } from '@armature/membership';
import { DEFAULT_BUCKET, type ReplyTo, type SynchronisationRequest } from '@armature/protocol';
import { addressOf, type Address } from '@armature/ring';
import { silentLog, sleep, type Clock } from '@armature/runtime';
import { LocalShare, type SynchronisedReplica } from './local-share.js';

/** A set of small numbers; joining is union. It stands for a version set, whose encoding is canonical too. */
export type Toy = readonly number[];
export const encoded = (toy: Toy): Uint8Array => Uint8Array.from([...new Set(toy)].sort((a, b) => a - b));
export const addressFor = (key: number, bucket: string = DEFAULT_BUCKET): Address =>
  addressOf(bucket as typeof DEFAULT_BUCKET, utf8Encode(`key ${key}`));

export class ToyNode implements SynchronisedReplica {
  readonly store = new Map<Address, Uint8Array>();
  readonly share: LocalShare;
  mergeFailure: ErrorCode | undefined;
  /** Merges by address, those that changed nothing included. */
  readonly merged = new Map<Address, number>();
  readonly durabilities = new Set<string>();
  /** Keys of a page at most. */
  pageEntries = 1_000;
  readonly #clock: Clock;

  constructor(clock: Clock, view: () => View, node: NodeId) {
    this.#clock = clock;
    const trees = { tree: () => Promise.reject(new Error('nobody asks for trees here')) };
    this.share = new LocalShare({ node, trees, replica: this, view, log: silentLog });
  }

  async read(address: Address): Promise<Uint8Array | undefined> {
    await sleep(this.#clock, 1);
    return this.store.get(address);
  }

  async merge(
    address: Address,
    incoming: Uint8Array,
    _bucket: unknown,
    durability: string,
    stillValid: () => boolean = () => true,
  ): Promise<void> {
    await sleep(this.#clock, 1);
    if (!stillValid()) throw new ArmatureError('stale-ring', 'the ring changed while the write waited for the store');
    if (this.mergeFailure !== undefined) throw new ArmatureError(this.mergeFailure, 'cannot merge');
    this.store.set(address, encoded([...(this.store.get(address) ?? []), ...incoming]));
    this.merged.set(address, (this.merged.get(address) ?? 0) + 1);
    this.durabilities.add(durability);
  }

  async page({ start, end, limit }: Parameters<SynchronisedReplica['page']>[0]): ReturnType<SynchronisedReplica['page']> {
    await sleep(this.#clock, 0);
    const within = [...this.store]
      .filter(([address]) => address >= start && (end === undefined || address < end))
      .sort(([a], [b]) => (a < b ? -1 : 1));
    const most = Math.min(limit, this.pageEntries);
    return { entries: within.slice(0, most).map(([address, set]) => ({ address, set })), next: within[most]?.[0] };
  }

  drop(address: Address, set: Uint8Array): Promise<boolean> {
    const held = this.store.get(address);
    if (held === undefined || Buffer.compare(held, set) !== 0) return Promise.resolve(false);
    return Promise.resolve(this.store.delete(address));
  }

  async answer<Q extends SynchronisationRequest>(request: Q): Promise<ReplyTo<Q>> {
    switch (request.kind) {
      case 'digests':
        return (await this.share.digests(request)) as ReplyTo<Q>;
      case 'sets':
        return (await this.share.sets(request.addresses)) as ReplyTo<Q>;
      case 'absorb':
        return (await this.share.absorb(request.entries, request.durable)) as ReplyTo<Q>;
      default:
        throw new Error(`nobody asks for ${request.kind} here`);
    }
  }

  contents(): Record<string, Toy> {
    return Object.fromEntries([...this.store].map(([address, set]) => [address, [...set]]));
  }
}

export interface Asked {
  readonly to: NodeId;
  readonly request: SynchronisationRequest;
}
