/**
 * The load of a run, drawn from the seed: one or two workloads side by side, each with a bucket of its own, of the usual shape or
 * of another; and the clients, in processes of their own, who take part in all of them.
 */
import { parseBucketName, pick, shuffle, unwrap, utf8Decode, utf8Encode, type NodeId, type Random } from '@armature/kernel';
import { utf8, type Client } from '@armature/client';
import type { BucketProperties } from '@armature/protocol';
import { addressOf, bucketOfAddress, keyOfAddress, type Address } from '@armature/ring';
import type { VersionSet } from '@armature/versioning';
import { Attempts, checkAvailability, unavailableMs } from '../check/availability.js';
import type { Custody } from '../check/custody.js';
import { checkListings } from '../check/listings.js';
import type { SimulatedCluster } from '../cluster/simulated-cluster.js';
import type { Conditions } from '../faults/conditions.js';
import { carts } from './carts.js';
import { counters } from './counters.js';
import { Forger } from './forgery.js';
import { LARGEST_VALUE_BYTES, padded } from './large-values.js';
import { LoggedWorkload } from './logged-workload.js';
import { MergingWorkload } from './merging.js';
import { sets } from './sets.js';
import {
  drawShape,
  type LoadedBucket,
  type Evidence,
  type SteppingClient,
  type Tally,
  type Workload,
  type WorkloadEnv,
} from './workload.js';

const SMALL_KINDS = ['registers', 'sets', 'counters', 'carts', 'recreations', 'last-writes'] as const;
/** Large values need a cluster that was made for them, and are alone in their run. */
export type WorkloadKind = (typeof SMALL_KINDS)[number] | 'large-values';

/** What is not said here is drawn from the seed. */
export interface LoadWishes {
  /** Workloads to draw one or two from; all by default. */
  readonly workloads?: readonly WorkloadKind[];
  /** Of every bucket. */
  readonly properties?: Partial<BucketProperties>;
  /** In use at a time. */
  readonly keys?: number;
  /** How long a key is in use, virtual ms; `Infinity`: to the end. */
  readonly fadeMs?: number;
  /** Mean time between two steps of one client, virtual ms. */
  readonly thinkMs?: number;
  /** Steps of one client at a time; one by default. */
  readonly atOnce?: number;
  /** Of the steps of registers, the share that deletes, and that writes without having read. */
  readonly deletes?: number;
  readonly blind?: number;
}

export interface LoadOptions {
  readonly wishes: LoadWishes;
  /** Whether the cluster was made for large values. */
  readonly isLarge: boolean;
  /** Nodes of the cluster. */
  readonly nodes: number;
  /** Names of the clients; the last one goes through a router. */
  readonly clients: readonly string[];
  /** Under which they work. */
  readonly conditions: Conditions;
  /** See `WorkloadEnv`. */
  readonly acknowledged: WorkloadEnv['acknowledged'];
}

const BUCKETS_LIMIT_MS = 60_000;
const KNOWN_POLL_MS = 10;
/** Of the writes over what was read, the share with a forged context: there are some in most runs. */
const MOST_FORGED = 0.04;

export class Load {
  readonly workloads: readonly Workload[];
  readonly #connections: readonly Client[];
  readonly #clients: readonly SteppingClient[];

  private constructor(workloads: readonly Workload[], connections: readonly Client[], clients: readonly SteppingClient[]) {
    this.workloads = workloads;
    this.#connections = connections;
    this.#clients = clients;
  }

  /** Creates the buckets, waits until every node knows them, and connects the clients. */
  static async prepare(cluster: SimulatedCluster, random: Random, options: LoadOptions): Promise<Load> {
    const drawn = options.wishes.workloads ?? (options.isLarge ? (['large-values'] as const) : SMALL_KINDS);
    const kinds = shuffle<WorkloadKind>(random, drawn).slice(0, 1 + random.int(2));
    const forger = new Forger();
    const { acknowledged } = options;
    const workloads = kinds.map((kind) =>
      drawWorkload({ world: cluster.world, forger, acknowledged }, random.fork(kind), kind, options),
    );
    const [at] = cluster.running;
    for (const { bucket } of workloads) {
      await cluster.propose(at?.options.node as NodeId, { kind: 'bucket', bucket: bucket.name, properties: bucket.properties });
    }
    await untilKnown(cluster, workloads);
    const connections: Client[] = [];
    for (const [place, name] of options.clients.entries())
      connections.push(await cluster.connect(name, place === options.clients.length - 1 ? 'router' : 'direct'));
    const clients = workloads.flatMap((workload) =>
      connections.flatMap((connection, place) =>
        Array.from({ length: options.wishes.atOnce ?? 1 }, (_, hand) =>
          workload.clientOf(options.clients[place] as string, connection, hand),
        ),
      ),
    );
    return new Load(workloads, connections, clients);
  }

  /** Resolves after `stop`, when all have ended their last step. */
  async run(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.run()));
  }

  stop(): void {
    for (const client of this.#clients) client.stop();
  }

  get tally(): Tally {
    const sum = (of: keyof Tally): number => this.workloads.reduce((all, { tally }) => all + tally[of], 0);
    return { acknowledged: sum('acknowledged'), unknown: sum('unknown'), refused: sum('refused'), reads: sum('reads') };
  }

  get sessionPairs(): number {
    return this.workloads.reduce((sum, { sessionPairs }) => sum + sessionPairs, 0);
  }

  get unavailableMs(): number {
    return this.workloads.reduce((sum, { attempts }) => sum + unavailableMs(attempts.all), 0);
  }

  /** For each workload, one line. */
  describe(): string[] {
    return this.workloads.map(({ bucket: { name, properties }, keys }) => {
      const { n, r, w, durability } = properties;
      return `${name}, n=${n} r=${r} w=${w} ${durability}, ${keys.describe()}`;
    });
  }

  /** `states`: of each key, what its owners hold. `wellSinceMs`: from then on no attempt may have failed. */
  judge(states: ReadonlyMap<Address, VersionSet>, evidence: Omit<Evidence, 'state'>, wellSinceMs: number): string[] {
    return this.workloads.flatMap((workload) => {
      const { name } = workload.bucket;
      const state = new Map<string, VersionSet>();
      for (const [address, set] of states)
        if (bucketOfAddress(address) === name) state.set(utf8Decode(keyOfAddress(address)), set);
      const { custody } = evidence;
      const isReadable = !custody.mayBeUnreadable(workload.bucket);
      const isWritable = !custody.mayLeadTooFew(workload.bucket);
      const attempts = workload.attempts.all.filter(
        ({ kind }) => (isReadable || kind === 'write') && (isWritable || kind === 'read'),
      );
      const found = [...workload.judge({ ...evidence, state }), ...checkAvailability(attempts, wellSinceMs)];
      return found.map((violation) => `${name}: ${violation}`);
    });
  }

  /** Lists every bucket, in process and through a router. `states`: of each key, what its owners hold. */
  async checkListings(states: ReadonlyMap<Address, VersionSet>, custody: Custody): Promise<string[]> {
    const found: string[] = [];
    for (const { bucket } of this.workloads) {
      if (custody.mayBeUnreadable(bucket)) continue;
      for (const client of [this.#connections[0], this.#connections.at(-1)])
        found.push(...(await checkListings(client as Client, bucket, states)));
    }
    return found;
  }

  /** The keys of buckets that can be read whatever has befallen the disks, and those who may use them. */
  usable(custody: Custody): { bucket: LoadedBucket; keys: readonly string[]; connections: readonly Client[] }[] {
    return this.workloads
      .filter(({ bucket }) => !custody.mayBeUnreadable(bucket))
      .map(({ bucket, keys }) => ({ bucket, keys: keys.all, connections: this.#connections }));
  }

  /** Reads every key, and some that were never written, through every client. */
  async readAll(custody: Custody): Promise<void> {
    for (const { bucket, keys } of this.workloads) {
      for (const connection of this.#connections) {
        const reading = connection.bucket(bucket.name, { codec: utf8 });
        for (const key of [...keys.all, 'never-written']) {
          await reading.get(key).catch((thrown: unknown) => {
            // Of the only replica of a key nobody has another: what has rotted there says so for good.
            if (bucket.properties.n > 1 || !custody.mayBeLost({ key, receipt: undefined, beganMs: 0 }, bucket)) throw thrown;
          });
        }
      }
    }
  }
}

function drawWorkload(
  { world, ...shared }: Pick<WorkloadEnv, 'world' | 'forger' | 'acknowledged'>,
  random: Random,
  kind: WorkloadKind,
  { nodes, wishes, conditions }: LoadOptions,
): Workload {
  const drawn = drawShape(random, nodes);
  const resolver = kind === 'last-writes' ? 'last-write-wins' : 'siblings';
  const sizes = kind === 'large-values' ? { maxValueBytes: LARGEST_VALUE_BYTES } : {};
  const properties = { ...drawn, ...sizes, ...wishes.properties, resolver } as const;
  const bucket = { name: unwrap(parseBucketName(kind)), properties };
  const attempts = new Attempts(world, ({ key, ...write }) =>
    conditions.replicasFor({ ...write, address: addressOf(bucket.name, utf8Encode(key)), quorum: bucket.properties }),
  );
  const env: WorkloadEnv = { world, bucket, attempts, ...shared };
  const many = 3 + random.int(20);
  const few = pick(random, [1, 2, 4]) as number;
  const drawnFadeMs = random.int(3) === 0 ? 5_000 + random.int(20_000) : Infinity;
  const common = {
    thinkMs: wishes.thinkMs ?? 150 + random.int(1_050),
    fadeMs: wishes.fadeMs ?? drawnFadeMs,
    deletes: wishes.deletes ?? 0.1,
    blind: wishes.blind ?? 0.15,
  };
  const forged = random.float() * MOST_FORGED;
  switch (kind) {
    case 'registers':
    case 'last-writes':
      return new LoggedWorkload(env, { ...common, steps: 'mixed', forged, keys: wishes.keys ?? many });
    case 'large-values': {
      const some = pick(random, [2, 4, 8, 16]) as number;
      const large = { codec: padded, blind: wishes.blind ?? 0.2 + random.float() * 0.6, keys: wishes.keys ?? some };
      return new LoggedWorkload(env, { ...common, ...large, steps: 'mixed', forged });
    }
    case 'recreations':
      return new LoggedWorkload(env, { ...common, steps: 'recreations', forged, keys: wishes.keys ?? few });
    case 'sets':
      return new MergingWorkload(env, sets, { ...common, keys: wishes.keys ?? few });
    case 'counters':
      return new MergingWorkload(env, counters, { ...common, keys: wishes.keys ?? few });
    case 'carts':
      return new MergingWorkload(env, carts, { ...common, keys: wishes.keys ?? few });
  }
}

async function untilKnown(cluster: SimulatedCluster, workloads: readonly Workload[]): Promise<void> {
  const { world } = cluster;
  const limitMs = world.nowMs + BUCKETS_LIMIT_MS;
  const known = (): boolean =>
    cluster.running.every(({ participant }) =>
      workloads.every(({ bucket }) => participant.membership.view.buckets.has(bucket.name)),
    );
  while (!known()) {
    if (world.nowMs >= limitMs) throw new Error(`not every node knows the buckets of the load after ${BUCKETS_LIMIT_MS} ms`);
    await world.sleep(KNOWN_POLL_MS);
  }
}
