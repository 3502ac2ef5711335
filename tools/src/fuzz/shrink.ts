/**
 * The smallest part of a failing input that still fails in the same words: what is cut out and not missed had nothing to do with
 * it.
 */
import { tryOnce } from './fuzzer.js';
import type { Failure } from './fuzzer.js';
import type { Target } from './target.js';

const MAX_TRIES = 4_000;

export async function shrunk(target: Target, failure: Failure): Promise<Failure> {
  const words = wordsOf(failure);
  let best = failure;
  let tries = 0;
  for (let span = Math.ceil(best.input.length / 2); span >= 1 && tries < MAX_TRIES; span = Math.floor(span / 2)) {
    for (let at = 0; at < best.input.length && tries < MAX_TRIES;) {
      const input = Buffer.concat([best.input.subarray(0, at), best.input.subarray(at + span)]);
      tries++;
      const outcome = await tryOnce(target, input);
      if (typeof outcome !== 'string' && wordsOf(outcome) === words) best = outcome;
      else at += span;
    }
  }
  return best;
}

/** Which failure it is: the first line of what was thrown, whatever numbers are in it. */
function wordsOf({ problem }: Failure): string {
  return (problem.split('\n', 1)[0] ?? '').replaceAll(/\d+/g, '#');
}
