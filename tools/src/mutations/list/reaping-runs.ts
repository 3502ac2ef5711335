/** Runs in which keys are deleted, or overwritten, and rest for long enough that tombstones are reaped and clocks pruned. */
import type { RunOptions } from '../mutation.js';
import { NO_HINTS, REGISTERS, ROOM_FOR_HINTS } from './runs.js';

/** Keys are deleted as often as written, and what is deleted is reaped, for nothing is wrong. */
export const DELETIONS: RunOptions = {
  kinds: [],
  durationMs: 70_000,
  load: { ...REGISTERS, keys: 25, thinkMs: 500, deletes: 0.5, blind: 0.2 },
};

/** The same, and nodes are stopped and started again: what is written again is minted by one that has reaped it. */
export const REAPED_AND_RESTARTED: RunOptions = {
  ...DELETIONS,
  kinds: ['stop'],
  allKinds: true,
  worker: 'throughout',
  sweepCycleMs: 5_000,
  faultsEveryMs: 6_000,
  faultsLastMs: 500,
};

/** The same, and machines lose their power, with what they were not asked to make safe. */
export const DELETIONS_UNSYNCED: RunOptions = {
  ...DELETIONS,
  kinds: ['power'],
  allKinds: true,
  worker: 'throughout',
  sweepCycleMs: 5_000,
  faultsEveryMs: 8_000,
  faultsLastMs: 1_000,
  load: { ...DELETIONS.load, properties: { ...REGISTERS.properties, durability: 'os' }, keys: 10, fadeMs: 5_000, thinkMs: 300 },
};

/** Keys are deleted and never touched again, while nodes are away for longer than the quarantine; there is no room for hints. */
export const MISSED_DELETIONS: RunOptions = {
  ...DELETIONS,
  kinds: ['partition', 'kill'],
  allKinds: true,
  worker: 'throughout',
  sweepCycleMs: 5_000,
  hintLimitBytes: NO_HINTS,
  durationMs: 120_000,
  faultsEveryMs: 30_000,
  faultsLastMs: 30_000,
  load: { ...DELETIONS.load, keys: 10, fadeMs: 5_000, thinkMs: 300 },
};

/**
 * Pairs of nodes that cannot hear each other for long: what one keeps for the other lies there while the key is deleted, and the
 * tombstone is wanted gone.
 */
export const STUCK_HINTS: RunOptions = {
  ...MISSED_DELETIONS,
  kinds: ['link-cut', 'kill', 'kill', 'kill', 'kill'],
  nodes: 5,
  hintLimitBytes: ROOM_FOR_HINTS,
  durationMs: 150_000,
  faultsEveryMs: 6_000,
  faultsLastMs: { 'link-cut': 50_000, kill: 1_500 },
};

/** Keys are overwritten, and rest until their clocks are pruned, for nothing is wrong. */
export const OVERWRITTEN: RunOptions = {
  ...DELETIONS,
  load: { ...DELETIONS.load, keys: 12, thinkMs: 700, deletes: 0, blind: 0.3 },
};

/**
 * A node is down for longer than the quarantine, and comes back with versions that were overwritten meanwhile; there is no room
 * for hints. Keys are overwritten so often that their sets have forgotten which operations these were, and then rest.
 */
export const MISSED_OVERWRITES: RunOptions = {
  ...MISSED_DELETIONS,
  kinds: [],
  schedule: [{ kind: 'kill', atMs: 6_000, lastMs: 34_000, whom: ['n3'], degree: 0 }],
  nodes: 3,
  core: false,
  durationMs: 50_000,
  load: { ...MISSED_DELETIONS.load, keys: 2, fadeMs: 8_000, thinkMs: 60, deletes: 0 },
};

/**
 * Nodes crash again and again: each time one mints under a fresh actor, and leaves its old entry in the clocks. Then all rest.
 */
export const CRASH_LOOPS: RunOptions = {
  ...OVERWRITTEN,
  kinds: ['kill', 'power'],
  allKinds: true,
  worker: 'throughout',
  core: false,
  sweepCycleMs: 5_000,
  rests: true,
  durationMs: 60_000,
  faultsEveryMs: 2_000,
  faultsLastMs: 300,
};

/**
 * Keys are deleted, or overwritten, and not touched again; what may go goes. Then an old copy of a disk is put back that was
 * taken before. The original has run on without a break, so the copy lacks no actor that is on record.
 */
export const OLD_AND_REAPED: RunOptions = {
  ...DELETIONS,
  kinds: [],
  schedule: [
    { kind: 'old-copy', atMs: 5_000, lastMs: 0, whom: ['n1'], degree: 0 },
    { kind: 'old-copy', atMs: 50_000, lastMs: 500, whom: ['n1'], degree: 0 },
  ],
  worker: 'throughout',
  core: false,
  sweepCycleMs: 5_000,
  durationMs: 60_000,
  load: { ...DELETIONS.load, keys: 10, fadeMs: 4_000, thinkMs: 300 },
};

/** Keys fade, and are deleted and reaped while a node is out of the cluster that still has them, and then joins again. */
export const RETURNS: RunOptions = {
  kinds: ['remove'],
  allKinds: true,
  nodes: 5,
  durationMs: 70_000,
  faultsEveryMs: 20_000,
  faultsLastMs: 28_000,
  worker: 'throughout',
  load: { ...REGISTERS, keys: 12, fadeMs: 10_000, thinkMs: 200, deletes: 0.5, blind: 0.1 },
};

/** Keys are deleted by those who have not seen all of their values, and then nobody comes back to them. */
export const FADING_DELETIONS: RunOptions = {
  kinds: [],
  durationMs: 50_000,
  load: { ...REGISTERS, workloads: ['recreations'], keys: 4, fadeMs: 4_000, thinkMs: 300 },
};
