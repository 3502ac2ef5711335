/**
 * Whether a merge function may be a bucket's: a search for values that show it may not.
 *
 * The same siblings are merged by several clients at once, in whatever order they were read, some of them merged already by
 * somebody else, some of them twice. All of these must come to the same value, or replicas that agree show different things to
 * different readers. So the function must not care for order (it is commutative), nor for grouping (associative), nor for
 * repetition (idempotent); one value by itself is what it is; and what it is given is not its own to change.
 *
 * Values are drawn by a function of a `Random`. What that draws is recorded, so that a counterexample is made small by drawing
 * less and smaller numbers: whatever is tried then is again something that the generator makes, and no value that the application
 * never writes (as in Hypothesis: MacIver and Donaldson, 2020).
 */
import { inspect, isDeepStrictEqual } from 'node:util';
import { ArmatureError, pick, randomFrom, seededRandom, type Random } from '@armature/kernel';

export type MergeFunction<T> = (values: readonly T[]) => T;

export type MergeLaw = 'answers' | 'inputs' | 'single' | 'order' | 'grouping' | 'repetition';

export interface MergeCheckOptions<T> {
  /** Draws a value as the application writes them, a new one each time; or examples of such values, the simplest first. */
  readonly values: ((random: Random) => T) | readonly T[];
  /** Deep and strict equality by default. */
  readonly equals?: (a: T, b: T) => boolean;
  /** Lists of values that are tried; 500 by default. */
  readonly runs?: number;
  /** Another seed tries other values; 1 by default. */
  readonly seed?: number | string;
}

/** Values for which a law does not hold, as few and as simple as were found. */
export interface MergeFlaw<T> {
  readonly law: MergeLaw;
  readonly values: readonly T[];
  /** The law, both sides of the comparison that failed, and why it matters. */
  readonly message: string;
}

const WHAT: Readonly<Record<MergeLaw, readonly [broken: string, why: string]>> = {
  answers: ['throws', 'Whoever reads these siblings cannot read the key until somebody overwrites them.'],
  inputs: ['changes the values that it is given', 'They may be in use elsewhere: return a new value.'],
  single: ['does not give a single value back as it is', 'A key would change by being read.'],
  order: ['depends on the order of its values', 'Two clients that read the same siblings would see different values.'],
  grouping: [
    'depends on what has been merged before',
    'Siblings are merged as they come, some by one client and the rest by another.',
  ],
  repetition: ['counts a value twice', 'The same write may be merged more than once, on different ways.'],
};

const DEFAULT_RUNS = 500;
const MAX_VALUES = 4;
const MAX_SHRINKS = 5_000;

/** Undefined where none of `runs` lists of values shows that the function breaks a law. */
export function checkMerge<T>(merge: MergeFunction<T>, options: MergeCheckOptions<T>): MergeFlaw<T> | undefined {
  const { runs = DEFAULT_RUNS, seed = 1, equals = isDeepStrictEqual } = options;
  const judge = new Judge(merge, generatorOf(options.values), equals);
  const random = seededRandom(seed);
  for (let run = 0; run < runs; run++) {
    const tapes = Array.from({ length: 1 + (run % MAX_VALUES) }, () => judge.record(random));
    const found = judge.look(tapes);
    if (found !== undefined) return described(smallest(judge, tapes, found));
  }
  return undefined;
}

/** As `checkMerge`, for a test: throws with the message of what it finds. Error: `application-error`. */
export function assertMerge<T>(merge: MergeFunction<T>, options: MergeCheckOptions<T>): void {
  const flaw = checkMerge(merge, options);
  if (flaw === undefined) return;
  throw new ArmatureError('application-error', flaw.message, {
    remedy: 'Change the merge function.',
    details: { law: flaw.law },
  });
}

/** What a generator has drawn for one value. */
type Tape = readonly number[];

interface Finding<T> {
  readonly law: MergeLaw;
  readonly values: readonly T[];
  /** Lines that show it. */
  readonly shown: readonly string[];
}

class Judge<T> {
  readonly #merge: MergeFunction<T>;
  readonly #generate: (random: Random) => T;
  readonly #equals: (a: T, b: T) => boolean;

  constructor(merge: MergeFunction<T>, generate: (random: Random) => T, equals: (a: T, b: T) => boolean) {
    this.#merge = merge;
    this.#generate = generate;
    this.#equals = equals;
  }

  record(random: Random): Tape {
    const tape: number[] = [];
    const source: Random = randomFrom(
      () => {
        const drawn = random.u32();
        tape.push(drawn);
        return drawn;
      },
      () => source,
    );
    this.#generate(source);
    return tape;
  }

  /** The first law that these values break. */
  look(tapes: readonly Tape[]): Finding<T> | undefined {
    const fresh = (): readonly T[] => tapes.map((tape) => this.#replay(tape));
    const values = fresh();
    const given = fresh();
    let merged: T;
    try {
      merged = this.#merge(given);
    } catch (thrown) {
      return { law: 'answers', values, shown: [`merge(${show(values)}) throws ${String(thrown)}`] };
    }
    const changed = given.findIndex((value, i) => !this.#equals(value, values[i] as T));
    if (changed >= 0) {
      const shown = [`before: ${show(values[changed])}`, `after:  ${show(given[changed])}`];
      return { law: 'inputs', values, shown };
    }
    for (const { law, what, wanted, run } of this.#comparisons(values, merged)) {
      let other: T;
      try {
        other = run();
      } catch (thrown) {
        return { law: 'answers', values, shown: [`${what} throws ${String(thrown)}`] };
      }
      if (this.#equals(other, wanted)) continue;
      const shown = law === 'single' ? [] : [`merge(${show(values)}) is ${show(merged)}`];
      return { law, values, shown: [...shown, `${what} is ${show(other)}`] };
    }
    return undefined;
  }

  /** What must come to the same. */
  *#comparisons(
    values: readonly T[],
    merged: T,
  ): Generator<{ readonly law: MergeLaw; readonly what: string; readonly wanted: T; readonly run: () => T }> {
    const of = (law: MergeLaw, list: readonly T[], wanted = merged) => {
      return { law, what: `merge(${show(list)})`, wanted, run: () => this.#merge(list) };
    };
    for (const value of values) yield of('single', [value], value);
    for (let i = 0; i < values.length; i++) for (let j = i + 1; j < values.length; j++) yield of('order', swapped(values, i, j));
    for (const value of values) yield of('repetition', [...values, value]);
    yield of('repetition', [merged, merged]);
    for (let i = 1; i < values.length; i++) {
      const [first, rest] = [values.slice(0, i), values.slice(i)];
      const what = `merge([merge(${show(first)}), ...${show(rest)}])`;
      yield { law: 'grouping', what, wanted: merged, run: () => this.#merge([this.#merge(first), ...rest]) };
    }
  }

  #replay(tape: Tape): T {
    let place = 0;
    const source: Random = randomFrom(
      () => tape[place++] ?? 0,
      () => source,
    );
    return this.#generate(source);
  }
}

function swapped<T>(values: readonly T[], i: number, j: number): readonly T[] {
  return values.map((value, place) => (place === i ? (values[j] as T) : place === j ? (values[i] as T) : value));
}

function generatorOf<T>(values: MergeCheckOptions<T>['values']): (random: Random) => T {
  if (typeof values === 'function') return values;
  if (values.length === 0)
    throw new ArmatureError('invalid-argument', 'there are no values to merge', { remedy: 'Give at least one.' });
  return (random) => pick(random, values) as T;
}

/** Leaves out values and makes draws smaller while the same law is broken. */
function smallest<T>(judge: Judge<T>, tapes: readonly Tape[], found: Finding<T>): Finding<T> {
  let [best, finding] = [tapes, found];
  let left = MAX_SHRINKS;
  for (let progressed = true; progressed && left > 0;) {
    progressed = false;
    for (const candidate of simpler(best)) {
      if (left-- <= 0) break;
      const again = judge.look(candidate);
      if (again?.law !== finding.law) continue;
      [best, finding] = [candidate, again];
      progressed = true;
      break;
    }
  }
  return finding;
}

/**
 * The boldest steps first. A tape that is too short goes on with zeros, so that leaving out its end is a way to make it small.
 */
function* simpler(tapes: readonly Tape[]): Generator<readonly Tape[]> {
  for (let i = 0; i < tapes.length; i++) if (tapes.length > 1) yield [...tapes.slice(0, i), ...tapes.slice(i + 1)];
  const replaced = (at: number, tape: Tape): readonly Tape[] => tapes.map((one, i) => (i === at ? tape : one));
  for (const [i, tape] of tapes.entries()) {
    if (tape.length > 0) yield replaced(i, []);
    for (let length = tape.length >> 1; length > 0; length >>= 1) yield replaced(i, tape.slice(0, tape.length - length));
    for (let j = 0; j < tape.length; j++) {
      const drawn = tape[j] as number;
      if (drawn === 0) continue;
      yield replaced(i, [...tape.slice(0, j), ...tape.slice(j + 1)]);
      for (const share of [0, 1 / 2, 3 / 4, 15 / 16])
        yield replaced(i, [...tape.slice(0, j), Math.floor(drawn * share), ...tape.slice(j + 1)]);
    }
  }
}

function described<T>({ law, values, shown }: Finding<T>): MergeFlaw<T> {
  const [broken, why] = WHAT[law];
  return { law, values, message: [`the merge function ${broken}:`, ...shown.map((line) => `  ${line}`), why].join('\n') };
}

function show(value: unknown): string {
  return inspect(value, { depth: 8, breakLength: Infinity, maxArrayLength: 20, maxStringLength: 200 });
}
