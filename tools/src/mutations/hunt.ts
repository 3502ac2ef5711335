/**
 * The hunt for one mutation: a child process that runs seed after seed until one of them shows a violation.
 */
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MUTANT_FILE } from '../../lib/mutant-loader.mjs';
import type { Task, Word } from './child.js';
import { mutantOf, type Mutation, type RunOptions } from './mutation.js';

export interface Hunt {
  readonly mutation: Mutation | undefined;
  readonly run: RunOptions;
  /** The first seed, and how many at most. */
  readonly from: number;
  readonly seeds: number;
  readonly signal?: AbortSignal;
}

export interface Catch {
  /** Seeds run, the last of which showed it if it was caught. */
  readonly seeds: number;
  /** What that run found; empty: nothing. */
  readonly violations: readonly string[];
  readonly tookMs: number;
}

/**
 * A run takes a second or two. One that does not end is the bug's doing as well: a node that turns in circles in one moment of
 * virtual time.
 */
const STUCK_MS = 600_000;

/** Rejects where the mutation does not apply, or the child breaks. */
export async function hunt(root: string, { mutation, run, from, seeds, signal }: Hunt): Promise<Catch> {
  const startedMs = performance.now();
  const directory = mkdtempSync(join(tmpdir(), 'armature-mutant-'));
  try {
    const file = join(directory, 'mutant.json');
    if (mutation !== undefined) writeFileSync(file, JSON.stringify(mutantOf(root, mutation)));
    const task: Task = { mutation: mutation?.name, run, from, seeds };
    const last = await words(root, task, mutation === undefined ? undefined : file, signal);
    return {
      seeds: last === undefined ? 0 : last.seed - from + 1,
      violations: last?.violations ?? [],
      tookMs: performance.now() - startedMs,
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The last word of the child. */
function words(root: string, task: Task, mutant: string | undefined, signal: AbortSignal | undefined): Promise<Word | undefined> {
  return new Promise((resolve, reject) => {
    const loader = pathToFileURL(join(root, 'tools/lib/mutant-loader.mjs')).href;
    const child = fork(join(root, 'tools/src/mutations/child.ts'), {
      cwd: root,
      execArgv: ['--conditions=@armature/source', '--import', 'tsx', '--import', loader],
      env: { ...process.env, [MUTANT_FILE]: mutant },
      serialization: 'advanced', // what is told may be infinite
      ...(signal === undefined ? {} : { signal }),
    });
    let last: Word | undefined;
    let watchdog: NodeJS.Timeout | undefined;
    const watch = (): void => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => {
        last = { seed: (last?.seed ?? task.from - 1) + 1, violations: [`stuck: the run did not end in ${STUCK_MS / 1000} s`] };
        child.kill('SIGKILL');
      }, STUCK_MS);
    };
    child.on('message', (word: Word) => {
      last = word;
      watch();
    });
    child.on('error', reject);
    child.on('exit', (code, how) => {
      clearTimeout(watchdog);
      const isStuck = how === 'SIGKILL' && last?.violations[0]?.startsWith('stuck') === true;
      if (code === 0 || isStuck) resolve(last);
      else reject(new Error(`${task.mutation ?? 'the sound code'}: its process ended with ${code ?? how ?? 'nothing'}`));
    });
    watch();
    child.send(task);
  });
}
