/**
 * What the main thread and the thread of a target tell each other: the task, words of how it goes, and, in memory that both see,
 * the input at hand. Should a run never end, or end the thread, it is known which input it was.
 */
import type { Failure } from './fuzzer.js';

export interface Task {
  readonly target: string;
  readonly seed: number;
  /** Whichever comes first. */
  readonly runs: number;
  readonly forMs: number;
  readonly input: SharedArrayBuffer;
}

/** What is said of a target while it runs, and in the end. */
export interface Word {
  readonly runs: number;
  readonly outcomes: number;
  readonly isOver: boolean;
  readonly failure: Failure | undefined;
}

/** Room for the dense inputs, and for the length before them. */
const INPUT_BYTES = 2 * 1024 * 1024;
const LENGTH_BYTES = 4;

export function sharedInput(): SharedArrayBuffer {
  return new SharedArrayBuffer(INPUT_BYTES);
}

/** Hands inputs over. */
export function handedTo(shared: SharedArrayBuffer): (input: Uint8Array) => void {
  const length = new Int32Array(shared, 0, 1);
  const bytes = new Uint8Array(shared, LENGTH_BYTES);
  return (input) => {
    bytes.set(input);
    length[0] = input.length;
  };
}

/** The input that was handed over last. */
export function inputIn(shared: SharedArrayBuffer): Uint8Array {
  const length = new Int32Array(shared, 0, 1)[0] ?? 0;
  return Uint8Array.from(new Uint8Array(shared, LENGTH_BYTES, length));
}
