/**
 * LevelDB's log format, read only: the write-ahead logs (`*.log`) and the `MANIFEST` have it.
 *
 * A file is a sequence of blocks of 32 KiB. A block holds fragments, none of which crosses its end: checksum (4 bytes), length
 * (2), type (1), payload. A record is one fragment, or a first, any number of middle ones and a last. (LevelDB,
 * `doc/log_format.md`.)
 *
 * Where bytes are no fragment, LevelDB passes over the rest of their block. Here the search goes on, byte by byte, because what
 * follows the damage tells what kind it is. The end of a log that was being written when its process ended looks like damage with
 * nothing behind it.
 */
import { open } from 'node:fs/promises';
import { asBuffer } from '@armature/kernel';
import { crc32c } from './crc32c.js';

export type LogEvent =
  | { readonly kind: 'record'; readonly fragments: readonly Uint8Array[] }
  /** Bytes that are no part of a record, in the block that begins at `offset`. */
  | { readonly kind: 'damage'; readonly offset: number };

const BLOCK_BYTES = 32 * 1024;
const HEADER_BYTES = 7;
const LENGTH_OFFSET = 4;
const TYPE_OFFSET = 6;
const CHUNK_BYTES = 32 * BLOCK_BYTES;

const FULL = 1;
const FIRST = 2;
const MIDDLE = 3;
const LAST = 4;

/** What the file holds, in its order, a chunk of 1 MiB at a time. Fails with the errors of `node:fs`. */
export async function* readLog(path: string): AsyncGenerator<readonly LogEvent[]> {
  const file = await open(path, 'r');
  try {
    const parser = new LogParser();
    for (;;) {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      let size = 0;
      while (size < CHUNK_BYTES) {
        const { bytesRead } = await file.read(chunk, size, CHUNK_BYTES - size);
        if (bytesRead === 0) break;
        size += bytesRead;
      }
      yield parser.parse(chunk.subarray(0, size));
      if (size < CHUNK_BYTES) return;
    }
  } finally {
    await file.close();
  }
}

/** Takes the bytes of a log in chunks of whole blocks; only the last may be shorter. */
export class LogParser {
  #offset = 0;
  /** Of a record whose last fragment has not come yet. */
  #begun: Uint8Array[] | undefined;

  parse(chunk: Uint8Array): readonly LogEvent[] {
    const events: LogEvent[] = [];
    for (let start = 0; start < chunk.length; start += BLOCK_BYTES) {
      const block = chunk.subarray(start, start + BLOCK_BYTES);
      this.#parseBlock(block, events);
      this.#offset += block.length;
    }
    return events;
  }

  #parseBlock(block: Uint8Array, events: LogEvent[]): void {
    let isReadable = true;
    // What is shorter than a header fills up the block, or is one that was being written.
    for (let at = 0; at + HEADER_BYTES <= block.length;) {
      const end = fragmentEnd(block, at);
      if (end === undefined) {
        if (isReadable) this.#damaged(events);
        isReadable = false;
        at++;
      } else {
        this.#take(block[at + TYPE_OFFSET] as number, block.subarray(at + HEADER_BYTES, end), events);
        isReadable = true;
        at = end;
      }
    }
  }

  #take(type: number, payload: Uint8Array, events: LogEvent[]): void {
    const continues = type === MIDDLE || type === LAST;
    if (continues !== (this.#begun !== undefined)) {
      this.#damaged(events);
      if (continues) return;
    }
    const fragments = this.#begun ?? [];
    fragments.push(payload);
    this.#begun = type === FIRST || type === MIDDLE ? fragments : undefined;
    if (this.#begun === undefined) events.push({ kind: 'record', fragments });
  }

  #damaged(events: LogEvent[]): void {
    this.#begun = undefined;
    events.push({ kind: 'damage', offset: this.#offset });
  }
}

/** Where the fragment that begins here ends; undefined if there is none, or it does not match its checksum. */
function fragmentEnd(block: Uint8Array, at: number): number | undefined {
  const type = block[at + TYPE_OFFSET] as number;
  if (type < FULL || type > LAST) return undefined;
  const header = asBuffer(block);
  const end = at + HEADER_BYTES + header.readUInt16LE(at + LENGTH_OFFSET);
  if (end > block.length) return undefined;
  return crc32c(block, at + TYPE_OFFSET, end) === unmasked(header.readUInt32LE(at)) ? end : undefined;
}

/** Checksums are stored rotated and shifted, so that a log inside of a log does not look whole by chance. */
function unmasked(stored: number): number {
  const rotated = (stored - 0xa282ead8) >>> 0;
  return ((rotated >>> 17) | (rotated << 15)) >>> 0;
}
