/**
 * What an input costs: memory allocated for it, whether or not it was let go of again, and time.
 *
 * A decoder may allocate some times what it was sent, since objects are larger than bytes. It must not allocate by what a length
 * or a count in the input says. And the time may grow with the input, but not with its square. Both show on the dense inputs of a
 * target (`Target.dense`): at 64 KiB for memory, and for time at 1 MiB, where what is quadratic takes half an hour and what is
 * linear milliseconds.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Finding, type Target } from './target.js';
import { attempt } from './targets/outcomes.js';

/**
 * Of memory, for each byte of an input. The greatest that was measured is 64 for a decoder (empty values, of which each is an
 * object and a view), and 90 for a door (frames of empty records).
 */
const MAX_BYTES_PER_BYTE = 100;
/** And for whatever a run allocates by itself: endpoints, keys, words of refusals. */
const ALLOWANCE_BYTES = 512 * 1024;
const MEMORY_INPUT_BYTES = 64 * 1024;
const TIME_INPUT_BYTES = 1024 * 1024;
/** Far above what a linear decoder takes for a MiB on a busy machine, far below what a quadratic one does. */
const MAX_DENSE_MS = 120_000;

export interface Usage {
  /** Undefined where a collection came in between: nobody can tell. */
  readonly allocatedBytes: number | undefined;
  readonly tookMs: number;
}

const MEASURES = 3;

/** A collection, so that none comes by itself while something is measured. */
const collect = collector();

export async function usageOf(target: Target, input: Uint8Array): Promise<Usage> {
  collect();
  const before = heldBytes();
  const startedMs = performance.now();
  await costOf(target, input);
  const tookMs = performance.now() - startedMs;
  const allocatedBytes = heldBytes() - before;
  return { allocatedBytes: allocatedBytes > 0 ? allocatedBytes : undefined, tookMs };
}

/** Throws a `Finding` for a dense input that takes too much. `hand` is told each input before it is tried. */
export async function checkUsage(target: Target, hand: (input: Uint8Array) => void): Promise<void> {
  for (const input of target.dense(MEMORY_INPUT_BYTES)) {
    hand(input);
    await costOf(target, input); // what is compiled on the way is not the input's
    const measured: number[] = [];
    for (let i = 0; i < MEASURES; i++) measured.push((await usageOf(target, input)).allocatedBytes ?? Infinity);
    const least = Math.min(...measured);
    const mostBytes = (MAX_BYTES_PER_BYTE + (target.ownBytesPerByte ?? 0)) * input.length + ALLOWANCE_BYTES;
    if (Number.isFinite(least) && least > mostBytes)
      throw new Finding(`${least} bytes allocated for an input of ${input.length}, more than ${MAX_BYTES_PER_BYTE} for each`);
  }
  for (const input of target.dense(TIME_INPUT_BYTES)) {
    hand(input);
    const { tookMs } = await usageOf(target, input);
    if (tookMs > MAX_DENSE_MS) throw new Finding(`${Math.round(tookMs)} ms for an input of ${input.length} bytes`);
  }
}

/** Refusals cost, too. */
async function costOf(target: Target, input: Uint8Array): Promise<void> {
  if (target.decode === undefined) await target.run(input);
  else attempt(() => target.decode?.(input));
}

function heldBytes(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function collector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}
