/**
 * The experiment that showed what last-write-wins costs (Kingsbury, "Call me maybe: Riak", 2013), in deterministic simulation:
 * five clients add elements to one set under one key, each by reading it, adding, and writing it back with the context of the
 * read; for a while the five nodes are cut into two and three, and each client reaches the nodes of its side only. When the cut
 * has healed and hints have gone home, which of the acknowledged adds are in the set?
 *
 * The bucket is all that differs between two runs of one seed: one keeps siblings, which the clients merge by union, the other
 * the last write.
 */
import type { Random } from '@armature/kernel';
import { json, type Bucket, type Client } from '@armature/client';
import type { ResolverName } from '@armature/protocol';
import { SimulatedCluster, World } from '@armature/testing';

export interface ExperimentOptions {
  readonly seed: number;
  readonly resolver: ResolverName;
  /** The three parts of a run, virtual ms: whole, cut in two, whole again. */
  readonly beforeMs: number;
  readonly cutMs: number;
  readonly afterMs: number;
  /** Mean pause of a client between two adds, virtual ms. */
  readonly thinkMs: number;
}

/** Counts of adds, but for the seed and the resolver. */
export interface ExperimentResult {
  readonly seed: number;
  readonly resolver: ResolverName;
  readonly attempted: number;
  readonly acknowledged: number;
  /** Of those acknowledged, in the final set. */
  readonly surviving: number;
  /** Acknowledged, and not in the final set. */
  readonly lost: number;
}

type Elements = readonly string[];

const SIDES = [
  { nodes: ['n1', 'n2'], clients: ['c1', 'c2'] },
  { nodes: ['n3', 'n4', 'n5'], clients: ['c3', 'c4', 'c5'] },
] as const;
const NODES = SIDES.flatMap(({ nodes }) => nodes);
const CLIENTS = SIDES.flatMap(({ clients }) => clients);
const BUCKET = 'experiment';
const KEY = 'the set';
const TIMEOUT_MS = 2_000;
/** For hints to go home after the cut. */
const PEACE_LIMIT_MS = 300_000;
const LOOK_EVERY_MS = 1_000;

/** One run. Rejects if the cluster does not come to rest, or did what a simulated world must never do. */
export async function runExperiment(options: ExperimentOptions): Promise<ExperimentResult> {
  const world = new World({ seed: options.seed });
  const cluster = await world.until(SimulatedCluster.start(world, { nodes: NODES, workers: ['a1'] }));
  const clients = new Map<string, Client>();
  for (const name of CLIENTS) clients.set(name, await world.until(cluster.connect(name)));
  const [first] = [...clients.values()] as [Client];
  await world.until(first.admin.setBucket(BUCKET, { resolver: options.resolver }));
  await world.run(world.nowMs + LOOK_EVERY_MS); // until everybody has heard of the bucket

  const adders = [...clients].map(([name, client]) => new Adder(world, client, name, options.thinkMs));
  const adding = Promise.all(adders.map((adder) => adder.run()));
  await world.run(world.nowMs + options.beforeMs);
  const [two, three] = SIDES.map(({ nodes, clients: theirs }) => [...nodes, ...theirs]) as [string[], string[]];
  cluster.network.partition(two, three);
  await world.run(world.nowMs + options.cutMs);
  for (const a of two) for (const b of three) cluster.network.heal(a, b);
  await world.run(world.nowMs + options.afterMs);
  for (const adder of adders) adder.stop();
  await world.until(adding);

  await untilHintsAreHome(world, cluster);
  const final = new Set((await world.until(bucketOf(first).get(KEY, { r: 'all' })))?.values.flat());
  if (world.problems.length > 0) throw new Error(world.problems.join('\n'));
  const acknowledged = adders.flatMap((adder) => adder.acknowledged);
  const surviving = acknowledged.filter((element) => final.has(element)).length;
  return {
    seed: options.seed,
    resolver: options.resolver,
    attempted: adders.reduce((sum, { attempted }) => sum + attempted, 0),
    acknowledged: acknowledged.length,
    surviving,
    lost: acknowledged.length - surviving,
  };
}

/** A client in a closed loop of read, add, write. */
class Adder {
  readonly acknowledged: string[] = [];
  attempted = 0;
  readonly #world: World;
  readonly #bucket: Bucket<Elements>;
  readonly #name: string;
  readonly #thinkMs: number;
  readonly #random: Random;
  #stopped = false;

  constructor(world: World, client: Client, name: string, thinkMs: number) {
    this.#world = world;
    this.#bucket = bucketOf(client);
    this.#name = name;
    this.#thinkMs = thinkMs;
    this.#random = world.random(`adder ${name}`);
  }

  async run(): Promise<void> {
    while (!this.#stopped) {
      await this.#world.sleep(this.#thinkMs * 2 * this.#random.float());
      const element = `${this.#name}.${this.attempted++}`;
      const added = await this.#bucket
        .update(KEY, (elements = []) => [...elements, element])
        .then(
          () => true,
          () => false, // not acknowledged: it may be there or not, and counts as neither surviving nor lost
        );
      if (added) this.acknowledged.push(element);
    }
  }

  stop(): void {
    this.#stopped = true;
  }
}

function bucketOf(client: Client): Bucket<Elements> {
  return client.bucket<Elements>(BUCKET, { codec: json(), merge: union, timeoutMs: TIMEOUT_MS });
}

function union(sets: readonly Elements[]): Elements {
  return [...new Set(sets.flat())].sort();
}

async function untilHintsAreHome(world: World, cluster: SimulatedCluster): Promise<void> {
  const limitMs = world.nowMs + PEACE_LIMIT_MS;
  const hintBytes = (): number => cluster.running.reduce((sum, node) => sum + node.hintBytes, 0);
  do {
    if (world.nowMs > limitMs) throw new Error(`hints have not gone home after ${PEACE_LIMIT_MS} virtual ms`);
    await world.run(world.nowMs + LOOK_EVERY_MS);
  } while (hintBytes() > 0);
}
