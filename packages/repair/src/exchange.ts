/**
 * One exchange: the node that runs it (the initiator) and one peer become equal in the keys of one partition and N, as far as
 * they were known to either when it began (paper, section 4.7).
 *
 *   compare    trees, from the root down, only where they differ
 *   list       addresses and digests of the ranges that differ, from both, page by page
 *   pull       the sets that we lack or hold in another state, and merge them here
 *   push       the sets that the peer lacks or holds in another state, now joined with its own, to be merged there
 *
 * A set that no message can carry is left out and reported, and the exchange goes on behind it.
 *
 * Both directions merge, so nothing is lost whatever is written meanwhile, tombstones travel like values, and an exchange that
 * breaks off has done no harm. A run has a budget of keys, bytes and time; beyond it, it is `partial`, and the next run finds
 * fewer differences and goes on from there, with no other memory than the trees.
 */
import { ArmatureError, bytesEqual, toArmatureError, type BinaryString, type NodeId } from '@armature/kernel';
import { beginComparison, nextQuestion, rangesOfPrefixes, takeAnswer, type KeyRange, type MerkleTree } from '@armature/merkle';
import {
  transferTimeMs,
  type DigestsReply,
  type ExchangeReply,
  type ExchangeRequest,
  type ReplyTo,
  type SetsReply,
  type SynchronisationRequest,
} from '@armature/protocol';
import type { Address } from '@armature/ring';
import type { Clock } from '@armature/runtime';
import { answerTimeMs, MAX_DIGESTS, type LocalShare } from './local-share.js';
import { problemText, tooLargeToCarry } from './peer-questions.js';

export interface ExchangeEnv {
  readonly local: Pick<LocalShare, 'tree' | 'digests' | 'sets' | 'absorb'>;
  readonly ask: <Q extends SynchronisationRequest>(peer: NodeId, request: Q, timeoutMs: number) => Promise<ReplyTo<Q>>;
  readonly slice: (kind: 'repair') => Promise<void>;
  readonly clock: Clock;
}

export interface ExchangeLimits {
  readonly keys: number;
  readonly bytes: number;
  readonly timeMs: number;
}

/** A run's bounds: a second or two of work for both nodes. */
export const EXCHANGE_LIMITS: ExchangeLimits = { keys: 10_000, bytes: 32 * 1024 * 1024, timeMs: 15_000 };

const ASK_TIMEOUT_MS = 5_000;
const SETS_PER_QUESTION = 128;
/** What tells the caller something about this node or the moment, and not about the exchange: it is passed on as it is. */
const PASSED_ON: ReadonlySet<string> = new Set(['overloaded', 'stale-ring', 'closed']);

/**
 * Runs an exchange for `request`, whose ring the caller has checked. Errors: `overloaded`, `stale-ring`; all others are reported
 * as `failed`.
 */
export async function runExchange(env: ExchangeEnv, request: ExchangeRequest, limits = EXCHANGE_LIMITS): Promise<ExchangeReply> {
  const exchange = new Exchange(env, request, limits);
  try {
    const outcome = await exchange.run();
    return exchange.stuck === undefined ? exchange.report(outcome, '') : exchange.report('failed', problemText(exchange.stuck));
  } catch (thrown) {
    const error = toArmatureError(thrown);
    if (PASSED_ON.has(error.code)) throw error;
    return exchange.report('failed', problemText(error));
  }
}

class Exchange {
  /** Of a set that could not be sent, by either side. */
  stuck: ArmatureError | undefined;
  readonly #env: ExchangeEnv;
  readonly #request: ExchangeRequest;
  readonly #limits: ExchangeLimits;
  readonly #startedMs: number;
  #compared = 0;
  #differing = 0;
  #pulled = 0;
  #pushed = 0;
  #bytes = 0;

  constructor(env: ExchangeEnv, request: ExchangeRequest, limits: ExchangeLimits) {
    this.#env = env;
    this.#request = request;
    this.#limits = limits;
    this.#startedMs = env.clock.monotonicMs();
  }

  async run(): Promise<ExchangeReply['outcome']> {
    const { local } = this.#env;
    const { partition, n } = this.#request;
    const tree = await local.tree(partition, n);
    this.#compared = tree.keys;
    for (const range of await this.#compare(tree)) {
      if (!(await this.#repairRange(range))) return 'partial';
    }
    return this.#differing === 0 ? 'equal' : 'repaired';
  }

  report(outcome: ExchangeReply['outcome'], problem: string): ExchangeReply {
    return {
      kind: 'exchange',
      outcome,
      compared: this.#compared,
      differing: this.#differing,
      pulled: this.#pulled,
      pushed: this.#pushed,
      bytes: this.#bytes,
      elapsedMs: Math.round(this.#env.clock.monotonicMs() - this.#startedMs),
      problem,
    };
  }

  async #compare(tree: MerkleTree): Promise<KeyRange[]> {
    const { partition } = this.#request;
    let comparison = beginComparison(tree);
    for (let question = nextQuestion(comparison); question !== undefined; question = nextQuestion(comparison)) {
      const taken = takeAnswer(comparison, await this.#ask({ ...this.#share, kind: 'tree', ...question }));
      if (!taken.ok) throw taken.error;
      comparison = taken.value;
    }
    return rangesOfPrefixes({ bits: tree.arcBits, index: partition }, comparison.differing);
  }

  /** False: the budget is used up. */
  async #repairRange({ start, end }: KeyRange): Promise<boolean> {
    const { partition, n, bucket } = this.#request;
    let cursor: BinaryString | undefined = start;
    while (cursor !== undefined) {
      if (this.#isOverBudget()) return false;
      await this.#env.slice('repair');
      const query = { partition, n, bucket, start: cursor, end, limit: MAX_DIGESTS };
      const [ours, theirs] = await Promise.all([
        this.#env.local.digests(query),
        this.#ask({ ...this.#share, ...query, kind: 'digests' }),
      ]);
      const next = earlier(ours.next, theirs.next);
      if (next !== undefined && next <= cursor) throw new ArmatureError('internal', 'a page of digests leads back');
      const sizes = new Map(theirs.entries.map(({ address, sizeBytes }) => [address, sizeBytes]));
      await this.#repair(differencesOf(ours, theirs, next), sizes);
      cursor = next;
    }
    return true;
  }

  /** `sizes`: of the sets of the peer, by address. */
  async #repair({ lackedHere, lackedThere, unequal }: Differences, sizes: ReadonlyMap<Address, number>): Promise<void> {
    this.#differing += lackedHere.length + lackedThere.length + unequal.length;
    const pulled = await this.#pull([...lackedHere, ...unequal], sizes);
    await this.#push([...lackedThere, ...unequal], pulled);
  }

  /** What came, by address. */
  async #pull(addresses: readonly Address[], sizes: ReadonlyMap<Address, number>): Promise<ReadonlyMap<Address, Uint8Array>> {
    const came = new Map<Address, Uint8Array>();
    for (let done = 0; done < addresses.length;) {
      const asked = addresses.slice(done, done + SETS_PER_QUESTION);
      const timeMs = answerTimeMs(asked.map((address) => sizes.get(address) ?? 0));
      const sets = await this.#setsOf(this.#ask({ kind: 'sets', ring: this.#request.ring, addresses: asked }, timeMs));
      if (sets === undefined) {
        done++;
        continue;
      }
      if (sets.length === 0 || sets.length > asked.length)
        throw new ArmatureError('internal', 'a peer sent other sets than asked for');
      const entries = sets.flatMap((set, place) => {
        const address = asked[place];
        return set === undefined || address === undefined ? [] : [{ address, set }];
      });
      await this.#env.local.absorb(entries, false);
      for (const { address, set } of entries) {
        came.set(address, set);
        this.#bytes += set.length;
      }
      this.#pulled += entries.length;
      done += sets.length;
    }
    return came;
  }

  async #push(addresses: readonly Address[], pulled: ReadonlyMap<Address, Uint8Array>): Promise<void> {
    for (let done = 0; done < addresses.length;) {
      const asked = addresses.slice(done, done + SETS_PER_QUESTION);
      const sets = await this.#setsOf(this.#env.local.sets(asked));
      if (sets === undefined) {
        done++;
        continue;
      }
      const entries = sets.flatMap((set, place) => {
        const address = asked[place];
        if (set === undefined || address === undefined) return [];
        const theirs = pulled.get(address);
        // Where theirs had everything that ours had, the join is theirs, and they need not have it back.
        return theirs !== undefined && bytesEqual(theirs, set) ? [] : [{ address, set }];
      });
      const bytes = entries.reduce((sum, { set }) => sum + set.length, 0);
      const question = { kind: 'absorb', ring: this.#request.ring, durable: false, entries } as const;
      if (entries.length > 0) await this.#ask(question, transferTimeMs(bytes));
      this.#bytes += bytes;
      this.#pushed += entries.length;
      done += sets.length;
    }
  }

  /** Undefined where the first of them cannot be sent. */
  async #setsOf(asked: Promise<SetsReply>): Promise<SetsReply['sets'] | undefined> {
    const sets = await asked.then((reply) => reply.sets, tooLargeToCarry);
    if (!(sets instanceof ArmatureError)) return sets;
    this.stuck = sets;
    return undefined;
  }

  #isOverBudget(): boolean {
    const { keys, bytes, timeMs } = this.#limits;
    return this.#differing >= keys || this.#bytes >= bytes || this.#env.clock.monotonicMs() - this.#startedMs >= timeMs;
  }

  get #share(): Pick<ExchangeRequest, 'ring' | 'partition' | 'n'> {
    const { ring, partition, n } = this.#request;
    return { ring, partition, n };
  }

  #ask<Q extends SynchronisationRequest>(request: Q, moreMs = 0): Promise<ReplyTo<Q>> {
    return this.#env.ask(this.#request.peer, request, ASK_TIMEOUT_MS + moreMs);
  }
}

export interface Differences {
  readonly lackedHere: readonly Address[];
  readonly lackedThere: readonly Address[];
  readonly unequal: readonly Address[];
}

interface Page {
  readonly entries: readonly Pick<DigestsReply['entries'][number], 'address' | 'digest'>[];
}

/** Compares two pages of digests as far as both reach: before `end`. */
export function differencesOf(ours: Page, theirs: Page, end: BinaryString | undefined): Differences {
  const isWithin = ({ address }: { readonly address: Address }): boolean => end === undefined || address < end;
  const here = new Map(ours.entries.filter(isWithin).map(({ address, digest }) => [address, digest]));
  const lackedHere: Address[] = [];
  const unequal: Address[] = [];
  for (const { address, digest } of theirs.entries.filter(isWithin)) {
    const own = here.get(address);
    if (own === undefined) lackedHere.push(address);
    else if (own !== digest) unequal.push(address);
    here.delete(address);
  }
  return { lackedHere, lackedThere: [...here.keys()], unequal };
}

function earlier(one: BinaryString | undefined, other: BinaryString | undefined): BinaryString | undefined {
  if (one === undefined) return other;
  return other === undefined || one < other ? one : other;
}
