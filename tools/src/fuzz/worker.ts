/** One target, in a thread of its own: what it costs, then as many inputs as it is told to try. */
import { Fuzzer, type Failure } from './fuzzer.js';
import { shrunk } from './shrink.js';
import { handedTo, inputIn, type Task, type Word } from './task.js';
import { targetNamed } from './targets/index.js';
import { checkUsage } from './usage.js';

/** Runs between two looks at the clock. */
const BATCH = 64;
const WORD_EVERY_MS = 250;

export async function work({ target: name, seed, runs, forMs, input: shared }: Task, say: (word: Word) => void): Promise<void> {
  const target = targetNamed(name);
  const hand = handedTo(shared);
  const fuzzer = new Fuzzer(target, seed);
  let saidMs = performance.now();
  const tell = (isOver: boolean, failure?: Failure): void =>
    say({ runs: fuzzer.runs, outcomes: fuzzer.outcomes, isOver, failure });
  tell(false);
  let failure = await costs(() => checkUsage(target, hand), shared);
  if (failure === undefined) {
    const startedMs = performance.now();
    failure = await fuzzer.begin(hand);
    while (failure === undefined && fuzzer.runs < runs && performance.now() - startedMs < forMs) {
      failure = await fuzzer.run(Math.min(BATCH, runs - fuzzer.runs), hand);
      if (performance.now() - saidMs < WORD_EVERY_MS) continue;
      saidMs = performance.now();
      tell(false);
    }
    if (failure !== undefined) failure = await shrunk(target, failure);
  }
  tell(true, failure);
}

async function costs(check: () => Promise<void>, shared: SharedArrayBuffer): Promise<Failure | undefined> {
  try {
    await check();
    return undefined;
  } catch (thrown) {
    const problem = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    return { input: inputIn(shared), problem };
  }
}
