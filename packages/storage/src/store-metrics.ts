/** The store's instruments. Labelled with the engine's name, so that a mixed cluster can be told apart. */
import { LATENCY_BUCKETS_S, type Counter, type Histogram, type Telemetry } from '@armature/runtime';

/** Powers of two up to the largest batch. */
const BATCH_BUCKETS: readonly number[] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

export interface StoreMetrics {
  readonly commits: Counter;
  readonly commitFailures: Counter;
  readonly operations: Counter;
  readonly commitOperations: Histogram;
  readonly commitSeconds: Histogram;
  readonly flushes: Counter;
  readonly flushSeconds: Histogram;
  readonly cacheHits: Counter;
  readonly cacheMisses: Counter;
}

export interface StoreGauges {
  readonly overlayBytes: () => number;
  readonly bufferBytes: () => number;
  readonly bufferObjects: () => number;
  readonly cacheBytes: () => number;
  /** 1 while commits fail. */
  readonly failing: () => number;
}

export function storeMetrics(telemetry: Telemetry, engine: string, gauges: StoreGauges): StoreMetrics {
  const labels = { engine };
  telemetry.observedGauge('armature_storage_overlay_bytes', 'Accepted, not yet stored.', gauges.overlayBytes, labels);
  const buffered = 'Acknowledged from memory, not yet stored.';
  telemetry.observedGauge('armature_storage_buffer_bytes', buffered, gauges.bufferBytes, labels);
  telemetry.observedGauge('armature_storage_buffer_objects', buffered, gauges.bufferObjects, labels);
  telemetry.observedGauge('armature_storage_cache_bytes', 'Held by the record cache.', gauges.cacheBytes, labels);
  telemetry.observedGauge('armature_storage_failing', '1 while commits fail.', gauges.failing, labels);
  return {
    commits: telemetry.counter('armature_storage_commits_total', 'Batches stored.', labels),
    commitFailures: telemetry.counter('armature_storage_commit_failures_total', 'Batches that failed.', labels),
    operations: telemetry.counter('armature_storage_operations_total', 'Operations stored.', labels),
    commitOperations: telemetry.histogram('armature_storage_commit_operations', 'Operations per batch.', BATCH_BUCKETS, labels),
    commitSeconds: telemetry.histogram('armature_storage_commit_seconds', 'Duration of a batch.', LATENCY_BUCKETS_S, labels),
    flushes: telemetry.counter('armature_storage_flushes_total', 'Flushes of the buffer.', labels),
    flushSeconds: telemetry.histogram(
      'armature_storage_flush_seconds',
      'Duration of a flush of the buffer, waiting for slices included.',
      LATENCY_BUCKETS_S,
      labels,
    ),
    cacheHits: telemetry.counter('armature_storage_cache_hits_total', 'Reads answered from memory.', labels),
    cacheMisses: telemetry.counter('armature_storage_cache_misses_total', 'Reads that asked the engine.', labels),
  };
}
