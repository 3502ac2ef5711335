/** The table of caught bugs, line by line as they are caught. */
import pc from 'picocolors';
import type { Catch } from './hunt.js';
import type { Mutation, RunOptions } from './mutation.js';

const NAME = 30;
const CAUGHT = 20;

/**
 * Which checker spoke: the last word before what a violation tells, which the name of a bucket may precede; undefined for none.
 */
export function kindOf(violations: readonly string[]): string | undefined {
  const [first] = violations;
  if (first === undefined) return undefined;
  if (first.startsWith('dot ')) return 'dot names two';
  const words = /^(?:[a-z-]+: )?([a-z ]+): /.exec(first);
  return (words?.[1] ?? first).slice(0, CAUGHT);
}

export function headLine(): string {
  return pc.bold(`${'bug'.padEnd(NAME)} ${'caught by'.padEnd(CAUGHT)} ${'seeds'.padStart(5)} ${'s'.padStart(6)}  trap`);
}

export function lineOf({ mutation: { name, trap }, violations, seeds, tookMs }: Catch & { readonly mutation: Mutation }): string {
  const kind = kindOf(violations);
  const caught = (kind ?? 'NOT CAUGHT').padEnd(CAUGHT);
  return `${name.padEnd(NAME)} ${kind === undefined ? pc.red(caught) : caught} ${numbers(seeds, tookMs)}  ${trap}`;
}

/** Of the sound code on the seeds of one kind of run. */
export function soundLine({ run, violations, seeds, tookMs }: Catch & { readonly run: RunOptions }): string {
  const kind = kindOf(violations);
  const verdict = (kind ?? 'clean').padEnd(CAUGHT);
  return `${'(the sound code)'.padEnd(NAME)} ${kind === undefined ? pc.green(verdict) : pc.red(verdict)} ${numbers(seeds, tookMs)}  ${JSON.stringify(run)}`;
}

function numbers(seeds: number, tookMs: number): string {
  return `${String(seeds).padStart(5)} ${(tookMs / 1000).toFixed(1).padStart(6)}`;
}
