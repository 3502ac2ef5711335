/**
 * Writers that keep a ledger: each in a closed loop, in an order drawn from the seed, reads a key and writes it with the context
 * of the read, whatever is done to the cluster meanwhile. Sets lose an element, registers a value, and deletions their effect, if
 * the store loses a write; the ledger (`ledger.ts`) tells.
 */
import { ArmatureError, pick, seededRandom, toArmatureError, toHex, type Random } from '@armature/kernel';
import { json, type Bucket, type Client, type Codec, type ReadContext } from '@armature/client';
import { sleep, systemClock } from '@armature/runtime';
import {
  accountText,
  settle,
  WORKLOAD_KINDS,
  type Account,
  type FinalState,
  type Operation,
  type Outcome,
  type WorkloadKind,
} from './ledger.js';

export interface WorkloadOptions {
  /** Of the scenario: begins the line that is printed, and the keys. */
  readonly name: string;
  /** What each writer does in which order is drawn from it; how the writers interleave is up to the world. */
  readonly seed?: number | string;
  readonly bucket?: string;
  readonly writers?: number;
  /** Sets and registers each. Few keys mean many conflicts. */
  readonly keys?: number;
  readonly kinds?: readonly WorkloadKind[];
  /** How the ids of a value are stored; JSON by default, which makes small values. */
  readonly codec?: Codec<Ids>;
  /** For each read and each write. */
  readonly timeoutMs?: number;
  /** Between two operations of a writer. */
  readonly pauseMs?: number;
  /** A workload that nobody stops stops itself after so many; 100,000 by default. */
  readonly maxOperations?: number;
}

/** Ids under a key. A register is a set that each write replaces by its own id. */
type Ids = readonly string[];

/** Errors after which the write may have happened. All others are promises that it has not. */
const UNKNOWN: ReadonlySet<string> = new Set(['unknown-outcome', 'timeout', 'closed', 'internal']);
const MAX_OPERATIONS = 100_000;
const POLL_MS = 20;
const READERS = 16;
/** For one key of the final state, retries included. */
const VERIFY_TIMEOUT_MS = 30_000;

export class Workload {
  readonly #options: Required<WorkloadOptions>;
  readonly #operations: Operation[] = [];
  readonly #writers: Promise<void>;
  /** By the monotonic clock of its operations. */
  readonly startedMs = systemClock.monotonicMs();
  #endedMs: number | undefined;
  #acknowledged = 0;
  #stopping = false;

  constructor(clients: readonly Client[], options: WorkloadOptions) {
    this.#options = {
      seed: options.name,
      bucket: 'default',
      writers: 6,
      keys: 30,
      kinds: WORKLOAD_KINDS,
      codec: json<Ids>(),
      timeoutMs: 4_000,
      pauseMs: 5,
      maxOperations: MAX_OPERATIONS,
      ...options,
    };
    const random = seededRandom(this.#options.seed);
    this.#writers = Promise.all(
      Array.from({ length: this.#options.writers }, (_, writer) => {
        const client = clients[writer % clients.length];
        if (client === undefined) throw new ArmatureError('invalid-argument', 'a workload needs a client');
        return this.#write(this.#bucketOf(client), random.fork(`writer ${writer}`), writer);
      }),
    ).then(() => undefined);
  }

  /** So far, in the order in which they ended. */
  get operations(): readonly Operation[] {
    return this.#operations;
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** When its last writer stopped; now, while one has not. */
  get endedMs(): number {
    return this.#endedMs ?? systemClock.monotonicMs();
  }

  /** Resolves when so many more writes have been acknowledged: how a test lets the cluster work for a while. */
  async untilAcknowledged(more: number, timeoutMs = 60_000): Promise<void> {
    const goal = this.acknowledged + more;
    const deadlineMs = systemClock.monotonicMs() + timeoutMs;
    while (this.acknowledged < goal) {
      if (systemClock.monotonicMs() > deadlineMs) {
        const problems = this.#operations.slice(-5).map(({ outcome, problem }) => `${outcome} ${problem}`);
        throw new Error(
          `${this.#options.name}: ${goal - this.acknowledged} of ${more} writes are missing: ${problems.join('; ')}`,
        );
      }
      await sleep(systemClock, POLL_MS);
    }
  }

  /** Lets each writer finish the operation that it has in hand. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#writers;
    this.#endedMs ??= systemClock.monotonicMs();
  }

  /** Stops, and settles the ledger against what `client` reads: whatever comes of it. */
  async account(client: Client): Promise<Account> {
    await this.stop();
    const bucket = this.#bucketOf(client);
    const final = await finalState(bucket, new Set(this.#operations.map(({ key }) => key)));
    return settle(this.#operations, final, { startedMs: this.startedMs, endedMs: this.endedMs });
  }

  /**
   * Stops, settles, prints the account in one line, and throws unless every write is accounted for. Call it when the cluster has
   * healed.
   */
  async verify(client: Client): Promise<Account> {
    const account = await this.account(client);
    const line = accountText(this.#options.name, account);
    console.log(line);
    const { lost, returned, surfaced, counts } = account;
    if (lost.length + returned.length + surfaced.length > 0) {
      const examples = { lost: lost.slice(0, 5), returned: returned.slice(0, 5), surfaced: surfaced.slice(0, 5) };
      throw new Error(`${line}\n${JSON.stringify(examples, undefined, 2)}`);
    }
    if (counts.acknowledged === 0) throw new Error(`${line}: a workload that wrote nothing shows nothing`);
    return account;
  }

  #bucketOf(client: Client): Bucket<Ids> {
    return client.bucket(this.#options.bucket, { codec: this.#options.codec, timeoutMs: this.#options.timeoutMs });
  }

  async #write(bucket: Bucket<Ids>, random: Random, writer: number): Promise<void> {
    const { name, keys, kinds, pauseMs, maxOperations } = this.#options;
    for (let i = 0; !this.#stopping && this.#operations.length < maxOperations; i++) {
      const kind = pick(random, kinds) ?? 'set';
      if (kind === 'deletion') await this.#writeAndDelete(bucket, `${name}/deletion/${writer}.${i}`, random);
      else await this.#readAndWrite(bucket, kind, `${name}/${kind}/${random.int(keys)}`, random);
      await sleep(systemClock, pauseMs);
    }
  }

  async #readAndWrite(bucket: Bucket<Ids>, kind: 'set' | 'register', key: string, random: Random): Promise<void> {
    const id = newId(random);
    const startedMs = systemClock.monotonicMs();
    let saw: Ids = [];
    let context: ReadContext | undefined;
    try {
      const reading = await bucket.read(key);
      saw = [...new Set(reading.entry?.values.flat())];
      context = reading.context;
    } catch (thrown) {
      this.#note({ id, kind, action: 'write', key, saw, startedMs }, 'unread', toArmatureError(thrown));
      return;
    }
    const value = kind === 'set' ? [...saw, id] : [id];
    // An element of a set is there while it is there; what a register had read, it supersedes.
    const facts = { id, kind, action: 'write', key, saw: kind === 'set' ? [] : saw, startedMs } as const;
    await this.#attempt(facts, () => bucket.put(key, value, { context, operation: id }));
  }

  async #writeAndDelete(bucket: Bucket<Ids>, key: string, random: Random): Promise<void> {
    const [id, deletion] = [newId(random), newId(random)];
    const facts = { kind: 'deletion', key } as const;
    const startedMs = systemClock.monotonicMs();
    const written = await this.#attempt({ ...facts, id, action: 'write', saw: [], startedMs }, () =>
      bucket.put(key, [id], { operation: id }),
    );
    if (written === undefined) return;
    const deletingMs = systemClock.monotonicMs();
    await this.#attempt({ ...facts, id: deletion, action: 'delete', saw: [id], startedMs: deletingMs }, () =>
      bucket.delete(key, { context: written.context, operation: deletion }),
    );
  }

  async #attempt<T>(facts: Omit<Operation, 'outcome' | 'problem' | 'endedMs'>, write: () => Promise<T>): Promise<T | undefined> {
    try {
      const written = await write();
      this.#note(facts, 'acknowledged');
      return written;
    } catch (thrown) {
      const error = toArmatureError(thrown);
      this.#note(facts, outcomeOf(error), error);
      return undefined;
    }
  }

  #note(facts: Omit<Operation, 'outcome' | 'problem' | 'endedMs'>, outcome: Outcome, error?: ArmatureError): void {
    const problem = error === undefined ? '' : `${error.code}: ${error.message}`;
    if (outcome === 'acknowledged') this.#acknowledged++;
    this.#operations.push({ ...facts, outcome, problem, endedMs: systemClock.monotonicMs() });
  }
}

/** Starts at once. Writers are dealt out among the clients, e.g. a direct one and one of a router. */
export function startWorkload(clients: Client | readonly Client[], options: WorkloadOptions): Workload {
  return new Workload(clients instanceof Array ? clients : [clients], options);
}

function newId(random: Random): string {
  return toHex(random.bytes(8));
}

function outcomeOf({ code }: ArmatureError): Outcome {
  if (code === 'partial-write') return 'partial';
  return UNKNOWN.has(code) ? 'unknown' : 'refused';
}

async function finalState(bucket: Bucket<Ids>, keys: ReadonlySet<string>): Promise<FinalState> {
  const final = new Map<string, Ids>();
  const left = keys.values();
  await Promise.all(
    Array.from({ length: READERS }, async () => {
      for (const key of left) final.set(key, await readForCertain(bucket, key));
    }),
  );
  return final;
}

async function readForCertain(bucket: Bucket<Ids>, key: string): Promise<Ids> {
  const deadlineMs = systemClock.monotonicMs() + VERIFY_TIMEOUT_MS;
  for (;;) {
    try {
      return [...new Set((await bucket.get(key))?.values.flat())];
    } catch (thrown) {
      const error = toArmatureError(thrown);
      if (!error.retryable || systemClock.monotonicMs() > deadlineMs) throw error;
      await sleep(systemClock, POLL_MS);
    }
  }
}
