/**
 * The object buffer (section 6.1 of the paper), reading side: records that were read or written lately, bounded by bytes.
 *
 * Exact LRU reorders on every hit. Two generations approximate it at the price of one Map lookup: records enter the
 * young generation; when that has filled half of the bound it becomes the old one, whose previous content is dropped as a
 * whole; a hit in the old generation moves the record to the young. What was not touched for a whole generation goes.
 */
import type { BinaryString } from '@armature/kernel';

/** Two Map slots, a string header, a typed array with its buffer: what a record costs beside its bytes, roughly. */
const RECORD_OVERHEAD_BYTES = 200;

/** Memory a small value may pin beside its own: Node's allocation pool. Larger hosts are network frames and scan pages. */
const HOST_LIMIT_BYTES = 16_384;

export class RecordCache {
  readonly #generationBytes: number;
  #young = new Map<BinaryString, Uint8Array>();
  #old = new Map<BinaryString, Uint8Array>();
  #youngBytes = 0;
  #oldBytes = 0;

  /** 0 bytes is a cache that holds nothing. */
  constructor(limitBytes: number) {
    this.#generationBytes = limitBytes / 2;
  }

  get(key: BinaryString): Uint8Array | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old === undefined) return undefined;
    this.#old.delete(key);
    this.#oldBytes -= recordBytes(key, old);
    this.#insert(key, old);
    return old;
  }

  set(key: BinaryString, value: Uint8Array): void {
    this.delete(key);
    if (recordBytes(key, value) <= this.#generationBytes) this.#insert(key, detached(value));
  }

  delete(key: BinaryString): void {
    const young = this.#young.get(key);
    if (young !== undefined) {
      this.#young.delete(key);
      this.#youngBytes -= recordBytes(key, young);
      return;
    }
    const old = this.#old.get(key);
    if (old === undefined) return;
    this.#old.delete(key);
    this.#oldBytes -= recordBytes(key, old);
  }

  /** Bytes held, overhead included; never above the bound. */
  get sizeBytes(): number {
    return this.#youngBytes + this.#oldBytes;
  }

  #insert(key: BinaryString, value: Uint8Array): void {
    const sizeBytes = recordBytes(key, value);
    if (this.#youngBytes + sizeBytes > this.#generationBytes) {
      this.#old = this.#young;
      this.#oldBytes = this.#youngBytes;
      this.#young = new Map();
      this.#youngBytes = 0;
    }
    this.#young.set(key, value);
    this.#youngBytes += sizeBytes;
  }
}

function recordBytes(key: BinaryString, value: Uint8Array): number {
  return key.length + value.length + RECORD_OVERHEAD_BYTES;
}

/** A small value cut out of a large buffer would keep all of it alive for as long as it is cached: such a one is copied. */
function detached(value: Uint8Array): Uint8Array {
  const hostBytes = value.buffer.byteLength;
  return hostBytes > HOST_LIMIT_BYTES && hostBytes > 2 * value.length ? Buffer.from(value) : value;
}
