/** A replica over a real store on a memory disk, wired as a node wires it, in virtual time. */
import { ArmatureError, seededRandom, toHex, utf8Decode, utf8Encode, type NodeId, type Random } from '@armature/kernel';
import { DEFAULT_BUCKET, DEFAULT_BUCKET_PROPERTIES, type BucketProperties } from '@armature/protocol';
import { addressOf, type Address } from '@armature/ring';
import { memoryTelemetry, recordingLog, sleep, type ManualClock } from '@armature/runtime';
import { MemoryDisk, Store, faultyEngine, spaceKey, type Engine, type Fault } from '@armature/storage';
import {
  EMPTY_CONTEXT,
  contextOf,
  decodeVersionSet,
  emptyVersionSet,
  type CausalContext,
  type OperationId,
  type VersionSet,
} from '@armature/versioning';
import { ActorEpoch } from './actor-epoch.js';
import type { MintRequest, MintResult } from './mint-request.js';
import { Replica } from './replica.js';
import { epochStoreOn, recordStoreOn } from './stored-records.js';

export const BUCKET: BucketProperties = DEFAULT_BUCKET_PROPERTIES;
export const LWW: BucketProperties = { ...BUCKET, resolver: 'last-write-wins' };

export const addressFor = (key: string): Address => addressOf(DEFAULT_BUCKET, utf8Encode(key));

/** What goes wrong with the engine's writes, and how slow they are. */
export interface EnginePlan {
  fault: Fault | undefined;
  delayMs: number;
}

export interface TestNodeOptions {
  readonly clock: ManualClock;
  readonly disk?: MemoryDisk;
  readonly random?: Random;
  /** The engine answers reads a little later, not at once. */
  readonly isSlowToRead?: boolean;
  readonly cacheBytes?: number;
  readonly overlayLimitBytes?: number;
  readonly messageBytes?: number;
}

export class TestNode {
  readonly clock: ManualClock;
  readonly disk: MemoryDisk;
  readonly random: Random;
  readonly store: Store;
  readonly epoch: ActorEpoch;
  readonly replica: Replica;
  readonly plan: EnginePlan;
  readonly telemetry: ReturnType<typeof memoryTelemetry>;
  readonly log: ReturnType<typeof recordingLog>;

  /** What the node's clock watch would say. */
  isClockWrong = false;

  private constructor(
    parts: Pick<TestNode, 'clock' | 'disk' | 'random' | 'store' | 'epoch' | 'plan' | 'telemetry' | 'log'>,
    { messageBytes }: TestNodeOptions,
  ) {
    this.clock = parts.clock;
    this.disk = parts.disk;
    this.random = parts.random;
    this.store = parts.store;
    this.epoch = parts.epoch;
    this.plan = parts.plan;
    this.telemetry = parts.telemetry;
    this.log = parts.log;
    const { clock, telemetry, epoch, store } = parts;
    this.replica = new Replica({
      node: 'n1' as NodeId,
      store: recordStoreOn(store),
      epoch,
      clock,
      log: parts.log.log,
      telemetry,
      ...(messageBytes === undefined ? {} : { messageBytes }),
      clocks: {
        check: () => {
          if (this.isClockWrong) throw new ArmatureError('unavailable', 'the clock is wrong');
        },
      },
    });
    store.onCommitFailure(() => {
      epoch.retire('a commit failed');
    });
  }

  static async open(options: TestNodeOptions): Promise<TestNode> {
    const { clock, disk = new MemoryDisk(), random = seededRandom('test node') } = options;
    const plan: EnginePlan = { fault: undefined, delayMs: 0 };
    const open = disk.open();
    const engine: Engine = faultyEngine(open, (call) => {
      if (call.kind === 'get') return options.isSlowToRead === true ? sleep(clock, 1).then(() => undefined) : undefined;
      if (call.kind !== 'write') return undefined;
      const { fault, delayMs } = plan;
      return delayMs === 0 ? fault : sleep(clock, delayMs).then(() => fault);
    });
    const store = new Store({
      engine,
      clock,
      cacheBytes: options.cacheBytes ?? 0,
      writeBehindMs: 4,
      ...(options.overlayLimitBytes === undefined ? {} : { overlayLimitBytes: options.overlayLimitBytes }),
    });
    const telemetry = memoryTelemetry();
    const log = recordingLog();
    const epoch = await finish(clock, ActorEpoch.open({ store: epochStoreOn(store), clock, random, log: log.log, telemetry }));
    return new TestNode({ clock, disk, random, store, epoch, plan, telemetry, log }, options);
  }

  /** As a node stops: what is in hand is done, then the mark, then the store. */
  async close(): Promise<void> {
    await finish(this.clock, this.store.sync());
    await finish(this.clock, this.epoch.close());
    await finish(this.clock, this.store.close());
  }

  request(key: string, value: string, options: Partial<MintRequest> = {}): MintRequest {
    return {
      address: addressFor(key),
      bucket: BUCKET,
      context: EMPTY_CONTEXT,
      operation: toHex(this.random.bytes(8)) as OperationId,
      tombstone: false,
      value: utf8Encode(value),
      meta: [],
      ...options,
    };
  }

  /** Mints and waits for the commit. */
  async put(key: string, value: string, options: Partial<MintRequest> = {}): Promise<MintResult> {
    const minted = await finish(this.clock, this.replica.mint(this.request(key, value, options)));
    await finish(this.clock, minted.committed);
    return minted;
  }

  merge(key: string, set: Uint8Array, bucket = BUCKET): Promise<void> {
    return finish(this.clock, this.replica.merge(addressFor(key), set, bucket, bucket.durability));
  }

  async held(key: string): Promise<VersionSet> {
    return decoded(await finish(this.clock, Promise.resolve(this.replica.read(addressFor(key)))));
  }

  async values(key: string): Promise<string[]> {
    return valuesOf(await this.held(key));
  }

  async contextOf(key: string): Promise<CausalContext> {
    return contextOf(await this.held(key));
  }

  /** Flips a bit of a stored record, behind the store's back. */
  async damage(key: string): Promise<void> {
    await finish(this.clock, this.store.sync());
    const stored = spaceKey('data', addressFor(key));
    const record = this.disk.get(stored);
    if (record === undefined) return;
    const flipped = Buffer.from(record);
    flipped[flipped.length - 1] = (flipped.at(-1) as number) ^ 1;
    this.disk.apply([{ kind: 'put', key: stored, value: flipped }], true);
  }

  counted(series: string): number {
    return this.telemetry.value(series);
  }
}

export function decoded(set: Uint8Array | undefined): VersionSet {
  if (set === undefined) return emptyVersionSet;
  const result = decodeVersionSet(set);
  if (!result.ok) throw result.error;
  return result.value;
}

export function valuesOf(set: VersionSet): string[] {
  return set.siblings.map(({ version }) => (version.tombstone ? '(deleted)' : utf8Decode(version.value))).sort();
}

/** Moves time on until the promise has settled; its result. */
export async function finish<T>(clock: ManualClock, promise: Promise<T>): Promise<T> {
  let settled = false;
  const note = (): void => void (settled = true);
  promise.then(note, note);
  for (let i = 0; i < 10_000; i++) {
    await clock.advance(0);
    if (settled) return promise;
    await clock.advance(1);
  }
  throw new Error('nothing settles the promise');
}

/** A copy of everything on a disk, as a backup tool would take it. */
export async function copyOf(disk: MemoryDisk): Promise<MemoryDisk> {
  const copy = new MemoryDisk();
  const { entries } = disk.page({ start: '' as never, limit: 1_000_000 });
  copy.apply(
    entries.map(({ key, value }) => ({ kind: 'put', key, value })),
    true,
  );
  return copy;
}
