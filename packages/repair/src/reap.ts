/**
 * Reaping: dropping tombstones, and entries of clocks, when nothing can bring back what they supersede.
 *
 * The first owner of a partition runs it. It looks through a list of its own records of a share of which every version is a
 * tombstone, or which have long clocks (versioning/prune.ts), and asks every other member of the cluster about them, and itself:
 *
 *   candidate --all clear--> in quarantine --all clear again, after the time--> noted by all
 *             --> dropped by the other owners, then here
 *
 * What all note is how often each member has cleared something (`clearing.ts`). An old copy of a member's store is found out by
 * that, whoever it can ask.
 *
 * One member that is down, says anything but `clear`, or does not answer, and the set stays as it is. No clock decides: without
 * an answer from everybody nothing is ever dropped, however long it takes. Owners touch only what is still in that very state, so
 * a write in between is kept, and a crash in between leaves the whole set on some owners, from which synchronisation copies it
 * back for a later pass. docs/decisions/0007-reaping.md argues that this is safe for tombstones, and 0012-pruning.md for clocks.
 */
import { ArmatureError, toArmatureError, type BinaryString, type NodeId, type PartitionId } from '@armature/kernel';
import type { View } from '@armature/membership';
import { entryDigest } from '@armature/merkle';
import {
  nothingHeldBack,
  type ClearingCount,
  type ClearRequest,
  type DigestedEntry,
  type DropRequest,
  type HoldReason,
  type NoteRequest,
  type ReapReply,
  type ReapRequest,
  type ReplyTo,
} from '@armature/protocol';
import { bucketOfAddress, type Address } from '@armature/ring';
import type { Clock } from '@armature/runtime';
import { DEFAULT_PRUNE_ABOVE, decodeVersionSet, isDeleted, isReapable } from '@armature/versioning';
import type { Clearing } from './clearing.js';
import { Quarantine, type QuarantineLimits, type ShareName } from './quarantine.js';
import type { ScannedPage } from './tree-build.js';
import type { ScanQuery } from './tree-keeper.js';

/** What the first owner asks of members. */
export type AskedRequest = ClearRequest | NoteRequest | DropRequest;

export interface ReaperEnv {
  readonly node: NodeId;
  readonly view: () => View;
  /** This node's own part: it is an owner like the others. */
  readonly clearing: Pick<Clearing, 'clear' | 'note' | 'drop'>;
  /** Of what is held here: what may be reaped, from a list of it. */
  readonly reapable: (query: ScanQuery) => Promise<ScannedPage>;
  readonly ask: <Q extends AskedRequest>(member: NodeId, request: Q, timeoutMs: number) => Promise<ReplyTo<Q>>;
  readonly isSuspect: (node: NodeId) => boolean;
  readonly slice: (kind: 'reap') => Promise<void>;
  readonly clock: Clock;
}

/** The quarantine is several times what a message can be late: requests end, and repairs are not sent, after a minute. */
export const DEFAULT_REAP_QUARANTINE_MS = 10 * 60_000;
/** Of keys of 50 bytes: 220,000 in every quarantine, so 370 deletes a second for a node. More wait until these are gone. */
const MAX_QUARANTINE_BYTES = 64 * 1024 ** 2;

const PAGE_ENTRIES = 500;
const PAGE_BYTES = 1024 * 1024;
/** A run ends after about so long, and is gone on with by the next. */
const RUN_MS = 15_000;
/** Members may have to wait for a slice of time before they look. */
const ASK_TIMEOUT_MS = 10_000;
/** Runs at a time, of different shares. */
const MAX_RUNS = 2;

interface Share {
  readonly name: ShareName;
  readonly request: ReapRequest;
  /** Of `request.ring`. */
  readonly view: View;
}

interface Candidate extends DigestedEntry {
  readonly isTombstone: boolean;
}

interface Cleared {
  readonly candidates: readonly Candidate[];
  /** Of all members, after that. */
  readonly counts: readonly ClearingCount[];
}

const NOTHING_CLEARED: Cleared = { candidates: [], counts: [] };

export interface ReaperLimits extends QuarantineLimits {
  /** Clocks with more entries are pruned; `DEFAULT_PRUNE_ABOVE` by default. */
  readonly pruneAbove: number;
}

type Tally = { -readonly [K in Exclude<keyof ReapReply, 'kind' | 'heldBack'>]: ReapReply[K] } & {
  readonly heldBack: Record<HoldReason, number>;
};

export class Reaper {
  readonly #env: ReaperEnv;
  readonly #quarantine: Quarantine;
  readonly #pruneAbove: number;
  readonly #running = new Set<ShareName>();
  /** When the pass over a share that is under way began, monotonic ms. */
  readonly #begun = new Map<ShareName, number>();

  constructor(env: ReaperEnv, { pruneAbove = DEFAULT_PRUNE_ABOVE, ...limits }: Partial<ReaperLimits> = {}) {
    this.#env = env;
    this.#pruneAbove = pruneAbove;
    this.#quarantine = new Quarantine({ quarantineMs: DEFAULT_REAP_QUARANTINE_MS, sizeBytes: MAX_QUARANTINE_BYTES, ...limits });
  }

  /** Keys in quarantine. */
  get quarantined(): number {
    return this.#quarantine.size;
  }

  /**
   * One run. Its ring is that of the present view. Errors: `invalid-argument` when this node is not the first owner, `overloaded`
   * when it runs as many as it may, `stale-ring` when the ring changes meanwhile, `unavailable` when this node's store turns out
   * to be an old copy, storage errors. What others do not do is in the reply.
   */
  async run(request: ReapRequest): Promise<ReapReply> {
    const view = this.#env.view();
    const share: Share = { name: nameOf(request.partition, request.n), request, view };
    this.#checkShare(share);
    this.#quarantine.keepOnly((name) => this.#isFirstOwner(view, name));
    if (this.#running.has(share.name) || this.#running.size >= MAX_RUNS) {
      throw new ArmatureError('overloaded', 'this node is reaping already', { remedy: 'Repeat in a second.' });
    }
    this.#running.add(share.name);
    const tally: Tally = { ...nothingDone(), heldBack: nothingHeldBack(), blocked: this.#obstacle(share) };
    try {
      if (tally.blocked === '') tally.next = await this.#scan(share, tally);
      return { kind: 'reap', ...tally };
    } finally {
      this.#running.delete(share.name);
    }
  }

  /** Where the next run goes on; undefined at the end, or when it is blocked. */
  async #scan(share: Share, tally: Tally): Promise<BinaryString | undefined> {
    const { clock, reapable, slice } = this.#env;
    const { request, view, name } = share;
    const range = rangeOf(view, request.partition);
    const startedMs = clock.monotonicMs();
    if (request.start === undefined) this.#begun.set(name, startedMs);
    for (let cursor: BinaryString | undefined = request.start ?? range.start; cursor !== undefined;) {
      if (clock.monotonicMs() - startedMs >= RUN_MS) return cursor;
      await slice('reap');
      const page = await reapable({ start: cursor, end: range.end, limit: PAGE_ENTRIES, limitBytes: PAGE_BYTES });
      const entries = entriesOf(share, page);
      const candidates = candidatesOf(entries, this.#pruneAbove);
      tally.scanned += entries.length;
      tally.candidates += candidates.length;
      this.#quarantine.note(name, candidates, clock.monotonicMs());
      if (candidates.length > 0) await this.#reap(share, candidates, tally);
      if (tally.blocked !== '') return undefined;
      cursor = page.next;
    }
    const begunMs = this.#begun.get(name);
    if (begunMs !== undefined && request.bucket === undefined) this.#quarantine.prune(name, begunMs);
    this.#begun.delete(name);
    return undefined;
  }

  async #reap(share: Share, candidates: readonly Candidate[], tally: Tally): Promise<void> {
    const cleared = await this.#cleared(share, candidates, tally);
    this.#checkRing(share);
    const nowMs = this.#env.clock.monotonicMs();
    const { due, waiting, full } = this.#quarantine.judge(share.name, share.request.ring, cleared.candidates, nowMs);
    tally.waiting += waiting;
    tally.heldBack.full += full;
    if (due.length === 0) return;
    if (!(await this.#isNoted(share, cleared.counts, tally))) {
      tally.heldBack.unanswered += due.length;
      return;
    }
    const gone = await this.#dropped(share, due, tally);
    const tombstones = gone.filter(({ isTombstone }) => isTombstone).length;
    tally.reaped += tombstones;
    tally.pruned += gone.length - tombstones;
  }

  /** Those that every member has cleared. */
  async #cleared(share: Share, candidates: readonly Candidate[], tally: Tally): Promise<Cleared> {
    const own = await this.#env.clearing.clear({ entries: candidates });
    const asked = candidates.filter((_, place) => own.clearances[place] === 'clear');
    for (const clearance of own.clearances) if (clearance !== 'clear') tally.heldBack[clearance]++;
    if (asked.length === 0) return NOTHING_CLEARED;
    const others = this.#othersOf(share);
    const answers = await this.#askAll(share, others, { kind: 'clear', ring: share.request.ring, entries: asked }, tally);
    if (answers === undefined) {
      tally.heldBack.unanswered += asked.length;
      return NOTHING_CLEARED;
    }
    const left = asked.filter((_, place) => {
      const reason = answers.map(({ clearances }) => clearances[place] ?? 'differs').find((clearance) => clearance !== 'clear');
      if (reason !== undefined) tally.heldBack[reason]++;
      return reason === undefined;
    });
    return { candidates: left, counts: [own, ...answers].flatMap(({ counted }) => counted ?? []) };
  }

  /** Whether every member has noted these counts. */
  async #isNoted(share: Share, counts: readonly ClearingCount[], tally: Tally): Promise<boolean> {
    await this.#env.clearing.note({ counts });
    const request = { kind: 'note', ring: share.request.ring, counts } as const;
    return (await this.#askAll(share, this.#othersOf(share), request, tally)) !== undefined;
  }

  #othersOf({ view }: Share): readonly NodeId[] {
    return [...view.members.keys()].filter((member) => member !== this.#env.node);
  }

  /**
   * Those that are gone: from the other owners first, then from here. What is only gone from some comes back, and is taken later.
   */
  async #dropped(share: Share, due: readonly Candidate[], tally: Tally): Promise<readonly Candidate[]> {
    const { owners } = share.view.placementOf(share.request.partition, share.request.n);
    const others = owners.filter((owner) => owner !== this.#env.node);
    const answers = await this.#askAll(share, others, { kind: 'drop', ring: share.request.ring, entries: due }, tally);
    if (answers === undefined) {
      tally.heldBack.unanswered += due.length;
      return [];
    }
    const everywhereElse = due.filter((_, place) => answers.every(({ dropped }) => dropped[place] === true));
    const { dropped } = await this.#env.clearing.drop({ entries: everywhereElse });
    const gone = everywhereElse.filter((_, place) => dropped[place] === true);
    tally.heldBack.changed += due.length - gone.length;
    for (const { address } of due) this.#quarantine.forget(share.name, address);
    return gone;
  }

  /**
   * Undefined, and the tally says who, when one of them does not do its part. Error `stale-ring` when it or we have a new ring.
   */
  async #askAll<Q extends AskedRequest>(
    share: Share,
    members: readonly NodeId[],
    request: Q,
    tally: Tally,
  ): Promise<readonly ReplyTo<Q>[] | undefined> {
    this.#checkRing(share);
    const settled = await Promise.allSettled(members.map((member) => this.#env.ask(member, request, ASK_TIMEOUT_MS)));
    const replies: ReplyTo<Q>[] = [];
    for (const [place, one] of settled.entries()) {
      if (one.status === 'fulfilled') {
        replies.push(one.value);
        continue;
      }
      const error = toArmatureError(one.reason);
      if (error.code === 'stale-ring') throw error;
      tally.blocked = `${members[place] ?? ''}: ${error.code}: ${error.message}`;
    }
    return replies.length === members.length ? replies : undefined;
  }

  #checkShare({ request, view }: Share): void {
    const { partition, n, start } = request;
    const isShare = view.ns.includes(n) && partition < (view.ring?.partitionCount ?? 0);
    if (!isShare || view.placementOf(partition, n).owners[0] !== this.#env.node) {
      throw new ArmatureError(
        'invalid-argument',
        `${this.#env.node} is not the first owner of partition ${partition} for n=${n}`,
        {
          remedy: 'Take partitions and owners from the present view.',
        },
      );
    }
    const range = rangeOf(view, partition);
    if (start !== undefined && (start < range.start || (range.end !== undefined && start >= range.end)))
      throw new ArmatureError('invalid-argument', `a pass over partition ${partition} cannot go on there`);
  }

  #checkRing({ request }: Share): void {
    const { ringVersion } = this.#env.view();
    if (ringVersion === request.ring) return;
    throw new ArmatureError('stale-ring', 'the ring has changed during the pass', { details: { ring: ringVersion } });
  }

  /** Why nothing can be reaped now, however the answers would be; empty when nothing is known to stand against it. */
  #obstacle({ request, view }: Share): string {
    if (view.placementOf(request.partition, request.n).pending.length > 0) return 'the partition is moving';
    // Its hints may be changing hands, and be missed here and there.
    const leaving = [...view.members.values()].find(({ state }) => state === 'leaving');
    if (leaving !== undefined) return `${leaving.node} is leaving`;
    const down = [...view.members.keys()].filter((member) => member !== this.#env.node && this.#env.isSuspect(member));
    return down.length === 0 ? '' : `${down.join(', ')} did not answer lately`;
  }

  #isFirstOwner(view: View, name: ShareName): boolean {
    const [partition, n] = name.split('/').map(Number) as [PartitionId, number];
    return view.ns.includes(n) && view.placementOf(partition, n).owners[0] === this.#env.node;
  }
}

/** What of a page is of the share. */
function entriesOf(
  { request, view }: Share,
  { entries }: ScannedPage,
): { readonly address: Address; readonly set: Uint8Array }[] {
  return entries.flatMap(({ address: key, set }) => {
    const address = key as string as Address;
    const bucket = bucketOfAddress(address);
    const isMeant = view.buckets.get(bucket)?.n === request.n && (request.bucket === undefined || request.bucket === bucket);
    return isMeant ? [{ address, set }] : [];
  });
}

function candidatesOf(entries: ReturnType<typeof entriesOf>, pruneAbove: number): Candidate[] {
  return entries.flatMap(({ address, set }) => {
    const decoded = decodeVersionSet(set);
    if (!decoded.ok || !isReapable(decoded.value, pruneAbove)) return [];
    return [{ address, digest: entryDigest(address, set), isTombstone: isDeleted(decoded.value) }];
  });
}

function rangeOf(view: View, partition: PartitionId): { start: BinaryString; end: BinaryString | undefined } {
  if (view.ring === undefined) throw new ArmatureError('no-cluster', 'there is no ring yet');
  return view.ring.rangeOf(partition);
}

function nameOf(partition: PartitionId, n: number): ShareName {
  return `${partition}/${n}`;
}

function nothingDone(): Omit<Tally, 'heldBack' | 'blocked'> {
  return { scanned: 0, candidates: 0, waiting: 0, reaped: 0, pruned: 0, next: undefined };
}
