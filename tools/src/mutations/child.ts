/**
 * A process with a bug in it, or without: runs one seed after the other and says what became of each, until one shows a
 * violation. Only ever started by `hunt.ts`.
 */
import { simulate } from '@armature/testing';
import { loadedMutant } from './loaded-mutant.js';
import type { RunOptions } from './mutation.js';

/** What the child is told. */
export interface Task {
  /** Name of the mutation; undefined for none. */
  readonly mutation: string | undefined;
  readonly run: RunOptions;
  readonly from: number;
  readonly seeds: number;
}

/** What it says of one seed. */
export interface Word {
  readonly seed: number;
  readonly violations: readonly string[];
}

process.once('message', (task: Task) => void work(task));
// Also when the parent is gone: nobody listens any more.
process.once('disconnect', () => process.exit());

async function work({ mutation, run, from, seeds }: Task): Promise<void> {
  if (loadedMutant() !== mutation) throw new Error(`this process should run with ${mutation ?? 'no mutation'}`);
  for (let seed = from; seed < from + seeds; seed++) {
    const violations = await simulate({ ...run, seed }).then(
      (report) => report.violations,
      (thrown: unknown) => [`threw: ${thrown instanceof Error ? thrown.message : String(thrown)}`],
    );
    await new Promise<void>((sent) => process.send?.({ seed, violations } satisfies Word, undefined, undefined, () => sent()));
    if (violations.length > 0) break;
  }
  process.disconnect();
}
