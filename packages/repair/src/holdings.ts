/**
 * How much a node holds of each of its shares. Exactly where hash trees are built; otherwise from a sample: addresses begin with
 * the MD5 of their key, so they are spread evenly, and if the first page of a partition reaches a third of the way through its
 * arc, the partition holds three times as much. Of a node that has just started with thousands of partitions, some are looked at,
 * and the others are taken to be as large as those.
 */
import type { BinaryString, NodeId, PartitionId } from '@armature/kernel';
import { isHolder, type View } from '@armature/membership';
import type { Holdings, ShareHolding } from '@armature/protocol';
import { bucketOfAddress, POSITION_BYTES, type Address } from '@armature/ring';
import type { ScanQuery, TreeKeeper } from './tree-keeper.js';
import type { ScannedPage } from './tree-build.js';

export interface HoldingsEnv {
  readonly node: NodeId;
  readonly view: () => View;
  readonly trees: Pick<TreeKeeper, 'sizeOf'>;
  readonly page: (query: ScanQuery) => Promise<ScannedPage>;
}

const SAMPLED_PARTITIONS = 64;
const SAMPLE_ENTRIES = 200;
const SAMPLE_BYTES = 256 * 1024;
/** Bytes of a position that tell how far through an arc it is: even of 2^16 partitions, to a millionth. */
const FRACTION_BYTES = 6;

type Size = Pick<ShareHolding, 'records' | 'bytes'>;
const NOTHING: Size = { records: 0, bytes: 0 };

/** Rejects with storage errors. */
export async function measureHoldings(env: HoldingsEnv): Promise<Holdings> {
  const view = env.view();
  const shares: ShareHolding[] = [];
  const unknown: { readonly partition: PartitionId; readonly n: number }[] = [];
  for (const share of sharesOf(view, env.node)) {
    const size = env.trees.sizeOf(share.partition, share.n);
    if (size === undefined) unknown.push(share);
    else if (size.records > 0) shares.push({ ...share, ...size, exact: true });
  }
  shares.push(...(await estimated(env, view, unknown)));
  shares.sort((one, other) => one.partition - other.partition || one.n - other.n);
  return { node: env.node, ring: view.ringVersion, shares };
}

function sharesOf(view: View, node: NodeId): { partition: PartitionId; n: number }[] {
  const shares: { partition: PartitionId; n: number }[] = [];
  for (let index = 0; index < (view.ring?.partitionCount ?? 0); index++) {
    const partition = index as PartitionId;
    for (const n of view.ns) {
      if (isHolder(view.placementOf(partition, n), node)) shares.push({ partition, n });
    }
  }
  return shares;
}

async function estimated(
  env: HoldingsEnv,
  view: View,
  unknown: readonly { readonly partition: PartitionId; readonly n: number }[],
): Promise<ShareHolding[]> {
  const partitions = [...new Set(unknown.map(({ partition }) => partition))];
  // Spread over the list, so that a sample is not of one corner of the ring only.
  const stride = Math.max(1, partitions.length / SAMPLED_PARTITIONS);
  const samples = new Map<PartitionId, ReadonlyMap<number, Size>>();
  for (let at = 0; at < partitions.length; at += stride) {
    const partition = partitions[Math.floor(at)] as PartitionId;
    samples.set(partition, await sample(env, view, partition));
  }
  const meanOf = (n: number): Size => {
    const sizes = [...samples.values()].map((byN) => byN.get(n) ?? NOTHING);
    const mean = (of: (size: Size) => number): number =>
      Math.round(sizes.reduce((sum, size) => sum + of(size), 0) / Math.max(1, sizes.length));
    return { records: mean(({ records }) => records), bytes: mean(({ bytes }) => bytes) };
  };
  const means = new Map(view.ns.map((n) => [n, meanOf(n)]));
  return unknown.flatMap(({ partition, n }) => {
    const sampled = samples.get(partition);
    const size = (sampled === undefined ? means.get(n) : sampled.get(n)) ?? NOTHING;
    return size.records === 0 ? [] : [{ partition, n, ...size, exact: false }];
  });
}

/** What a partition holds, by N, going by its first page. */
async function sample(env: HoldingsEnv, view: View, partition: PartitionId): Promise<ReadonlyMap<number, Size>> {
  const sizes = new Map<number, Size>();
  if (view.ring === undefined) return sizes;
  const { start, end } = view.ring.rangeOf(partition);
  const page = await env.page({ start, end, limit: SAMPLE_ENTRIES, limitBytes: SAMPLE_BYTES });
  const factor = page.next === undefined ? 1 : 1 / Math.max(1e-6, shareOfArc(start, end, page.next));
  for (const { address, set } of page.entries) {
    const n = view.buckets.get(bucketOfAddress(address as string as Address))?.n;
    if (n === undefined) continue;
    const { records, bytes } = sizes.get(n) ?? NOTHING;
    sizes.set(n, { records: records + 1, bytes: bytes + address.length + set.length });
  }
  for (const [n, { records, bytes }] of sizes) {
    sizes.set(n, { records: Math.round(records * factor), bytes: Math.round(bytes * factor) });
  }
  return sizes;
}

/** How far `at` is on the way from `start` to `end` (undefined: the end of the ring). */
function shareOfArc(start: BinaryString, end: BinaryString | undefined, at: BinaryString): number {
  const last = end === undefined ? 1 : fractionOf(end);
  return (fractionOf(at) - fractionOf(start)) / (last - fractionOf(start));
}

/** A position as a part of the whole ring. */
function fractionOf(position: BinaryString): number {
  let fraction = 0;
  const known = Math.min(FRACTION_BYTES, POSITION_BYTES, position.length);
  for (let i = known - 1; i >= 0; i--) fraction = (fraction + position.charCodeAt(i)) / 256;
  return fraction;
}
