/**
 * Listing the live keys of a bucket, in ring order, a page at a time. Each partition is read from R of its owners, and what they
 * hold is joined key by key, as a get would do. It is a listing, not a snapshot: keys written during it may or may not be in it.
 *
 * Pages of several replicas end at different keys; only what lies before the earliest of those ends is known from all of them,
 * and the next page goes on there. The cursor is a position on the ring, so it stays valid whatever becomes of nodes and
 * partitions.
 *
 * Pages are bounded in bytes as well as in keys, those of replicas and those for the client, so that they fit into messages
 * whatever the values weigh. A key whose values are larger than a page has a page of its own. Where only keys are asked for,
 * replicas send outlines, which have no values.
 */
import { ArmatureError, toArmatureError, type BinaryString, type ErrorCode, type NodeId } from '@armature/kernel';
import {
  isTooLargeToSend,
  largestSetSentBytes,
  pageBytes,
  tooLargeToSend,
  unknownBucket,
  type FetchedSibling,
  type PullReply,
  type PullRequest,
  type ScanReply,
  type ScanRequest,
} from '@armature/protocol';
import { POSITION_BYTES, type Address } from '@armature/ring';
import { decodeVersionSet, join, liveSiblings, resolve, type Resolver, type VersionSet } from '@armature/versioning';
import { MAX_RING_RETRIES, refreshWithin, type CoordinationEnv } from './environment.js';

/** Entries in a page whatever the caller asks for. */
const MAX_PAGE = 1_000;
/** Bytes of a page, where messages are not smaller: pulled from one replica, and answered. One entry alone may be larger. */
const MAX_PAGE_BYTES = 4 * 1024 * 1024;
/**
 * A page with so much of its bytes is not filled up: what is pulled next may be too large for the rest, and would be pulled in
 * vain.
 */
const ENOUGH = 0.5;
/** About what an answer needs for a sibling beside value and metadata. */
const SIBLING_BYTES = 32;

/** Share of the time left that the first owners asked may take, so that there is time for others. */
const ATTEMPT_SHARE = 0.4;

/**
 * Errors: `unknown-bucket`, `no-cluster`, `unavailable` when fewer than R owners of a partition answer; `too-large` where the
 * values of the next key do not fit into a message, and were asked for.
 */
export async function scan(env: CoordinationEnv, request: ScanRequest, timeoutMs: number): Promise<ScanReply> {
  const deadlineMs = env.clock.monotonicMs() + timeoutMs;
  const page = new Page(Math.min(Math.max(1, request.limit), MAX_PAGE), env.messageBytes);
  let cursor: BinaryString | undefined = request.cursor;
  // Half of the time for one page, so that it arrives: what is missing comes with the next.
  while (cursor !== undefined && !page.isFull && env.clock.monotonicMs() < deadlineMs - timeoutMs / 2) {
    cursor = await scanPartition(env, request, cursor, page, deadlineMs);
  }
  return { kind: 'scan', items: page.items, next: cursor };
}

type Item = ScanReply['items'][number];

/** The answer as it grows. */
class Page {
  readonly items: Item[] = [];
  readonly #limit: number;
  readonly #limitBytes: number;
  readonly #messageBytes: number;
  #sizeBytes = 0;
  #isFull = false;

  constructor(limit: number, messageBytes: number) {
    this.#limit = limit;
    this.#limitBytes = pageBytes(MAX_PAGE_BYTES, messageBytes);
    this.#messageBytes = messageBytes;
  }

  get isFull(): boolean {
    return this.#isFull || this.items.length >= this.#limit || this.#sizeBytes >= this.#limitBytes * ENOUGH;
  }

  get room(): Pick<PullRequest, 'limit' | 'limitBytes'> {
    return { limit: this.#limit - this.items.length, limitBytes: this.#limitBytes - this.#sizeBytes };
  }

  /**
   * Whether it has taken the item; once one did not fit, the page is full. The first one fits, if a message can carry it. Error
   * `too-large` if not.
   */
  take(item: Item): boolean {
    const sizeBytes = item.address.length + siblingsBytes(item.siblings);
    if (this.items.length === 0 && sizeBytes > largestSetSentBytes(this.#messageBytes)) throw tooLargeToSend(item.address);
    const fits = this.items.length === 0 || (this.items.length < this.#limit && this.#sizeBytes + sizeBytes <= this.#limitBytes);
    if (!fits || this.#isFull) this.#isFull = true;
    else {
      this.items.push(item);
      this.#sizeBytes += sizeBytes;
    }
    return !this.#isFull;
  }
}

/** About what siblings take in an answer, and no less. */
export function siblingsBytes(siblings: readonly FetchedSibling[]): number {
  let sizeBytes = SIBLING_BYTES;
  for (const { value, meta } of siblings) {
    sizeBytes += SIBLING_BYTES + value.length;
    for (const [name, text] of meta) sizeBytes += SIBLING_BYTES + 3 * (name.length + text.length);
  }
  return sizeBytes;
}

/** Puts into the page what the partition has from the cursor on. Where to go on; undefined at the end of the ring. */
async function scanPartition(
  env: CoordinationEnv,
  request: ScanRequest,
  cursor: BinaryString,
  page: Page,
  deadlineMs: number,
): Promise<BinaryString | undefined> {
  for (let attempt = 1; ; attempt++) {
    const view = env.view();
    const bucket = view.buckets.get(request.bucket);
    if (bucket === undefined) throw unknownBucket(request.bucket);
    const { ring } = view;
    if (ring === undefined) throw new ArmatureError('no-cluster', 'there is no ring to list keys from');
    const partition = ring.partitionOf(cursor.padEnd(POSITION_BYTES, '\0') as Address);
    const { end } = ring.rangeOf(partition);
    const owners = env.monitor.order(view.placementOf(partition, bucket.n).owners);
    const pull: PullRequest = {
      kind: 'pull',
      ring: view.ringVersion,
      start: cursor,
      end,
      bucket: request.bucket,
      ...page.room,
      withValues: request.withValues,
    };
    const { pages, failures } = await pullFrom(env, owners, bucket.r, pull, deadlineMs);
    if (pages.length >= bucket.r) {
      const known = earliestEnd(pages);
      return addTo(page, joinPages(pages, known, bucket.resolver), request.withValues) ?? known ?? end;
    }
    if (!failures.includes('stale-ring') || attempt === MAX_RING_RETRIES) throw unmet(pages.length, bucket.r, failures);
    await refreshWithin(env, deadlineMs - env.clock.monotonicMs()).catch(() => undefined); // what could not be caught up with, the replicas tell again
  }
}

/** What `needed` of the owners hold, the next ones asked in the place of those that fail. */
async function pullFrom(
  env: CoordinationEnv,
  owners: readonly NodeId[],
  needed: number,
  request: PullRequest,
  deadlineMs: number,
): Promise<{ pages: PullReply[]; failures: ErrorCode[] }> {
  const pages: PullReply[] = [];
  const failures: ErrorCode[] = [];
  let next = 0;
  while (pages.length < needed && next < owners.length) {
    const batch = owners.slice(next, next + needed - pages.length);
    next += batch.length;
    const leftMs = deadlineMs - env.clock.monotonicMs();
    const timeoutMs = Math.max(1, next < owners.length ? leftMs * ATTEMPT_SHARE : leftMs);
    const settled = await Promise.allSettled(batch.map((node) => env.ask(node, request, timeoutMs)));
    for (const one of settled) {
      if (one.status === 'fulfilled') pages.push(one.value);
      else failures.push(passing(toArmatureError(one.reason)).code);
    }
  }
  return { pages, failures };
}

/** Throws an error of the key that the page would begin with: no other replica could send it, either. */
function passing(error: ArmatureError): ArmatureError {
  if (isTooLargeToSend(error)) throw error;
  return error;
}

/**
 * The live keys among those that all replicas know of. The first that does not fit, if any: replicas may hold different keys, and
 * have more together than fit.
 */
function addTo(
  page: Page,
  sets: readonly { readonly address: Address; readonly set: VersionSet }[],
  withValues: boolean,
): Address | undefined {
  for (const { address, set } of sets) {
    const live = liveSiblings(set);
    const siblings = withValues ? live.map(({ version }) => fetchedSibling(version)) : [];
    if (live.length > 0 && !page.take({ address, siblings })) return address;
  }
  return undefined;
}

function unmet(answered: number, needed: number, failures: readonly ErrorCode[]): ArmatureError {
  const why = failures.length === 0 ? '' : ` (${failures.join(', ')})`;
  const later = 'Repeat later. "armature cluster status" shows which nodes are down.';
  const longer =
    'Repeat with more time, which a key with large values may need, or later. "armature cluster status" shows which nodes are down.';
  return new ArmatureError(
    'unavailable',
    `${answered} of the ${needed} replicas needed answered the listing of a partition${why}`,
    {
      remedy: failures.includes('timeout') ? longer : later,
    },
  );
}

/** The least key at which some page ends short of the range; undefined when all pages reach its end. */
function earliestEnd(pages: readonly PullReply[]): BinaryString | undefined {
  let earliest: BinaryString | undefined;
  for (const { next } of pages) if (next !== undefined && (earliest === undefined || next < earliest)) earliest = next;
  return earliest;
}

function joinPages(
  pages: readonly PullReply[],
  end: BinaryString | undefined,
  resolver: Resolver,
): { address: Address; set: VersionSet }[] {
  const sets = new Map<Address, VersionSet>();
  for (const page of pages) {
    for (const { address, set } of page.entries) {
      if (end !== undefined && address >= end) continue;
      const decoded = decodeVersionSet(set);
      if (!decoded.ok) continue; // one replica's damage; another has the key whole
      const held = sets.get(address);
      sets.set(address, held === undefined ? decoded.value : join(held, decoded.value));
    }
  }
  return [...sets]
    .map(([address, set]) => ({ address, set: resolve(resolver, set) }))
    .sort((a, b) => (a.address < b.address ? -1 : 1));
}

/** A version as clients get it. */
export function fetchedSibling(version: {
  value: Uint8Array;
  tombstone: boolean;
  at: number;
  meta: FetchedSibling['meta'];
}): FetchedSibling {
  return { value: version.value, tombstone: version.tombstone, at: version.at, meta: version.meta };
}
