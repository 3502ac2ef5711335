/** Always writable: while W nodes are there, whichever they are, a write is done. */
import type { Mutation } from '../mutation.js';
import { BUSY_PAUSES } from './busy-pauses.js';
import { LONG_FAULTS, LONG_FAULTS_WITHOUT_HINTS } from './runs.js';

export const availability: readonly Mutation[] = [
  {
    name: 'quorum-strict',
    trap: 'the quorum is strict: with too few owners, nobody stands in for those that are gone',
    file: 'packages/coordination/src/replication.ts',
    find: 'fallbacks: placement.fallbacks.filter((node) => node !== self && !monitor.isSuspect(node)) };',
    replace: 'fallbacks: placement.fallbacks.filter((node) => node !== self && !monitor.isSuspect(node)).slice(0, 0) };',
    run: LONG_FAULTS,
  },
  {
    name: 'full-hints-fail-writes',
    trap: 'hints fail live writes when the backlog is large',
    file: 'packages/coordination/src/put-core.ts',
    find: "  if (code !== 'stale-ring' || isLate) return",
    replace:
      "  if (hintFor !== undefined && code === 'overloaded') return settled(left, { ...putFailed(tally, node, code), verdict: 'short' });\n  if (code !== 'stale-ring' || isLate) return",
    run: LONG_FAULTS_WITHOUT_HINTS,
  },
  {
    name: 'deadlines-before-answers',
    trap: 'a node that stood still gives up what has been answered meanwhile, and keeps hints for owners that have it',
    file: 'packages/bus/src/sweep-timer.ts',
    find: 'lateMs > STOOD_STILL_MS;',
    replace: 'lateMs > Infinity;',
    run: BUSY_PAUSES,
  },
  {
    name: 'pause-unnoticed',
    trap: 'a node that stood still takes everybody else for dead when it wakes',
    file: 'packages/coordination/src/pause-watch.ts',
    find: 'if (pausedMs < PAUSE_MS) return;\n    this.#timer.cancel();',
    replace: 'if (pausedMs < Infinity) return;\n    this.#timer.cancel();',
    also: { file: 'packages/bus/src/sweep-timer.ts', find: 'lateMs > STOOD_STILL_MS;', replace: 'lateMs > Infinity;' },
    run: BUSY_PAUSES,
  },
];
