/**
 * Kinds of runs in which certain bugs show soon: the same clusters, workloads and checks, with the faults that matter to them,
 * and more of those.
 */
import type { RunOptions } from '../mutation.js';

type Load = NonNullable<RunOptions['load']>;

export const REGISTERS: Load = { workloads: ['registers'], properties: { n: 3, r: 2, w: 2, durability: 'fsync' } };
const BUSY: Load = { ...REGISTERS, keys: 5, thinkMs: 120 };
export const ROOM_FOR_HINTS = 1024 ** 2;
export const NO_HINTS = 1;
const DAY_MS = 24 * 3_600_000;

/** Nothing is wrong. */
export const PLAIN: RunOptions = { kinds: [], durationMs: 15_000, load: BUSY };

/** Little happens, for a bug by which keys grow without end. */
export const BRIEF: RunOptions = { kinds: [], durationMs: 5_000, load: { ...BUSY, thinkMs: 500 } };

/** Machines lose their power while their disks are slow, and those who write then do not look first. */
export const CRASHES: RunOptions = {
  kinds: ['power'],
  allKinds: true,
  durationMs: 15_000,
  faultsEveryMs: 500,
  faultsLastMs: 1_000,
  hintLimitBytes: NO_HINTS,
  load: { ...REGISTERS, keys: 3, thinkMs: 50, blind: 0.7 },
};

/** Commits fail. */
export const FAILING_DISKS: RunOptions = {
  kinds: ['failing-disk', 'slow-disk', 'kill'],
  allKinds: true,
  durationMs: 15_000,
  faultsEveryMs: 800,
  faultsLastMs: 1_500,
  load: BUSY,
};

/** Engines that have to wait for a record, and nothing in memory. */
export const WAITING: RunOptions = {
  kinds: ['slow-disk', 'kill'],
  durationMs: 10_000,
  reads: 'waiting',
  load: { ...REGISTERS, keys: 2, thinkMs: 20, blind: 0.5 },
};

/** Disks forget, or say what was never written, while the node runs. */
export const ROT: RunOptions = {
  kinds: ['rot', 'slow-disk', 'pause'],
  durationMs: 15_000,
  faultsEveryMs: 500,
  reads: 'waiting',
  load: { ...REGISTERS, keys: 3, thinkMs: 50, blind: 0.6 },
};

/** The same, of keys that nobody reads any more. */
export const ROT_UNREAD: RunOptions = { ...ROT, load: { ...ROT.load, fadeMs: 2_000 } };

/**
 * A disk rots, and what it held is nowhere else: one copy is enough for a write, and the other machine loses its power before it
 * has stored its own.
 */
export const ROT_OF_THE_LAST: RunOptions = {
  kinds: ['rot', 'power'],
  durationMs: 15_000,
  faultsEveryMs: 500,
  hintLimitBytes: NO_HINTS,
  load: {
    workloads: ['registers'],
    properties: { n: 2, r: 2, w: 1, durability: 'memory' },
    thinkMs: 50,
    blind: 0.6,
    fadeMs: 2_000,
  },
};

/** Clusters fall into parts, again and again, and messages are lost. */
export const PARTITIONS: RunOptions = {
  kinds: ['partition', 'one-way', 'loss'],
  durationMs: 15_000,
  faultsEveryMs: 1_500,
  faultsLastMs: 3_000,
  load: { ...BUSY, blind: 0.4 },
};

/** Five nodes fall into parts, so that for some keys one part has no owner: fallbacks are all there is. */
export const STAND_INS: RunOptions = {
  kinds: ['partition', 'loss'],
  allKinds: true,
  nodes: 5,
  hintLimitBytes: ROOM_FOR_HINTS,
  durationMs: 15_000,
  faultsEveryMs: 1_500,
  faultsLastMs: 2_000,
  load: { ...REGISTERS, keys: 4, thinkMs: 80, blind: 0.6 },
};

/** The same, and nodes are killed and stopped meanwhile. */
export const STAND_INS_KILLED: RunOptions = {
  ...STAND_INS,
  kinds: ['partition', 'kill', 'partition'],
  faultsEveryMs: 600,
  faultsLastMs: 3_000,
};

/** Messages come twice, late, and in another order. */
export const DISORDER: RunOptions = {
  kinds: ['disorder', 'loss', 'one-way'],
  allKinds: true,
  durationMs: 15_000,
  faultsEveryMs: 1_000,
  load: BUSY,
};

/** Processes stand still, and wake to what their senders have given up. */
export const PAUSES: RunOptions = {
  kinds: ['pause'],
  allKinds: true,
  durationMs: 20_000,
  faultsEveryMs: 1_500,
  load: { ...REGISTERS, keys: 4, thinkMs: 60, deletes: 0.3, blind: 0 },
};

/** Only the membership changes, and nobody is down. */
export const CHANGES: RunOptions = {
  kinds: ['join', 'leave', 'weight'],
  allKinds: true,
  durationMs: 20_000,
  faultsEveryMs: 2_500,
  load: BUSY,
};

/** The same, while transfers take seconds and nobody repairs anything; who reads asks one owner, whichever it is. */
export const SLOW_CHANGES: RunOptions = {
  ...CHANGES,
  nodes: 4,
  core: false,
  worker: 'in-peace',
  transfers: { transfersAtOnce: 1, transferBytesPerSecond: 1_000 },
  load: {
    ...REGISTERS,
    properties: { n: 3, r: 1, w: 3, durability: 'fsync' },
    keys: 40,
    fadeMs: Infinity,
    thinkMs: 120,
    deletes: 0.05,
    blind: 0.3,
  },
};

/**
 * The membership changes, quickly and to and fro, while some links are slow: who is behind one hears of a change when others have
 * long acted on it.
 */
export const SLOW_NEWS: RunOptions = {
  ...SLOW_CHANGES,
  kinds: ['join', 'leave', 'weight', 'waver', 'slow-link'],
  durationMs: 15_000,
  faultsEveryMs: 700,
  faultsLastMs: 2_500,
  transfers: {},
  load: { ...SLOW_CHANGES.load, keys: 30, thinkMs: 80 },
};

/** Disks are lost, and nobody repairs anything. */
export const WIPES: RunOptions = {
  ...SLOW_CHANGES,
  kinds: ['wipe'],
  durationMs: 12_000,
  faultsEveryMs: 4_000,
  faultsLastMs: 1_000,
  transfers: {},
  load: { ...SLOW_CHANGES.load, thinkMs: 80 },
};

/** Storage goes back to what it held a while ago, under nodes that run. */
export const FAIL_OVERS: RunOptions = { ...WIPES, kinds: ['fail-over'], faultsLastMs: 3_000 };

/** Second processes of a node's name are started, and nothing else is wrong. */
export const NAMES_USED_TWICE: RunOptions = {
  kinds: ['namesake'],
  allKinds: true,
  durationMs: 30_000,
  faultsEveryMs: 6_000,
  faultsLastMs: 8_000,
  load: BUSY,
};

/**
 * The membership changes while one owner of two is down, of whom one is enough to acknowledge a write, and there is no room for
 * hints.
 */
export const ABSENT_OWNERS: RunOptions = {
  kinds: ['kill', 'join', 'leave', 'weight'],
  allKinds: true,
  durationMs: 15_000,
  faultsEveryMs: 700,
  faultsLastMs: 2_500,
  nodes: 4,
  core: false,
  worker: 'in-peace',
  hintLimitBytes: NO_HINTS,
  load: {
    ...REGISTERS,
    properties: { n: 2, r: 2, w: 1, durability: 'fsync' },
    keys: 400,
    fadeMs: Infinity,
    thinkMs: 40,
    deletes: 0,
    blind: 0.6,
  },
};

/** Nodes are removed, and return. */
export const REMOVALS: RunOptions = {
  ...CHANGES,
  kinds: ['remove', 'partition'],
  nodes: 5,
};

/** The membership changes while messages and nodes are lost. */
export const ROUGH_CHANGES: RunOptions = {
  ...CHANGES,
  kinds: ['join', 'leave', 'weight', 'remove', 'loss', 'partition', 'kill'],
  faultsEveryMs: 1_200,
};

/**
 * Replicas come to differ, and nobody but an exchange of trees finds out: no hints, keys that nobody reads any more soon after,
 * and what is stored is compared with the trees once a day only.
 */
export const TREES: RunOptions = {
  kinds: ['partition', 'failing-disk'],
  allKinds: true,
  durationMs: 15_000,
  faultsEveryMs: 1_500,
  verifyCycleMs: DAY_MS,
  hintLimitBytes: NO_HINTS,
  load: { ...REGISTERS, keys: 8, fadeMs: 3_000, thinkMs: 100, blind: 0.5 },
};

/** The same, with commits that fail and disks that are slow: trees are built again and again, beside the writes. */
export const TREES_REBUILT: RunOptions = {
  ...TREES,
  kinds: ['failing-disk', 'slow-disk'],
  faultsEveryMs: 700,
  load: { ...TREES.load, thinkMs: 30 },
};

/** Replicas come to differ, and must become equal while some node stays cut off for good. */
export const WITHOUT_SOME: RunOptions = {
  ...TREES,
  core: true,
  worker: 'throughout',
  load: { ...TREES.load, fadeMs: 5_000 },
};

/** Writes that ask for two owners, while owners are away. */
export const PRIMARIES: RunOptions = {
  ...PARTITIONS,
  nodes: 5,
  load: { ...BUSY, properties: { ...REGISTERS.properties, pw: 2 } },
};

/** Last write wins, in a network that falls into parts. */
export const LAST_WRITES: RunOptions = { ...PARTITIONS, load: { ...BUSY, workloads: ['last-writes'] } };

/** Nodes are down, paused, sick or cut off for so long that everybody knows. */
export const LONG_FAULTS: RunOptions = {
  kinds: ['partition', 'kill', 'full-disk', 'pause'],
  durationMs: 60_000,
  faultsEveryMs: 12_000,
  faultsLastMs: 15_000,
  nodes: 5,
  hintLimitBytes: ROOM_FOR_HINTS,
  load: { ...BUSY, thinkMs: 300, properties: { ...REGISTERS.properties, w: 3 } },
};

/** The same, and there is no room for hints. */
export const LONG_FAULTS_WITHOUT_HINTS: RunOptions = {
  ...LONG_FAULTS,
  hintLimitBytes: NO_HINTS,
  load: { ...BUSY, thinkMs: 300 },
};

/** What is acknowledged is on three disks, wherever they are: no copy too many. */
const EVERYWHERE: Load = { ...BUSY, properties: { n: 3, r: 2, w: 3, durability: 'fsync' } };

/**
 * Owners change while nodes are down or cannot reach each other: copies lie where nobody owns them any more, at former owners and
 * as hints for them. Keys fade, and no worker finds what nobody reads.
 */
export const STRAYS: RunOptions = {
  kinds: ['kill', 'one-way', 'weight', 'weight', 'leave', 'join'],
  allKinds: true,
  nodes: 5,
  worker: 'in-peace',
  hintLimitBytes: ROOM_FOR_HINTS,
  transfers: {},
  durationMs: 30_000,
  faultsEveryMs: 500,
  faultsLastMs: 2_500,
  load: { ...EVERYWHERE, keys: 12, fadeMs: 4_000, thinkMs: 100, blind: 0.5, deletes: 0 },
};

/** The same, in a cluster that falls into parts, and loses nodes for good. */
export const STRAY_HINTS: RunOptions = { ...STRAYS, kinds: ['partition', 'weight', 'weight', 'remove'], faultsEveryMs: 800 };

/** Hints go home one by one to owners whose disks are slow, while those who cannot reach these owners add to them. */
export const LATE_HINTS: RunOptions = {
  kinds: ['one-way', 'slow-disk', 'one-way', 'slow-link'],
  allKinds: true,
  nodes: 5,
  worker: 'in-peace',
  hintLimitBytes: ROOM_FOR_HINTS,
  durationMs: 20_000,
  faultsEveryMs: 400,
  faultsLastMs: 3_000,
  load: { ...EVERYWHERE, keys: 2, thinkMs: 40, blind: 0.4, deletes: 0 },
};

/**
 * Coordinators stand still, their clients write elsewhere, overwrite that, and turn to other keys; then the coordinator wakes to
 * the write it was given. Not so many writes of a key end meanwhile that the first of them could be forgotten (decision 0008).
 */
export const LATE_REPEATS: RunOptions = {
  ...PAUSES,
  durationMs: 30_000,
  faultsEveryMs: 1_500,
  faultsLastMs: 3_000,
  load: { ...REGISTERS, keys: 8, thinkMs: 150, deletes: 0.5, blind: 0, fadeMs: 4_000 },
};

/** Last write wins, and wall clocks jump. */
export const CLOCKS: RunOptions = {
  kinds: ['clock'],
  durationMs: 15_000,
  allKinds: true,
  faultsEveryMs: 2_000,
  load: { ...BUSY, workloads: ['last-writes'] },
};

/** Nodes come back as a later release, which nobody understands, for a while. */
export const OTHER_VERSIONS: RunOptions = {
  kinds: ['other-version'],
  allKinds: true,
  durationMs: 30_000,
  faultsEveryMs: 6_000,
  faultsLastMs: 6_000,
  load: BUSY,
};
