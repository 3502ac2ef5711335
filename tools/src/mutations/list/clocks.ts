/** Wrong clocks: who stamps by one, and whom that concerns. */
import type { Mutation, RunOptions } from '../mutation.js';
import { MOST_CLOCKS_AHEAD } from './directed-runs.js';
import { CLOCKS } from './runs.js';

/** Clocks jump one after the other, for a few seconds each. */
const WRONG_CLOCKS: RunOptions = {
  ...CLOCKS,
  faultsEveryMs: 4_000,
  faultsLastMs: 3_000,
  load: { ...CLOCKS.load, workloads: ['last-writes', 'registers'] },
};

export const clocks: readonly Mutation[] = [
  {
    name: 'minted-by-wrong-clock',
    trap: 'the last write by the wrong clock wins: a node stamps writes though it knows that its clock is wrong',
    file: 'packages/coordination/src/clock-watch.ts',
    find: 'if (this.isRight) return;',
    replace: 'if (this.isRight || this.#peers > 0) return;',
    run: WRONG_CLOCKS,
  },
  {
    name: 'wrong-clock-stays-wrong',
    trap: 'a clock was wrong once, and its node is not well when it is right',
    file: 'packages/coordination/src/clock-watch.ts',
    find: 'return this.#isCompared && Math.abs(this.#offsetMs()) <= this.#limitMs;',
    replace: 'return this.#isCompared && !this.#isOff && Math.abs(this.#offsetMs()) <= this.#limitMs;',
    run: WRONG_CLOCKS,
  },
  {
    name: 'wrong-clock-infects',
    trap: 'who writes over what a wrong clock has stamped sets its own clock ahead, and stamps everything so',
    file: 'packages/versioning/src/resolvers.ts',
    find: 'return { at, last: isFarAhead(known, nowMs, maxDriftMs) ? next : at };',
    replace: 'return { at, last: at };',
    also: {
      file: 'packages/versioning/src/resolvers.ts',
      find: 'hlcTick(isFarAhead(last, nowMs, maxDriftMs) ? HLC_ZERO : last, nowMs)',
      replace: 'hlcTick(last, nowMs)',
    },
    run: MOST_CLOCKS_AHEAD,
  },
  {
    name: 'future-refused-by-merges',
    trap: 'what a wrong clock has stamped is refused by those whose clocks are right: replicas stay apart',
    file: 'packages/replica/src/replica.ts',
    find: 'const { bytes, changed, incoming: set, local, joined: after } = joined.value;',
    replace:
      "const { bytes, changed, incoming: set, local, joined: after } = joined.value;\n    if (set.siblings.some(({ version }) => version.at / 1024 > this.#env.clock.nowMs() + 60_000)) throw malformedSet(new Error('from the future'));",
    run: MOST_CLOCKS_AHEAD,
  },
];
