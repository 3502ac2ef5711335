/**
 * Runs targets, each in a thread of its own, some at a time. A thread that says nothing for long hangs in an input; one that ends
 * by itself has run out of memory. Both are failures of the input that was at hand.
 */
import { Worker } from 'node:worker_threads';
import type { Failure } from './fuzzer.js';
import type { Target } from './target.js';
import { inputIn, sharedInput, type Task, type Word } from './task.js';

export interface Plan {
  /** The program of a thread, which is this one's too. */
  readonly thread: URL;
  readonly seed: number;
  /** Of each target, whichever comes first. */
  readonly runs: number;
  readonly forMs: number;
  /** Threads. */
  readonly jobs: number;
}

export interface Result {
  readonly target: string;
  readonly runs: number;
  readonly outcomes: number;
  readonly tookMs: number;
  readonly failure: Failure | undefined;
}

/**
 * A run takes microseconds, and a dense input of a MiB some ms, or seconds on a machine that does other things. Who says nothing
 * for so long does not come back.
 */
const SILENCE_MS = 240_000;
/**
 * In MiB. What a run allocates is looked at by `usage.ts`; this ends what would end the process. The young generation has room
 * for all that is measured.
 */
const RESOURCES = { maxOldGenerationSizeMb: 1_024, maxYoungGenerationSizeMb: 192 };

/** Results in the order of the targets. */
export async function drive(
  targets: readonly Target[],
  plan: Plan,
  heard: (target: string, word: Word) => void,
): Promise<readonly Result[]> {
  const results: Result[] = [];
  const queue = targets.entries();
  const job = async (): Promise<void> => {
    for (const [place, target] of queue) results[place] = await driveOne(target, plan, (word) => heard(target.name, word));
  };
  await Promise.all(Array.from({ length: Math.min(plan.jobs, targets.length) }, job));
  return results;
}

function driveOne({ name }: Target, { thread, seed, runs, forMs }: Plan, heard: (word: Word) => void): Promise<Result> {
  const input = sharedInput();
  const startedMs = performance.now();
  const workerData: Task = { target: name, seed, runs, forMs, input };
  const worker = new Worker(thread, { workerData, resourceLimits: RESOURCES });
  return new Promise((resolve) => {
    let last: Word = { runs: 0, outcomes: 0, isOver: false, failure: undefined };
    let silence = setTimeout(hangs, SILENCE_MS);
    function end(failure: Failure | undefined): void {
      clearTimeout(silence);
      void worker.terminate();
      const { runs: tried, outcomes } = last;
      resolve({ target: name, runs: tried, outcomes, tookMs: performance.now() - startedMs, failure });
    }
    function hangs(): void {
      end({ input: inputIn(input), problem: `nothing has come of this input for ${SILENCE_MS / 1_000} s` });
    }
    worker.on('message', (word: Word) => {
      last = word;
      heard(word);
      clearTimeout(silence);
      silence = setTimeout(hangs, SILENCE_MS);
      if (word.isOver) end(word.failure);
    });
    worker.on('error', (error) => end({ input: inputIn(input), problem: `the thread ended: ${error.stack ?? error.message}` }));
  });
}
