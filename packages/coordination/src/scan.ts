/**
 * Listing the live keys of a bucket, in ring order, a page at a time. Each partition is read from R of its owners, and what they hold is joined key
 * by key, as a get would do. It is a listing, not a snapshot: keys written during it may or may not be in it.
 *
 * Pages of several replicas end at different keys; only what lies before the earliest of those ends is known from all of them, and
 * the next page goes on there. The cursor is a position on the ring, so it stays valid whatever becomes of nodes and partitions.
 */
import { ArmatureError, type BinaryString, type NodeId } from '@armature/kernel';
import {
  unknownBucket,
  type FetchedSibling,
  type PullReply,
  type PullRequest,
  type ScanReply,
  type ScanRequest,
} from '@armature/protocol';
import { POSITION_BYTES, type Address } from '@armature/ring';
import { decodeVersionSet, join, liveSiblings, resolve, type Resolver, type VersionSet } from '@armature/versioning';
import type { CoordinationEnv } from './environment.js';

/** Entries in a page whatever the caller asks for. */
const MAX_PAGE = 1_000;
/** Bytes of values pulled from one replica for a page. */
const PAGE_BYTES = 4 * 1024 * 1024;

/** Errors: `unknown-bucket`, `unavailable` when fewer than R owners of a partition answer. */
export async function scan(env: CoordinationEnv, request: ScanRequest, timeoutMs: number): Promise<ScanReply> {
  const deadlineMs = env.clock.monotonicMs() + timeoutMs;
  const limit = Math.min(Math.max(1, request.limit), MAX_PAGE);
  const items: ScanReply['items'][number][] = [];
  let cursor: BinaryString | undefined = request.cursor;
  // Half of the time for one page, so that it arrives: what is missing comes with the next.
  while (cursor !== undefined && items.length < limit && env.clock.monotonicMs() < deadlineMs - timeoutMs / 2) {
    const page = await scanPartition(env, request, cursor, limit - items.length, deadlineMs);
    items.push(...page.items);
    cursor = page.next;
  }
  return { kind: 'scan', items, next: cursor };
}

async function scanPartition(
  env: CoordinationEnv,
  request: ScanRequest,
  cursor: BinaryString,
  limit: number,
  deadlineMs: number,
): Promise<Pick<ScanReply, 'items' | 'next'>> {
  const view = env.view();
  const bucket = view.buckets.get(request.bucket);
  if (bucket === undefined) throw unknownBucket(request.bucket);
  const { ring } = view;
  if (ring === undefined) throw new ArmatureError('no-cluster', 'there is no ring to list keys from');
  const partition = ring.partitionOf(cursor.padEnd(POSITION_BYTES, '\0') as string as Address);
  const { end } = ring.rangeOf(partition);
  const owners = env.monitor.order(view.placementOf(partition, bucket.n).owners);
  const pull: PullRequest = {
    kind: 'pull',
    ring: view.ringVersion,
    start: cursor,
    end,
    bucket: request.bucket,
    limit,
    limitBytes: PAGE_BYTES,
  };
  const pages = await pullFrom(env, owners, bucket.r, pull, deadlineMs);
  const known = earliestEnd(pages);
  const items = joinPages(pages, known, bucket.resolver).map(({ address, set }) => ({
    address,
    siblings: siblingsOf(set, request.withValues),
  }));
  return { items: items.filter(({ siblings }) => siblings.length > 0), next: known ?? end };
}

async function pullFrom(
  env: CoordinationEnv,
  owners: readonly NodeId[],
  needed: number,
  request: PullRequest,
  deadlineMs: number,
): Promise<PullReply[]> {
  const pages: PullReply[] = [];
  let next = 0;
  while (pages.length < needed) {
    const batch = owners.slice(next, next + needed - pages.length);
    if (batch.length === 0) {
      throw new ArmatureError(
        'unavailable',
        `${pages.length} of the ${needed} replicas needed answered the listing of a partition`,
        {
          remedy: 'Repeat later. "armature cluster status" shows which nodes are down.',
        },
      );
    }
    next += batch.length;
    const settled = await Promise.allSettled(batch.map((node) => env.ask(node, request, deadlineMs - env.clock.monotonicMs())));
    for (const one of settled) if (one.status === 'fulfilled') pages.push(one.value);
  }
  return pages;
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

function siblingsOf(set: VersionSet, withValues: boolean): FetchedSibling[] {
  return liveSiblings(set).map(({ version }) => ({
    ...fetchedSibling(version),
    ...(withValues ? {} : { value: new Uint8Array(0) }),
  }));
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
