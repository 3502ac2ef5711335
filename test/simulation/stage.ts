/**
 * A stage for scenarios: a small cluster in simulation, and the words in which a scenario is told. `scenario(name, play)` is a
 * test; what the play does happens in virtual time, event by event the same each time, and whatever it was about, in the end no
 * dot may name two versions and no task may have thrown.
 *
 * Everybody is called by the part they play for a key: its owners in order, the fallbacks behind them. `at` is the node that
 * coordinates an operation; without it a direct client does, which is no part of any cut unless named.
 */
import { expect, test } from 'vitest';
import { linkAddress, LinkEndpoint, type LinkAddress } from '@armature/bus';
import {
  Bucket,
  ReadContext,
  utf8,
  type Client,
  type PutOptions,
  type ReadOptions,
  type Routing,
  type Written,
} from '@armature/client';
import {
  hlcFromMs,
  parseBucketName,
  toArmatureError,
  unwrap,
  utf8Decode,
  utf8Encode,
  type ArmatureError,
  type NodeId,
} from '@armature/kernel';
import type { View } from '@armature/membership';
import {
  nodeAddress,
  protocolCodec,
  RING_UNKNOWN,
  type BucketProperties,
  type Change,
  type Reply,
  type ReplyTo,
  type Request,
} from '@armature/protocol';
import { addressOf, type Address } from '@armature/ring';
import type { ServerPorts } from '@armature/server';
import { spaceKey } from '@armature/storage';
import {
  agreementIn,
  contentsOf,
  DotRegister,
  heldUnder,
  SimulatedCluster,
  World,
  type DiskImage,
  type SimulatedClusterOptions,
} from '@armature/testing';
import {
  encodeVersionSet,
  parseActorId,
  valueVersion,
  versionSet,
  versionVector,
  type OperationId,
  type VersionSet,
} from '@armature/versioning';

/** How a tombstone is shown among values. */
export const DELETED = '(deleted)';
export const CLIENT = 'c1';

const CONVERGENCE_LIMIT_MS = 300_000;
const LOOK_EVERY_MS = 100;

export interface Cast {
  readonly key: string;
  /** In the order of the preference list. */
  readonly owners: readonly [NodeId, NodeId, NodeId];
  readonly fallbacks: readonly NodeId[];
}

interface At {
  /** The node that coordinates it. */
  readonly at?: NodeId;
  readonly bucket?: string;
}

export type StageOptions = SimulatedClusterOptions & { readonly seed?: number };

export function scenario(name: string, play: (stage: Stage) => Promise<void>): void;
export function scenario(name: string, options: StageOptions, play: (stage: Stage) => Promise<void>): void;
export function scenario(name: string, ...rest: [Play] | [StageOptions, Play]): void {
  const [options, play] = rest.length === 1 ? [{}, rest[0]] : rest;
  test(name, async () => {
    const stage = await Stage.set(options);
    await play(stage);
    stage.expectSound();
  });
}
type Play = (stage: Stage) => Promise<void>;

export class Stage {
  readonly world: World;
  readonly cluster: SimulatedCluster;
  readonly client: Client;
  /** Records and hints that nodes have handed to their disks. */
  diskWrites = 0;
  readonly #dots = new DotRegister();
  /** Of the client that leaves coordination to a node of its choice. */
  readonly #ports: ServerPorts;
  readonly #link: LinkEndpoint<Request, Reply>;
  #keys = 0;

  private constructor(world: World, cluster: SimulatedCluster, client: Client) {
    this.world = world;
    this.cluster = cluster;
    this.client = client;
    const ports = (this.#ports = cluster.stranger('c2'));
    this.#link = LinkEndpoint.open<Request, Reply>(ports.bus, protocolCodec, {
      ...ports,
      ...cluster.membership,
      address: linkAddress('client', 'c2'),
    });
    cluster.onDiskWrite = (node, batch) => {
      for (const operation of batch) {
        const held = operation.kind === 'put' ? heldUnder(operation.key, operation.value) : undefined;
        if (held === undefined) continue;
        this.diskWrites++;
        this.#dots.see(held, node);
      }
    };
  }

  static async set({ seed = 1, ...options }: StageOptions): Promise<Stage> {
    const world = new World({ seed });
    const cluster = await world.until(SimulatedCluster.start(world, { nodes: ['n1', 'n2', 'n3', 'n4'], ...options }));
    return new Stage(world, cluster, await world.until(cluster.connect(CLIENT)));
  }

  // ---- who and where

  get view(): View {
    const [view] = this.cluster.running
      .map((node) => node.participant.membership.view)
      .filter(({ cluster }) => cluster !== undefined);
    if (view === undefined) throw new Error('no node runs');
    return view;
  }

  /** A key that nobody has used yet, and those concerned with it; one for whom `suits`, if that matters. */
  cast(suits: (cast: Cast) => boolean = () => true, bucket = 'default'): Cast {
    for (;;) {
      const key = `key-${this.#keys++}`;
      const { owners, fallbacks } = this.view.placement(addressOfKey(key, bucket), 3);
      const cast = { key, owners: owners as Cast['owners'], fallbacks };
      if (suits(cast)) return cast;
    }
  }

  /** Many of them. */
  casts(count: number, suits?: (cast: Cast) => boolean, bucket?: string): readonly Cast[] {
    return Array.from({ length: count }, () => this.cast(suits, bucket));
  }

  ownersOf(key: string): readonly NodeId[] {
    return this.view.placement(addressOfKey(key), 3).owners;
  }

  // ---- what clients do

  /** Lets the world go on until it is done. */
  of<T>(work: Promise<T>): Promise<T> {
    return this.world.until(work);
  }

  /** What it fails with; that it fails is expected. */
  async failureOf(work: Promise<unknown>): Promise<ArmatureError> {
    const outcome = await this.of(
      work.then(
        () => undefined,
        (thrown: unknown) => toArmatureError(thrown),
      ),
    );
    if (outcome === undefined) throw new Error('it did not fail');
    return outcome;
  }

  put(key: string, value: string, { at, bucket, ...options }: PutOptions & At = {}): Promise<Written> {
    return this.of(this.bucket(at, bucket).put(key, value, options));
  }

  delete(key: string, { at, bucket, ...options }: PutOptions & At = {}): Promise<boolean> {
    return this.of(this.bucket(at, bucket).delete(key, options));
  }

  /** The values, sorted; none where there is nothing. */
  async get(key: string, { at, bucket, ...options }: ReadOptions & At = {}): Promise<readonly string[]> {
    const entry = await this.of(this.bucket(at, bucket).get(key, options));
    return [...(entry?.values ?? [])].sort();
  }

  async contextOf(key: string, { at, bucket, ...options }: ReadOptions & At = {}): Promise<ReadContext | undefined> {
    return (await this.of(this.bucket(at, bucket).read(key, options))).context;
  }

  /** For what is to be under way while something else happens; `put` and `get` wait. */
  bucket(at?: NodeId, name = 'default'): Bucket<string> {
    const options = { codec: utf8, merge: (values: readonly string[]) => [...values].sort().join('+') };
    if (at === undefined) return this.client.bucket(name, options);
    return new Bucket({ ...this.#ports, routing: this.#routingBy(at) }, name, options);
  }

  /** Has a node merge a version that somebody else is to have minted: alone, or as a sibling of what the node holds. */
  async give(node: NodeId, key: string, value: string, minter: string, bucket = 'default'): Promise<void> {
    const dot = { actor: unwrap(parseActorId(minter)), counter: 1 };
    const version = valueVersion({ value: utf8Encode(value), at: hlcFromMs(this.world.nowMs), operation: minter as OperationId });
    const set = encodeVersionSet(versionSet(versionVector([dot]), [{ dot, version }]));
    const address = addressOfKey(key, bucket);
    const merge = { kind: 'merge', ring: this.view.ringVersion, address, set, durability: 'fsync' } as const;
    await this.of(this.#link.request(nodeAddress(node) as LinkAddress, merge, 5_000));
  }

  // ---- what befalls nodes and the network

  /** kill -9. */
  crash(...nodes: readonly NodeId[]): void {
    for (const node of nodes) this.cluster.crashNode(node, 'process');
  }

  async start(...nodes: readonly NodeId[]): Promise<void> {
    for (const node of nodes) await this.of(this.cluster.startNode(node));
    await this.of(this.cluster.untilReady());
  }

  async stop(...nodes: readonly NodeId[]): Promise<void> {
    for (const node of nodes) await this.of(this.cluster.stopNode(node));
  }

  /** In good order; afterwards everything is read from the disk. */
  async restart(node: NodeId): Promise<void> {
    await this.stop(node);
    await this.start(node);
  }

  pause(node: NodeId, forMs: number): void {
    this.cluster.member(node).process?.pauseUntil(this.world.nowMs + forMs);
  }

  /** From everybody else. */
  isolate(...nodes: readonly string[]): void {
    const others = [...this.cluster.connections].filter((name) => !nodes.includes(name));
    this.cluster.network.partition(nodes, others);
  }

  cut(left: readonly string[], right: readonly string[]): void {
    this.cluster.network.partition(left, right);
  }

  heal(): void {
    this.cluster.network.healAll();
    this.cluster.shapeAsUsual();
  }

  // ---- disks

  imageOf(node: NodeId): DiskImage {
    return this.cluster.member(node).disk.image();
  }

  /** Puts another content on the disk of a node that is down. */
  putBack(node: NodeId, image: DiskImage): void {
    this.cluster.member(node).disk.restore(image);
  }

  /** One bit of the record of a key flips, on the disk of a node that is down. */
  damage(node: NodeId, key: string): void {
    const stored = spaceKey('data', addressOfKey(key));
    const image = new Map(this.imageOf(node));
    const bytes = Uint8Array.from(image.get(stored) ?? []);
    expect(bytes.length, `${node} holds ${key}`).toBeGreaterThan(0);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
    this.putBack(node, image.set(stored, bytes));
  }

  /** Reads of the record of a key fail at that node until the result is called. */
  unreadable(node: NodeId, key: string, error: ArmatureError): () => void {
    const { disk } = this.cluster.member(node);
    const stored = spaceKey('data', addressOfKey(key));
    disk.onRead = (read) => {
      if (read === stored) throw error;
    };
    return () => (disk.onRead = () => undefined);
  }

  /** The values on the disk of a node, `DELETED` among them, sorted; undefined where it holds nothing of the key. */
  held(node: NodeId, key: string, bucket = 'default'): readonly string[] | undefined {
    const set = this.setOn(node, key, bucket);
    return set?.siblings.map(({ version }) => (version.tombstone ? DELETED : utf8Decode(version.value))).sort();
  }

  setOn(node: NodeId, key: string, bucket = 'default'): VersionSet | undefined {
    const address = addressOfKey(key, bucket);
    return contentsOf(this.imageOf(node)).find((one) => one.hintFor === undefined && one.address === address)?.set;
  }

  /** For whom a node keeps a hint of the key. */
  hintsOn(node: NodeId, key: string): readonly string[] {
    return contentsOf(this.imageOf(node))
      .filter(({ address, hintFor }) => hintFor !== undefined && address === addressOfKey(key))
      .map(({ hintFor }) => hintFor as string);
  }

  get hintCount(): number {
    const all = [...this.cluster.members.keys()].flatMap((node) => contentsOf(this.imageOf(node)));
    return all.filter(({ hintFor }) => hintFor !== undefined).length;
  }

  // ---- the administrator

  async change(change: Change): Promise<void> {
    const [node] = this.cluster.running.filter((one) => one.participant.membership.view.members.has(one.options.node));
    if (node === undefined) throw new Error('no member runs');
    await this.of(this.cluster.propose(node.options.node, change));
  }

  /** Has a node join, and starts it, if it does not run yet. */
  async join(name: string): Promise<NodeId> {
    const node = name as NodeId;
    if (this.cluster.member(node).node === undefined) await this.of(this.cluster.startNode(node));
    await this.change({ kind: 'join', node, weight: 1, zone: this.cluster.zoneOf(name) });
    return node;
  }

  async makeBucket(name: string, properties: Partial<BucketProperties>): Promise<void> {
    await this.of(this.client.admin.setBucket(name, properties));
    await this.until(`everybody knows ${name}`, () =>
      this.cluster.running.every((node) => node.participant.membership.view.buckets.has(unwrap(parseBucketName(name)))),
    );
    await this.of(this.client.admin.view());
  }

  // ---- time, and how it ends

  pass(ms: number): Promise<void> {
    return this.world.run(this.world.nowMs + ms);
  }

  async until(what: string, isSo: () => boolean, limitMs = CONVERGENCE_LIMIT_MS): Promise<void> {
    const limit = this.world.nowMs + limitMs;
    while (!isSo()) {
      if (this.world.nowMs >= limit) throw new Error(`in vain waited for: ${what}`);
      await this.pass(LOOK_EVERY_MS);
    }
  }

  /** What keeps the cluster from being at rest with equal replicas. */
  get differences(): readonly string[] {
    const { view } = this;
    const pending = [...view.members.keys()].filter((node) => view.pendingFor(node).length > 0);
    return [...agreementIn(this.cluster).differences, ...pending.map((node) => `${node} is still to become an owner`)];
  }

  /** Until all owners of every key hold the same, nobody else anything, and nobody a hint. */
  async untilEqual(): Promise<void> {
    const limitMs = this.world.nowMs + CONVERGENCE_LIMIT_MS;
    while (this.differences.length > 0 && this.world.nowMs < limitMs) await this.pass(LOOK_EVERY_MS);
    expect(this.differences).toEqual([]);
  }

  expectSound(): void {
    expect(this.world.problems).toEqual([]);
    expect(this.#dots.violations).toEqual([]);
  }

  #routingBy(node: NodeId): Routing {
    const ask = async <Q extends Request>(request: Q, timeoutMs: number): Promise<ReplyTo<Q>> =>
      (await this.#link.request(nodeAddress(node) as LinkAddress, request, timeoutMs)) as ReplyTo<Q>;
    return {
      kind: 'router',
      fetch: async (address, options, timeoutMs) => {
        const { siblings, context, receipt } = await ask({ kind: 'fetch', address, options }, timeoutMs);
        return { siblings, context: ReadContext.fromBytes(context), receipt };
      },
      write: (write, timeoutMs) =>
        ask({ kind: 'write', ring: RING_UNKNOWN, ...write, context: write.context?.toBytes() ?? new Uint8Array(0) }, timeoutMs),
      scan: (scan, timeoutMs) => ask({ kind: 'scan', ...scan }, timeoutMs),
    };
  }
}

export function addressOfKey(key: string, bucket = 'default'): Address {
  return addressOf(unwrap(parseBucketName(bucket)), utf8Encode(key));
}
