/**
 * A workload: what an application does with one bucket, through several clients, and what must be true of it afterwards. Each
 * keeps a log of its own of what its clients did and were told.
 */
import { pick, type BucketName, type Random } from '@armature/kernel';
import type { Client } from '@armature/client';
import { DEFAULT_BUCKET_PROPERTIES, DURABILITIES, type BucketProperties } from '@armature/protocol';
import type { VersionSet } from '@armature/versioning';
import type { Attempts } from '../check/availability.js';
import type { AcknowledgedWrite } from '../check/copies.js';
import type { Custody } from '../check/custody.js';
import type { DiskWitness } from '../check/disk-witness.js';
import type { DotRegister } from '../check/replica-contents.js';
import type { KeySpace } from './key-space.js';
import type { World } from '../world/world.js';
import type { Forger } from './forgery.js';

export interface LoadedBucket {
  readonly name: BucketName;
  readonly properties: BucketProperties;
}

export interface WorkloadEnv {
  readonly world: World;
  readonly bucket: LoadedBucket;
  readonly attempts: Attempts;
  /** One for the whole run. */
  readonly forger: Forger;
  /** Called when a client has been told. */
  readonly acknowledged: (write: AcknowledgedWrite) => void;
}

/** What is known at the end, besides the workload's own log. */
export interface Evidence {
  /** Of each key of the bucket, what its owners hold. */
  readonly state: ReadonlyMap<string, VersionSet>;
  readonly custody: Custody;
  readonly witness: DiskWitness;
  /** Nothing has failed in the run; at most the membership has changed. */
  readonly isSteady: boolean;
  /** Whoever runs has heard of everything there is to hear, after a moment. */
  readonly isWhole: boolean;
  /** Which operations were minted more than once, and when. */
  readonly dots: Pick<DotRegister, 'repeated' | 'mintedMs'>;
}

export interface Tally {
  readonly acknowledged: number;
  readonly unknown: number;
  readonly refused: number;
  readonly reads: number;
}

export interface Workload {
  readonly bucket: LoadedBucket;
  readonly attempts: Attempts;
  readonly keys: KeySpace;
  readonly tally: Tally;
  /** Claims about reads that `judge` has checked. */
  readonly sessionPairs: number;
  /** What one client does, or one of the things that it does at a time: the first is 0. */
  clientOf(name: string, client: Client, hand: number): SteppingClient;
  /** What must not be. */
  judge(evidence: Evidence): string[];
}

/** A client that does one thing after another, and thinks in between. */
export abstract class SteppingClient {
  protected readonly world: World;
  protected readonly random: Random;
  readonly #thinkMs: number;
  #stopped = false;

  constructor(world: World, random: Random, thinkMs: number) {
    this.world = world;
    this.random = random;
    this.#thinkMs = thinkMs;
  }

  /** Steps until `stop`. Resolves after the last one; may be called again then. */
  async run(): Promise<void> {
    this.#stopped = false;
    while (!this.#stopped) {
      await this.world.sleep(this.#thinkMs * 2 * this.random.float());
      await this.step();
    }
  }

  stop(): void {
    this.#stopped = true;
  }

  protected abstract step(): Promise<void>;
}

/** The stream of randomness of one hand of a client. */
export function streamOf(name: string, hand: number, bucket: BucketName): string {
  return `client ${name}${hand === 0 ? '' : `, hand ${hand}`} of ${bucket}`;
}

/** The usual bucket, or one of another shape that `nodes` nodes can serve. */
export function drawShape(random: Random, nodes: number): BucketProperties {
  if (random.int(2) === 0) return DEFAULT_BUCKET_PROPERTIES;
  const n = pick(
    random,
    [1, 2, 3, 5].filter((some) => some <= nodes),
  ) as number;
  const durability = pick(random, DURABILITIES) as BucketProperties['durability'];
  return { ...DEFAULT_BUCKET_PROPERTIES, n, r: 1 + random.int(n), w: 1 + random.int(n), durability };
}
