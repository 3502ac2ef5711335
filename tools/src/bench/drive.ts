/** One cell of the benchmark: a closed loop of so many operations in flight, latencies in an HDR histogram. */
import { build, type Histogram } from 'hdr-histogram-js';
import { bytes, type Bucket, type Client } from '@armature/client';
import type { Durability } from '@armature/protocol';

/** `mixed`: nine gets to one put, the paper's catalogue and session services lying on either side. */
export type Load = 'put' | 'get' | 'mixed';

export interface Cell {
  /** Of the bucket. */
  readonly durability: Durability;
  readonly load: Load;
  readonly inFlight: number;
  readonly sizeBytes: number;
  readonly seconds: number;
  readonly keys: number;
}

export interface CellResult extends Cell {
  readonly operations: number;
  readonly errors: number;
  readonly perSecond: number;
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

const PUT_SHARE = 0.1;
const HIGHEST_US = 60_000_000;

export async function preload(client: Client, durability: Durability, sizeBytes: number, keys: number): Promise<void> {
  const bucket = benchBucket(client, durability);
  let next = 0;
  const writer = async (): Promise<void> => {
    while (next < keys) await bucket.put(keyOf(sizeBytes, next++), valueOf(sizeBytes, next));
  };
  await Promise.all(Array.from({ length: 64 }, writer));
}

/** Runs the loop for a warm-up and then for `seconds`. Puts are blind writes of keys of their own, each once, as in a first load. */
export async function drive(client: Client, cell: Cell): Promise<CellResult> {
  const bucket = benchBucket(client, cell.durability);
  await loop(bucket, cell, (cell.seconds / 3) * 1000);
  const { histogram, errors, elapsedMs } = await loop(bucket, cell, cell.seconds * 1000);
  const operations = histogram.totalCount;
  const ms = (us: number): number => Math.round(us) / 1000;
  const result = {
    ...cell,
    operations,
    errors,
    perSecond: Math.round((operations / elapsedMs) * 1000),
    meanMs: ms(histogram.mean),
    p50Ms: ms(histogram.getValueAtPercentile(50)),
    p99Ms: ms(histogram.getValueAtPercentile(99)),
    p999Ms: ms(histogram.getValueAtPercentile(99.9)),
    maxMs: ms(histogram.maxValue),
  };
  histogram.destroy();
  return result;
}

let freshKeys = 0;

async function loop(
  bucket: Bucket<Uint8Array>,
  cell: Cell,
  durationMs: number,
): Promise<{ histogram: Histogram; errors: number; elapsedMs: number }> {
  const histogram = build({ lowestDiscernibleValue: 1, highestTrackableValue: HIGHEST_US, numberOfSignificantValueDigits: 3 });
  let errors = 0;
  const startMs = performance.now();
  const endMs = startMs + durationMs;
  const worker = async (): Promise<void> => {
    for (let nowMs = performance.now(); nowMs < endMs;) {
      const put = cell.load === 'put' || (cell.load === 'mixed' && Math.random() < PUT_SHARE);
      try {
        if (put) await bucket.put(`fresh/${process.pid}/${freshKeys++}`, valueOf(cell.sizeBytes, freshKeys));
        else await bucket.get(keyOf(cell.sizeBytes, Math.floor(Math.random() * cell.keys)));
      } catch {
        errors++;
      }
      const doneMs = performance.now();
      histogram.recordValue(Math.max(1, Math.min(HIGHEST_US, (doneMs - nowMs) * 1000)));
      nowMs = doneMs;
    }
  };
  await Promise.all(Array.from({ length: cell.inFlight }, worker));
  return { histogram, errors, elapsedMs: performance.now() - startMs };
}

function benchBucket(client: Client, durability: Durability): Bucket<Uint8Array> {
  return client.bucket(bucketNameOf(durability), { codec: bytes });
}

export function bucketNameOf(durability: Durability): string {
  return `bench-${durability}`;
}

function keyOf(sizeBytes: number, i: number): string {
  return `key/${sizeBytes}/${i}`;
}

/** Incompressible enough that the engine cannot cheat, cheap enough that the driver does not measure itself. */
function valueOf(sizeBytes: number, seed: number): Uint8Array {
  const offset = (seed * 7919) % (POOL.length - sizeBytes);
  return POOL.subarray(offset, offset + sizeBytes);
}

const POOL = Buffer.alloc(4 * 1024 * 1024);
for (let i = 0; i < POOL.length; i += 4) POOL.writeUInt32LE(Math.floor(Math.random() * 2 ** 32), i);
