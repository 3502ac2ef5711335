/**
 * Values of a workload that are large: the ids of the ledger, and behind them filler that makes up the size. Size and filler are
 * functions of the last id, the one of the write itself. So whoever reads a value knows every byte of it, and a value that is cut
 * off, or made of two, is noticed.
 */
import { createHash } from 'node:crypto';
import { utf8Decode, utf8Encode } from '@armature/kernel';
import type { Codec } from '@armature/client';

export interface LargeValueSizes {
  readonly leastBytes: number;
  readonly mostBytes: number;
}

/**
 * What is read instead of ids where the bytes are not what was written. The ledger knows no such id, so it is among the writes
 * that nobody asked for.
 */
export const DAMAGED = 'damaged';
const END_OF_IDS = 0x0a;

/** Sizes are spread evenly over the orders of magnitude: as many from 64 KiB to 128 KiB as from 4 MiB to 8 MiB. */
export function largeIds(sizes: LargeValueSizes): Codec<readonly string[]> {
  return {
    contentType: 'application/octet-stream',
    encode: (ids) => {
      const head = utf8Encode(`${JSON.stringify(ids)}\n`);
      return Buffer.concat([head, fillerOf(ids, Math.max(0, sizeOf(ids, sizes) - head.length))]);
    },
    decode: (stored) => {
      const end = stored.indexOf(END_OF_IDS) + 1;
      const ids = parsedIds(stored.subarray(0, end));
      if (ids === undefined) return [DAMAGED];
      const filler = fillerOf(ids, Math.max(0, sizeOf(ids, sizes) - end));
      return Buffer.compare(filler, stored.subarray(end)) === 0 ? ids : [DAMAGED];
    },
  };
}

function parsedIds(head: Uint8Array): readonly string[] | undefined {
  try {
    const ids: unknown = JSON.parse(utf8Decode(head));
    return Array.isArray(ids) ? (ids as string[]) : undefined;
  } catch {
    return undefined;
  }
}

/** In bytes. Whatever the last id is, it is from `leastBytes` to `mostBytes`. */
function sizeOf(ids: readonly string[], { leastBytes, mostBytes }: LargeValueSizes): number {
  const share = createHash('sha256').update(lastOf(ids)).digest().readUInt32LE() / 0xffff_ffff;
  return Math.floor(leastBytes * (mostBytes / leastBytes) ** share);
}

function fillerOf(ids: readonly string[], sizeBytes: number): Uint8Array {
  return createHash('shake256', { outputLength: sizeBytes }).update(lastOf(ids)).digest();
}

function lastOf(ids: readonly string[]): string {
  return ids.at(-1) ?? '';
}
