/**
 * A small cluster in virtual time: real replicas over maps, real views of membership, and a network that does what a test says.
 * Each process has the view that it has heard of; the ring fence is the server's.
 */
import {
  ArmatureError,
  hlcFromMs,
  seededRandom,
  toArmatureError,
  toHex,
  utf8Decode,
  utf8Encode,
  type ClusterName,
  type ErrorCode,
  type NodeId,
  type ZoneName,
} from '@armature/kernel';
import { foldHistory, History, type View } from '@armature/membership';
import {
  DEFAULT_BUCKET,
  DEFAULT_BUCKET_PROPERTIES,
  MAX_MESSAGE_BYTES,
  type BucketProperties,
  type Change,
  type ChangeRecord,
  type DigestsRequest,
  type Reply,
  type ReplyTo,
  type SetsRequest,
  type SynchronisationRequest,
} from '@armature/protocol';
import { LocalShare } from '@armature/repair';
import { ActorEpoch, HintStore, pullPage, Replica } from '@armature/replica';
import { addressOf, bucketOfAddress, type Address } from '@armature/ring';
import { AlarmWheel, ManualClock, memoryTelemetry, noTelemetry, recordingLog, silentLog, sleep } from '@armature/runtime';
import {
  decodeVersionSet,
  emptyVersionSet,
  encodeVersionSet,
  join,
  type OperationId,
  type VersionSet,
} from '@armature/versioning';
import { CoordinationMetrics } from './coordination-metrics.js';
import { Coordinator } from './coordinator.js';
import type { AskReplica, CoordinationEnv, ReplicaRequest } from './environment.js';
import { InHand, NOBODY_ASKS } from './in-hand.js';
import type { MintingEnv } from './put.js';
import { createSealer } from './sealer.js';
import { MapHintSpace, MapStore } from './map-store.test-support.js';

export const CLUSTER = 'test' as ClusterName;
export const BUCKET: BucketProperties = DEFAULT_BUCKET_PROPERTIES;
export const SECRET = utf8Encode('0123456789abcdef0123456789abcdef');

export const node = (name: string): NodeId => name as NodeId;
export const N1 = node('n1');
export const N2 = node('n2');
export const N3 = node('n3');
export const THREE: readonly NodeId[] = [N1, N2, N3];

export const addressFor = (key: string): Address => addressOf(DEFAULT_BUCKET, utf8Encode(key));

const member = (one: NodeId): { node: NodeId; weight: number; zone: ZoneName } => ({
  node: one,
  weight: 1,
  zone: 'z' as ZoneName,
});

export const created = (members: readonly NodeId[], partitionCount = 8): Change => ({
  kind: 'create',
  clusterId: 'c1'.repeat(16),
  cluster: CLUSTER,
  strategy: 3,
  partitionCount,
  targetN: 3,
  members: members.map(member),
});
export const joined = (one: NodeId): Change => ({ kind: 'join', ...member(one) });
export const bucketOf = (properties: Partial<BucketProperties>): Change => ({
  kind: 'bucket',
  bucket: DEFAULT_BUCKET,
  properties: { ...BUCKET, ...properties },
});

function viewAfter(changes: readonly Change[], previous?: View): View {
  const records = changes.map((change, i): ChangeRecord => ({
    id: (i + 1).toString(16).padStart(16, '0'),
    at: hlcFromMs(1_600_000_000_000 + i),
    by: change.kind === 'ready' ? change.node : N1,
    author: 'test',
    change,
  }));
  const merged = History.empty.merge(records);
  if (!merged.ok) throw merged.error;
  return foldHistory(merged.value.history, previous);
}

/** What the network does with one request. */
export interface Delivery {
  /** Before it arrives. */
  readonly delayMs?: number;
  /** Before its answer arrives. */
  readonly replyDelayMs?: number;
  readonly lost?: 'request' | 'reply';
  /** It does not arrive, and this says why. */
  readonly refused?: ErrorCode;
}

/** What replicas are asked by coordinators, and by new owners that copy from them. */
type Carried = ReplicaRequest | DigestsRequest | SetsRequest;

export interface Asked {
  readonly from: NodeId | undefined;
  readonly to: NodeId;
  readonly request: Carried;
  readonly timeoutMs: number;
  readonly atMs: number;
}

export interface TestMember {
  readonly node: NodeId;
  readonly store: MapStore;
  readonly hints: HintStore;
  readonly hintSpace: MapHintSpace;
  readonly epoch: ActorEpoch;
  readonly replica: Replica;
  readonly env: MintingEnv;
  readonly coordinator: Coordinator;
  readonly share: LocalShare;
  readonly inHand: InHand;
  /** What this process has heard of. */
  view: View;
}

export class TestCluster {
  readonly clock = new ManualClock();
  readonly random;
  readonly log = recordingLog();
  readonly telemetry = memoryTelemetry();
  readonly members = new Map<NodeId, TestMember>();
  readonly changes: Change[];
  readonly asked: Asked[] = [];
  /** How each process orders replicas; those it does not name come last. */
  fastest: readonly NodeId[] = [];
  readonly suspects = new Set<NodeId>();
  hedgeDelayMs = 20;
  /** What pinging a peer that keeps somebody waiting shows. By default that it is up. */
  doubt: (one: NodeId) => void = () => undefined;
  /** What the network does; by default every message takes 1 ms. */
  deliver: (asked: Asked) => Delivery = () => ({});
  refreshes = 0;
  refreshFailure: ErrorCode | undefined;
  /** How long a process takes to catch up with membership. */
  refreshMs = 1;
  /** The latest view; processes hear of it when they refresh. */
  view: View;

  private constructor(changes: readonly Change[], seed: string) {
    this.changes = [...changes];
    this.random = seededRandom(seed);
    this.view = viewAfter(this.changes);
  }

  static async open(
    options: { changes?: readonly Change[]; nodes?: readonly NodeId[]; seed?: string } = {},
  ): Promise<TestCluster> {
    const cluster = new TestCluster(options.changes ?? [created(THREE)], options.seed ?? 'cluster');
    for (const one of options.nodes ?? THREE) await cluster.#start(one);
    return cluster;
  }

  /** A change that only `who` have heard of; everybody else when they refresh. */
  happen(change: Change, who: readonly NodeId[] = []): void {
    this.changes.push(change);
    this.view = viewAfter(this.changes, this.view);
    for (const one of who) this.at(one).view = this.view;
  }

  at(one: NodeId): TestMember {
    const found = this.members.get(one);
    if (found === undefined) throw new Error(`no such node: ${one}`);
    return found;
  }

  /** The environment of a router or client, with a view of its own. */
  outside(): CoordinationEnv {
    const own = { view: this.view };
    return this.#env(undefined, own);
  }

  coordinator(env: CoordinationEnv): Coordinator {
    return new Coordinator({ env, sealer: createSealer([SECRET], CLUSTER) });
  }

  operation(): OperationId {
    return toHex(this.random.bytes(8)) as OperationId;
  }

  held(one: NodeId, key: string): VersionSet {
    const set = this.at(one).replica.read(addressFor(key)) as Uint8Array | undefined;
    return decoded(set);
  }

  values(one: NodeId, key: string): string[] {
    return valuesOf(this.held(one, key));
  }

  /** Whether the nodes hold the same bytes of the key. */
  areEqual(key: string, nodes: readonly NodeId[] = [...this.members.keys()]): boolean {
    const sets = nodes.map((one) => this.at(one).store.records.get(addressFor(key)));
    return sets.every((set) => Buffer.compare(set ?? Buffer.alloc(0), sets[0] ?? Buffer.alloc(0)) === 0);
  }

  asksOf(kind: ReplicaRequest['kind']): Asked[] {
    return this.asked.filter(({ request }) => request.kind === kind);
  }

  /** Asks for digests and sets, as a new owner does. */
  askShare<Q extends SynchronisationRequest>(from: NodeId, to: NodeId, request: Q, timeoutMs: number): Promise<ReplyTo<Q>> {
    if (request.kind !== 'digests' && request.kind !== 'sets') throw new Error(`nobody is asked for ${request.kind} here`);
    return this.#carry(from, to, request, timeoutMs) as Promise<never>;
  }

  /** The node hears of everything that happened. */
  async catchUp(one: NodeId): Promise<void> {
    await sleep(this.clock, 1);
    this.at(one).view = this.view;
  }

  /** Moves time on until the promise has settled; its result. */
  async finish<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const note = (): void => void (settled = true);
    promise.then(note, note);
    for (let i = 0; i < 4_000; i++) {
      await this.clock.advance(0);
      if (settled) return promise;
      await this.clock.advance(i < 2_000 ? 1 : 100);
    }
    throw new Error('nothing settles the promise');
  }

  async #start(one: NodeId): Promise<void> {
    const { clock, random } = this;
    let document: Uint8Array | undefined;
    const epoch = await ActorEpoch.open({
      store: { load: async () => document, save: async (next) => void (document = next) },
      ...{ clock, random, log: silentLog, telemetry: noTelemetry },
    });
    const store = new MapStore(clock, () => {
      epoch.retire('a commit failed');
    });
    const replica = new Replica({ node: one, store, epoch, clock, log: silentLog, telemetry: noTelemetry });
    const hintSpace = new MapHintSpace(() => new MapStore(clock, () => hints.commitFailed()));
    const hints: HintStore = await HintStore.open({
      ...{ node: one, space: hintSpace, clock, random, log: silentLog, telemetry: noTelemetry, limitBytes: 1_000_000 },
    });
    const own = { view: this.view, inHand: new InHand() };
    const env: MintingEnv = { ...this.#env(one, own), self: one, replica, hints };
    const coordinator = new Coordinator({ env, sealer: createSealer([SECRET], CLUSTER), replica, hints });
    const trees = { tree: () => Promise.reject(new Error('there are no trees here')) };
    const share = new LocalShare({ node: one, trees, replica, view: () => own.view, log: silentLog });
    this.members.set(one, Object.assign(own, { node: one, store, hints, hintSpace, epoch, replica, env, coordinator, share }));
  }

  #env(self: NodeId | undefined, own: { view: View; inHand?: InHand }): CoordinationEnv {
    const ask: AskReplica = (to, request, timeoutMs) => this.#carry(self, to, request, timeoutMs) as Promise<never>;
    const rank = (one: NodeId): number => (this.fastest.includes(one) ? this.fastest.indexOf(one) : this.fastest.length);
    return {
      view: () => own.view,
      refresh: async () => {
        this.refreshes++;
        await sleep(this.clock, this.refreshMs);
        if (this.refreshFailure !== undefined) throw new ArmatureError(this.refreshFailure, 'nobody to ask');
        own.view = this.view;
        return own.view;
      },
      ask,
      monitor: {
        order: (nodes) => nodes.toSorted((a, b) => (a === self ? -1 : b === self ? 1 : rank(a) - rank(b))),
        hedgeDelayMs: () => this.hedgeDelayMs,
        isSuspect: (one) => this.suspects.has(one),
        doubt: (one) => this.doubt(one),
      },
      clock: this.clock,
      alarms: new AlarmWheel(this.clock, 1),
      // Never the one in sixteen that asks all; a test that wants it says so.
      random: { ...this.random, int: (bound) => bound - 1 },
      log: this.log.log,
      metrics: new CoordinationMetrics(this.clock, this.telemetry),
      messageBytes: MAX_MESSAGE_BYTES,
      inHand: own.inHand ?? NOBODY_ASKS,
      self,
    };
  }

  /** Rejects at `timeoutMs` at the latest, as links do; asserts, as links do, that it is asked to wait at all. */
  #carry(from: NodeId | undefined, to: NodeId, request: Carried, timeoutMs: number): Promise<Reply> {
    if (!(timeoutMs > 0)) throw new Error('a request waits for some time');
    const asked: Asked = { from, to, request, timeoutMs, atMs: this.clock.monotonicMs() };
    this.asked.push(asked);
    const delivery = from === to ? { delayMs: 0, replyDelayMs: 0 } : this.deliver(asked);
    return new Promise((resolve, reject) => {
      const timer = this.clock.after(timeoutMs, () => {
        reject(new ArmatureError('timeout', `no answer from ${to}`, { details: { executed: 'unknown' } }));
      });
      const settle = (task: () => void): void => {
        timer.cancel();
        task();
      };
      if (delivery.refused !== undefined) {
        const { refused } = delivery;
        this.clock.after(delivery.delayMs ?? 1, () => {
          settle(() => reject(new ArmatureError(refused, `${to}: ${refused}`)));
        });
        return;
      }
      if (delivery.lost === 'request') return;
      this.clock.after(delivery.delayMs ?? 1, () => {
        const answered = this.#answer(to, request, timeoutMs);
        if (delivery.lost === 'reply') {
          answered.catch(() => undefined);
          return;
        }
        const back = (task: () => void): void => {
          this.clock.after(delivery.replyDelayMs ?? 0, () => {
            settle(task);
          });
        };
        answered.then(
          (reply) => back(() => resolve(reply)),
          (thrown: unknown) => back(() => reject(toArmatureError(thrown))),
        );
      });
    });
  }

  async #answer(to: NodeId, request: Carried, timeoutMs: number): Promise<Reply> {
    const own = this.at(to);
    if (request.kind === 'write') return own.coordinator.write(request, timeoutMs);
    await this.#fence(own, request);
    if (request.kind === 'digests') return own.share.digests(request);
    if (request.kind === 'sets') return own.share.sets(request.addresses);
    if (request.kind === 'read') {
      const held = await own.replica.read(request.address);
      if (request.standIn !== true) return { kind: 'read', set: held };
      const kept = await own.hints.read(request.address, own.view.placement(request.address, BUCKET.n).owners);
      return { kind: 'read', set: kept === undefined ? held : encodeVersionSet(join(decoded(held), decoded(kept))) };
    }
    if (request.kind === 'pull') return pullPage(own.replica, request);
    const name = bucketOfAddress(request.address);
    if (!own.view.buckets.has(name)) own.view = this.view;
    const bucket = own.view.buckets.get(name) as BucketProperties;
    const { address, set, durability, hintFor } = request;
    if (hintFor === undefined) await own.replica.merge(address, set, bucket, durability);
    else await own.hints.merge(hintFor, address, set, bucket, durability);
    return { kind: 'merge', durable: durability === 'fsync' };
  }

  /** See `server/ring-fence.ts`: who is behind is refused; who does not know the ring catches up first. */
  async #fence(own: TestMember, request: Exclude<Carried, { kind: 'write' }>): Promise<void> {
    if (request.ring === own.view.ringVersion) return;
    if (!own.view.isPastRing(request.ring)) {
      await sleep(this.clock, 1);
      own.view = this.view;
    }
    if (request.ring !== own.view.ringVersion) throw new ArmatureError('stale-ring', 'the rings differ');
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
