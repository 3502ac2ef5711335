/**
 * Applications that merge: every step reads a key, merges what it finds, changes it, and writes the result with the context of
 * the read (`Bucket.update`). What a value is, how values merge and what a step changes is the application's (`sets.ts`,
 * `counters.ts`, `carts.ts`); that no acknowledged change is missing at the end is checked for all of them alike
 * (`check/contributions.ts`).
 */
import { toHex, type Random } from '@armature/kernel';
import type { Bucket, Client, Codec } from '@armature/client';
import { liveSiblings } from '@armature/versioning';
import { checkContributions, type Contribution, type Slots } from '../check/contributions.js';
import { outcomeOf } from '../check/operation-log.js';
import type { World } from '../world/world.js';
import { KeySpace, type KeySpaceOptions } from './key-space.js';
import { SteppingClient, streamOf, type Evidence, type Tally, type Workload, type WorkloadEnv } from './workload.js';

/** A value with one thing changed in it, and what that is. */
export interface Changed<T> {
  readonly value: T;
  readonly slot: string;
  readonly rank: number;
}

/** What one client of the application does. */
export interface Contributor<T> {
  change(key: string, current: T | undefined): Changed<T>;
  /** The change was acknowledged. */
  acknowledged?(key: string, changed: Changed<T>): void;
}

export interface MergingApplication<T> {
  readonly codec: Codec<T>;
  /** Independent of order, and merging twice changes nothing. */
  readonly merge: (values: readonly T[]) => T;
  slotsOf(value: T): Slots;
  contributor(client: string, world: World, random: Random): Contributor<T>;
}

export interface MergingOptions extends KeySpaceOptions {
  readonly thinkMs: number;
}

const TIMEOUT_MS = 2_000;

export class MergingWorkload<T> implements Workload {
  readonly keys: KeySpace;
  readonly sessionPairs = 0;
  readonly #env: WorkloadEnv;
  readonly #application: MergingApplication<T>;
  readonly #options: MergingOptions;
  readonly #contributions: Contribution[] = [];

  constructor(env: WorkloadEnv, application: MergingApplication<T>, options: MergingOptions) {
    this.#env = env;
    this.#application = application;
    this.#options = options;
    this.keys = new KeySpace(env.world, options);
  }

  get bucket() {
    return this.#env.bucket;
  }

  get attempts() {
    return this.#env.attempts;
  }

  get tally(): Tally {
    const count = (outcome: Contribution['outcome']): number =>
      this.#contributions.filter((one) => one.outcome === outcome).length;
    return { acknowledged: count('acknowledged'), unknown: count('unknown'), refused: count('refused'), reads: 0 };
  }

  clientOf(name: string, client: Client, hand: number): SteppingClient {
    const { codec, merge } = this.#application;
    const { world, bucket } = this.#env;
    const random = world.random(streamOf(name, hand, bucket.name));
    return new MergingClient(this.#env, {
      name,
      random,
      thinkMs: this.#options.thinkMs,
      bucket: client.bucket(bucket.name, { codec, merge }),
      contributor: this.#application.contributor(hand === 0 ? name : `${name}-${hand}`, world, random),
      keys: this.keys,
      contributions: this.#contributions,
    });
  }

  judge({ state, custody }: Evidence): string[] {
    const { codec } = this.#application;
    const merged = new Map<string, Slots>();
    for (const [key, set] of state) {
      const values = liveSiblings(set).map(({ version }) => codec.decode(version.value));
      if (values.length > 0) merged.set(key, this.#application.slotsOf(this.#application.merge(values)));
    }
    return checkContributions(this.#contributions, merged, ({ key, beganMs }) =>
      custody.mayBeLost({ key, beganMs, receipt: undefined }, this.#env.bucket),
    );
  }
}

interface MergingClientOptions<T> {
  readonly name: string;
  readonly random: Random;
  readonly thinkMs: number;
  readonly bucket: Bucket<T>;
  readonly contributor: Contributor<T>;
  readonly keys: KeySpace;
  readonly contributions: Contribution[];
}

class MergingClient<T> extends SteppingClient {
  readonly #env: WorkloadEnv;
  readonly #options: MergingClientOptions<T>;
  readonly #operations: Random;

  constructor(env: WorkloadEnv, options: MergingClientOptions<T>) {
    super(env.world, options.random, options.thinkMs);
    this.#operations = options.random.fork('operations');
    this.#env = env;
    this.#options = options;
  }

  protected override async step(): Promise<void> {
    const { name, bucket, contributor, keys, contributions } = this.#options;
    const key = keys.pick(this.random);
    const beganMs = this.world.nowMs;
    let contribution: Contribution | undefined;
    let changed: Changed<T> | undefined;
    const change = (current: T | undefined): T => {
      // Only now is there something that may be written: an update whose read has failed has contributed nothing.
      changed = contributor.change(key, current);
      const { slot, rank } = changed;
      contribution = { key, slot, rank, client: name, beganMs, endedMs: undefined, outcome: undefined };
      contributions.push(contribution);
      return changed.value;
    };
    const operation = toHex(this.#operations.bytes(8));
    const updating = bucket.update(key, change, { operation, timeoutMs: TIMEOUT_MS });
    const outcome = await this.#env.attempts.during('update', name, updating).then(
      () => 'acknowledged' as const,
      (thrown: unknown) => outcomeOf(thrown),
    );
    if (contribution === undefined || changed === undefined) return;
    Object.assign(contribution, { outcome, endedMs: this.world.nowMs });
    if (outcome === 'acknowledged') {
      contributor.acknowledged?.(key, changed);
      this.#env.acknowledged({ bucket: this.#env.bucket, key, operation, beganMs });
    }
    this.world.trace.note(name, `${changed.slot} at ${changed.rank} into ${key} of ${this.#env.bucket.name}: ${outcome}`);
  }
}
