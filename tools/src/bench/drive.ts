/**
 * One cell of the benchmark: a closed loop of so many operations in flight, latencies in an HDR histogram, and what each
 * operation cost in CPU.
 */
import { build, type Histogram } from 'hdr-histogram-js';
import { bytes, type Bucket, type Client } from '@armature/client';
import type { Durability } from '@armature/protocol';
import { Puts } from './puts.js';

/** `mixed`: nine gets to one put, the paper's catalogue and session services lying on either side. */
export type Load = 'put' | 'get' | 'mixed';

export interface Cell {
  /** Of the bucket. */
  readonly durability: Durability;
  readonly load: Load;
  readonly inFlight: number;
  readonly sizeBytes: number;
  readonly seconds: number;
  /** How many there are for gets. */
  readonly keys: number;
  /**
   * Puts overwrite this many keys, each with the context of the put before. 0: each put writes a key of its own, once, as in a
   * first load.
   */
  readonly overwrite: number;
}

export interface CellResult extends Cell {
  /** Which build. */
  readonly contender: string;
  readonly operations: number;
  readonly errors: number;
  readonly perSecond: number;
  /** CPU of all processes, the driving one included, over the operations, in microseconds; undefined where it cannot be known. */
  readonly cpuUs: number | undefined;
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

/** Who is driven. */
export interface Driven {
  readonly name: string;
  readonly client: Client;
  /** CPU time of its processes so far, without that of this one. */
  cpuUs(): number | undefined;
}

const PUT_SHARE = 0.1;
const HIGHEST_US = 60_000_000;

export async function preload(client: Client, durability: Durability, sizeBytes: number, keys: number): Promise<void> {
  const bucket = benchBucket(client, durability);
  let next = 0;
  const writer = async (): Promise<void> => {
    while (next < keys) await bucket.put(readKey(sizeBytes, next++), valueOf(sizeBytes, next));
  };
  await Promise.all(Array.from({ length: 64 }, writer));
}

/** Runs the loop for a warm-up and then for `seconds`. */
export async function drive(driven: Driven, cell: Cell): Promise<CellResult> {
  const bucket = benchBucket(driven.client, cell.durability);
  await loop(driven.client, bucket, cell, (cell.seconds / 3) * 1000);
  const before = cpuOf(driven);
  const { histogram, errors, elapsedMs } = await loop(driven.client, bucket, cell, cell.seconds * 1000);
  const after = cpuOf(driven);
  const operations = histogram.totalCount;
  const ms = (us: number): number => Math.round(us) / 1000;
  const result = {
    ...cell,
    contender: driven.name,
    operations,
    errors,
    perSecond: Math.round((operations / elapsedMs) * 1000),
    cpuUs: before === undefined || after === undefined ? undefined : (after - before) / operations,
    meanMs: ms(histogram.mean),
    p50Ms: ms(histogram.getValueAtPercentile(50)),
    p99Ms: ms(histogram.getValueAtPercentile(99)),
    p999Ms: ms(histogram.getValueAtPercentile(99.9)),
    maxMs: ms(histogram.maxValue),
  };
  histogram.destroy();
  return result;
}

function cpuOf(driven: Driven): number | undefined {
  const theirsUs = driven.cpuUs();
  const { user, system } = process.cpuUsage();
  return theirsUs === undefined ? undefined : theirsUs + user + system;
}

async function loop(
  client: Client,
  bucket: Bucket<Uint8Array>,
  cell: Cell,
  durationMs: number,
): Promise<{ histogram: Histogram; errors: number; elapsedMs: number }> {
  const histogram = build({ lowestDiscernibleValue: 1, highestTrackableValue: HIGHEST_US, numberOfSignificantValueDigits: 3 });
  let errors = 0;
  const startMs = performance.now();
  const endMs = startMs + durationMs;
  const puts = new Puts(client, bucket, cell);
  const worker = async (_: unknown, place: number): Promise<void> => {
    for (let nowMs = performance.now(); nowMs < endMs;) {
      const put = cell.load === 'put' || (cell.load === 'mixed' && Math.random() < PUT_SHARE);
      try {
        if (put) await puts.next(place, valueOf(cell.sizeBytes, puts.done));
        else await bucket.get(readKey(cell.sizeBytes, Math.floor(Math.random() * cell.keys)));
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

function readKey(sizeBytes: number, i: number): string {
  return `key/${sizeBytes}/${i}`;
}

/** Incompressible enough that the engine cannot cheat, cheap enough that the driver does not measure itself. */
function valueOf(sizeBytes: number, seed: number): Uint8Array {
  const offset = (seed * 7919) % (POOL.length - sizeBytes);
  return POOL.subarray(offset, offset + sizeBytes);
}

const POOL = Buffer.alloc(4 * 1024 * 1024);
for (let i = 0; i < POOL.length; i += 4) POOL.writeUInt32LE(Math.floor(Math.random() * 2 ** 32), i);
