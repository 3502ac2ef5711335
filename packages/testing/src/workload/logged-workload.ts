/**
 * Workloads of registers: everything their clients do is in an `OperationLog`, and what must be follows from that: what is left
 * at the end, what reads had to return, what became of writes that were called refused or partial.
 */
import type { Client } from '@armature/client';
import { utf8, type Codec } from '@armature/client';
import { liveSiblings } from '@armature/versioning';
import { checkFinalState } from '../check/final-state.js';
import { checkForgeries } from '../check/forgeries.js';
import { checkLastWrites } from '../check/last-writes.js';
import { checkLateMints } from '../check/late-mints.js';
import { OperationLog, type Operation } from '../check/operation-log.js';
import { checkOutcomes, doubtRefusals } from '../check/outcomes.js';
import { checkQuorumReads } from '../check/quorum-reads.js';
import { checkReceipts } from '../check/receipts.js';
import { checkSessions } from '../check/sessions.js';
import { checkSteadyReads } from '../check/steady-reads.js';
import { RecreationClient } from './recreations.js';
import { LoggedRegisters, RegisterClient } from './registers.js';
import { KeySpace, type KeySpaceOptions } from './key-space.js';
import { streamOf, type Evidence, type SteppingClient, type Tally, type Workload, type WorkloadEnv } from './workload.js';

/** No write that goes well takes as long. */
const LONG_MS = 100;

export interface LoggedOptions extends KeySpaceOptions {
  /** `mixed`: reads, writes over what was read, blind writes, a few deletes. `recreations`: puts and deletes in turn. */
  readonly steps: 'mixed' | 'recreations';
  /** Of values, which are ids of operations; UTF-8 by default. */
  readonly codec?: Codec<string>;
  /** Mean time between two steps of one client, virtual ms. */
  readonly thinkMs: number;
  /** Of `mixed` steps, the share that deletes, and that writes without having read. */
  readonly deletes: number;
  readonly blind: number;
  /** Of the writes over what was read, the share with a forged context. */
  readonly forged: number;
}

export class LoggedWorkload implements Workload {
  readonly keys: KeySpace;
  readonly log = new OperationLog();
  sessionPairs = 0;
  readonly #env: WorkloadEnv;
  readonly #options: LoggedOptions;

  constructor(env: WorkloadEnv, options: LoggedOptions) {
    this.#env = env;
    this.#options = options;
    this.keys = new KeySpace(env.world, options);
  }

  get #codec(): Codec<string> {
    return this.#options.codec ?? utf8;
  }

  get bucket() {
    return this.#env.bucket;
  }

  get attempts() {
    return this.#env.attempts;
  }

  get tally(): Tally {
    const { log } = this;
    return {
      acknowledged: log.count('acknowledged'),
      unknown: log.count('unknown'),
      refused: log.count('refused'),
      reads: log.reads.length,
    };
  }

  clientOf(name: string, client: Client, hand: number): SteppingClient {
    const { world, bucket, attempts, forger, acknowledged } = this.#env;
    const { steps, thinkMs, deletes, blind, forged } = this.#options;
    const random = world.random(streamOf(name, hand, bucket.name));
    const registers = new LoggedRegisters({
      ...{ world, attempts, name, random, forger },
      log: this.log,
      acknowledged: ({ id, key, beganMs }) => acknowledged({ bucket, key, operation: id, beganMs }),
      bucket: client.bucket(bucket.name, { codec: this.#codec }),
    });
    if (steps === 'recreations') return new RecreationClient(world, random, registers, { keys: this.keys, thinkMs });
    return new RegisterClient(world, random, registers, { keys: this.keys, thinkMs, deletes, blind, forged });
  }

  judge({ state, custody, witness, isSteady, isWhole, dots }: Evidence): string[] {
    const { log, bucket } = this;
    const perhapsRepeated = this.#perhapsRepeated();
    const repeated = new Set([...dots.repeated, ...perhapsRepeated]);
    const { durability, resolver } = bucket.properties;
    const isLostBy = (operation: Operation, untilMs?: number): boolean => custody.mayBeLost(operation, bucket, untilMs);
    const mayBeLost = (operation: Operation): boolean => isLostBy(operation);
    doubtRefusals(log, witness);
    const outcomes = [
      ...checkForgeries(log, witness),
      ...checkOutcomes(log, witness, durability),
      ...checkLateMints(log, dots, durability),
    ];
    if (resolver === 'last-write-wins') return [...outcomes, ...checkLastWrites(log, state, witness, mayBeLost)];
    const present = new Map<string, Set<string>>();
    const repetitions = new Set<string>(perhapsRepeated);
    for (const [key, set] of state) {
      const shown = liveSiblings(set).map(({ version }) => version);
      present.set(key, new Set(shown.map(({ value }) => this.#codec.decode(value))));
      for (const { value, repeated: isMarked } of shown) if (isMarked) repetitions.add(this.#codec.decode(value));
    }
    const receipts = checkReceipts(log, bucket.properties, witness);
    const reads = [...(isSteady ? checkSteadyReads(log) : []), ...(isWhole ? checkQuorumReads(log, bucket, isLostBy) : [])];
    const sessions = checkSessions(log, bucket, custody, repeated);
    this.sessionPairs = sessions.pairs;
    return [...outcomes, ...receipts, ...checkFinalState(log, present, mayBeLost, repetitions), ...sessions.violations, ...reads];
  }

  /**
   * Where replicas answer from memory, what one of them minted may never come to a disk, where it would be seen that another
   * minted it too. Nobody is tried a second time before the first one has been waited for.
   */
  #perhapsRepeated(): string[] {
    const { durability } = this.bucket.properties;
    if (durability === 'fsync' || durability === 'os') return [];
    return [...this.log.operations].filter(({ beganMs, endedMs = Infinity }) => endedMs - beganMs > LONG_MS).map(({ id }) => id);
  }
}
