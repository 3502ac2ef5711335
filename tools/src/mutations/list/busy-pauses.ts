/**
 * Runs in which processes stand still with so much in hand that several requests of one node to another are overdue when it
 * wakes.
 */
import type { RunOptions } from '../mutation.js';
import { PAUSES } from './runs.js';

/** Messages take their time, and clients do many things at once. */
export const BUSY_PAUSES: RunOptions = {
  ...PAUSES,
  nodes: 4,
  durationMs: 35_000,
  faultsEveryMs: 4_000,
  faultsLastMs: 3_000,
  latencyMs: 10,
  hintLimitBytes: 1024 ** 2,
  core: false,
  load: { ...PAUSES.load, keys: 30, thinkMs: 20, atOnce: 6, deletes: 0.1, blind: 0.3, fadeMs: Infinity },
};
