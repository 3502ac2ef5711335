/**
 * Runs in which nodes stand still for longer than clients wait: what was asked of them has been done elsewhere, and written over,
 * when they wake.
 */
import type { RunOptions } from '../mutation.js';
import { PAUSES } from './runs.js';

/** For so long that everybody has given up what waited, and many more writes of its key have ended than are remembered. */
export const LONG_PAUSES: RunOptions = {
  ...PAUSES,
  durationMs: 60_000,
  faultsEveryMs: 5_000,
  faultsLastMs: 20_000,
  load: { ...PAUSES.load, keys: 10, thinkMs: 150, deletes: 0.3, blind: 0, fadeMs: 20_000 },
};

/** Machines are suspended, and wake to what their senders have given up. */
export const LONG_SLEEPS: RunOptions = { ...LONG_PAUSES, kinds: ['suspend'] };

/**
 * All nodes but one stand still before clients have said a word to them, and wake when all that was asked of them first has been
 * done elsewhere.
 */
export const EARLY_PAUSES: RunOptions = {
  ...LONG_PAUSES,
  kinds: [],
  schedule: ['n1', 'n2'].map((node) => ({ kind: 'pause', atMs: 0, lastMs: 25_000, whom: [node], degree: 0 })),
  nodes: 5,
};
