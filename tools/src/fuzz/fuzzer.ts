/**
 * The loop: an input from the pool, changed; the target; what came of it. An input that ends in a way in which none has ended
 * before joins the pool, so that later ones begin where it has got to. That is the coverage that costs nothing: a decoder says at
 * which step it refused, and each step that is passed has words of its own.
 *
 * All that happens follows from the seed, and nothing from a clock.
 */
import { seededRandom, type Random } from '@armature/kernel';
import { mutated, wordBytes } from './mutate.js';
import type { Target } from './target.js';

/** Inputs kept for their way of ending. Numbers, and what refusals quote, count as one, so there are some hundred. */
const MAX_POOL = 1_024;
const MAX_OUTCOME_CHARS = 160;

/** What must not be, and the input that brings it about. */
export interface Failure {
  readonly input: Uint8Array;
  /** The words of what was thrown, and where. */
  readonly problem: string;
}

export class Fuzzer {
  readonly #target: Target;
  readonly #random: Random;
  readonly #words: readonly Uint8Array[];
  readonly #pool: Uint8Array[];
  readonly #outcomes = new Set<string>();
  #runs = 0;

  constructor(target: Target, seed: number) {
    this.#target = target;
    this.#random = seededRandom(seed).fork(target.name);
    this.#words = wordBytes(target.words ?? []);
    this.#pool = [...target.seeds(this.#random.fork('seeds'))];
  }

  /** Inputs tried. */
  get runs(): number {
    return this.#runs;
  }

  /** Ways in which inputs have ended. */
  get outcomes(): number {
    return this.#outcomes.size;
  }

  /** Tries the valid inputs as they are. A target that refuses all that it should take would try nothing else. */
  async begin(hand: (input: Uint8Array) => void): Promise<Failure | undefined> {
    for (const input of [...this.#pool]) {
      const failure = await this.#try(input, hand);
      if (failure !== undefined) return failure;
    }
    return undefined;
  }

  /**
   * So many inputs, or until one fails. `hand` is told each before it is tried, so that somebody knows it should it never come
   * back.
   */
  async run(count: number, hand: (input: Uint8Array) => void): Promise<Failure | undefined> {
    for (let left = count; left > 0; left--) {
      const input = mutated(this.#random, this.#pool, this.#words);
      const tried = this.#try(input, hand);
      const failure = tried instanceof Promise ? await tried : tried;
      if (failure !== undefined) return failure;
    }
    return undefined;
  }

  #try(input: Uint8Array, hand: (input: Uint8Array) => void): Failure | undefined | Promise<Failure | undefined> {
    hand(input);
    this.#runs++;
    try {
      const outcome = this.#target.run(input);
      if (outcome instanceof Promise)
        return outcome.then(
          (words) => this.#ended(input, words),
          (thrown: unknown) => failureOf(input, thrown),
        );
      this.#ended(input, outcome);
      return undefined;
    } catch (thrown) {
      return failureOf(input, thrown);
    }
  }

  #ended(input: Uint8Array, outcome: string): undefined {
    const way = outcome.replaceAll(/"[^"]*"|\d+/g, '#').slice(0, MAX_OUTCOME_CHARS);
    if (this.#outcomes.has(way) || this.#outcomes.size >= MAX_POOL) return undefined;
    this.#outcomes.add(way);
    this.#pool.push(Uint8Array.from(input));
    return undefined;
  }
}

/** What came of one input, for people: the words of its outcome, or the failure. */
export async function tryOnce(target: Target, input: Uint8Array): Promise<string | Failure> {
  try {
    return await target.run(input);
  } catch (thrown) {
    return failureOf(input, thrown);
  }
}

function failureOf(input: Uint8Array, thrown: unknown): Failure {
  const problem = thrown instanceof Error ? (thrown.stack ?? thrown.message) : `thrown: ${String(thrown)}`;
  return { input: Uint8Array.from(input), problem };
}
