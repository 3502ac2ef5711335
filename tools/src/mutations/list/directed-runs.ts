/**
 * Runs whose faults are prescribed, for bugs that want several things in one order, which faults drawn at random hardly ever come
 * in. What the seed still draws is enough to make one run unlike the next: clocks, latencies, engines, and the load with the
 * moments of all its reads and writes.
 */
import type { Fault } from '@armature/testing';
import type { RunOptions } from '../mutation.js';

const fault = (kind: Fault['kind'], atMs: number, whom: readonly string[], lastMs = 0, degree = 0): Fault => ({
  ...{ kind, atMs, lastMs, whom, degree },
});

/** Of a link, as a share of the worst: 400 ms. */
const QUITE_SLOW = 0.2;

/**
 * A node returns, copies, and says that it is ready; nobody has heard that yet when it is told to leave and is called back. What
 * is written between these two commands it is not given. Its clock is so far ahead that in the history its word comes after both,
 * where it must not count.
 *
 * From before its return on, all that n4 says takes 400 ms. It has copied 3.8 s after it was told to join, and is told to leave
 * less than 400 ms later. Former owners would hand on what n4 lacks within moments of its becoming an owner; a node that is down
 * then keeps them from it, so that readers come to see what is missing.
 *
 * With a clock that is not ahead the word comes before both commands, and counts: then reads of one replica miss those writes in
 * the sound code, too.
 */
export const UNHEARD_READINESS: RunOptions = {
  kinds: [],
  schedule: [
    fault('leave', 500, ['n4']),
    ...['n1', 'n2', 'n3', 'r1', 'c1', 'c2', 'c3'].map((other) => fault('slow-link', 2_950, ['n4', other], 4_600, QUITE_SLOW)),
    fault('join', 3_000, ['n4']),
    fault('leave', 6_920, ['n4']),
    fault('join', 7_120, ['n4']),
    fault('kill', 7_170, ['n2'], 12_000),
  ],
  durationMs: 18_000,
  nodes: 4,
  skewsMs: { n4: 3_000 },
  core: false,
  worker: 'in-peace',
  transfers: { transfersAtOnce: 16 },
  load: {
    workloads: ['registers'],
    properties: { n: 3, r: 1, w: 3, durability: 'fsync' },
    keys: 800,
    fadeMs: 600_000,
    thinkMs: 20,
    deletes: 0.05,
    blind: 0.3,
  },
};

/**
 * A node leaves, and the others take its place. Meanwhile one of those cannot reach now one and now another of the owners that
 * stay, for less time than it takes to be missed. So a put that one of these mints reaches both owners, and not the one that is
 * to come, which may have copied its partition before. Who reads asks one owner. No hint finds room.
 */
export const CUTS_DURING_A_MOVE: RunOptions = {
  kinds: [],
  schedule: [
    fault('leave', 8_000, ['n1']),
    ...Array.from({ length: 30 }, (_, i) => fault('link-cut', 7_600 + i * 500, ['n4', i % 2 === 0 ? 'n2' : 'n3'], 450)),
  ],
  durationMs: 35_000,
  nodes: 4,
  core: false,
  worker: 'in-peace',
  hintLimitBytes: 1,
  transfers: { transfersAtOnce: 16 },
  load: {
    workloads: ['registers'],
    properties: { n: 2, r: 1, w: 2, durability: 'fsync' },
    keys: 800,
    fadeMs: 600_000,
    thinkMs: 15,
    deletes: 0,
    blind: 0.5,
  },
};

/** A node leaves while the one that is to take its place is down. All others are well, and every put needs three of them. */
export const DEAD_NEWCOMER: RunOptions = {
  ...CUTS_DURING_A_MOVE,
  schedule: [fault('kill', 500, ['n4'], 22_000), fault('leave', 1_000, ['n1'])],
  nodes: 4,
  transfers: {},
  load: { ...CUTS_DURING_A_MOVE.load, properties: { n: 3, r: 1, w: 3, durability: 'fsync' }, keys: 30, thinkMs: 200 },
};

/**
 * A node is removed, and what fills its places takes long to copy; meanwhile three copies are asked for where there are two
 * owners.
 */
export const VACANCIES: RunOptions = {
  ...CUTS_DURING_A_MOVE,
  schedule: [fault('remove', 10_000, ['n5'], 60_000)],
  nodes: 5,
  load: { ...DEAD_NEWCOMER.load, keys: 200 },
};

/** Hours. */
const HOURS_AHEAD = 0.201;
/** Centuries, and for the rest of the run. */
const CENTURIES_AHEAD = 0.484;

/**
 * Two of three clocks are set ahead by the same hours, so that nobody can know: the third node is the one that seems wrong. What
 * they stamp in these seconds is in the future for all once both are right again.
 */
export const MOST_CLOCKS_AHEAD: RunOptions = {
  kinds: [],
  schedule: [fault('clock', 3_000, ['n1'], 5_000, HOURS_AHEAD), fault('clock', 3_001, ['n2'], 5_000, HOURS_AHEAD)],
  durationMs: 40_000,
  nodes: 3,
  core: false,
  load: {
    workloads: ['last-writes'],
    properties: { n: 3, r: 2, w: 2, durability: 'fsync' },
    keys: 400,
    fadeMs: 600_000,
    thinkMs: 60,
    blind: 0.5,
  },
};

/** The clock of one node is set beyond the year 2200, and administrators give it, as others, their commands. */
export const COMMANDS_BEYOND: RunOptions = {
  kinds: [],
  schedule: [
    fault('clock', 1_000, ['n1'], 0, CENTURIES_AHEAD),
    ...Array.from({ length: 12 }, (_, i) => fault('weight', 2_000 + 500 * i, [`n${1 + (i % 3)}`], 0, i / 12)),
  ],
  durationMs: 15_000,
  nodes: 3,
  core: false,
  load: { workloads: ['registers'], properties: { n: 3, r: 2, w: 2, durability: 'fsync' }, keys: 20, thinkMs: 300 },
};

const CLIENTS_SIDE = ['r1', 'c1', 'c2', 'c3'];

/** Of four nodes two are away for so long that hints for them grow too old. */
export const AGED_HINTS: RunOptions = {
  kinds: [],
  schedule: [fault('partition', 1_000, ['n1', 'n3', '', 'n2', 'n4', ...CLIENTS_SIDE], 24_000)],
  durationMs: 26_000,
  nodes: 4,
  core: false,
  worker: 'in-peace',
  hintLimitBytes: 1024 ** 2,
  hintMaxAgeMs: 3_000,
  load: {
    workloads: ['registers'],
    properties: { n: 3, r: 1, w: 2, durability: 'fsync' },
    keys: 40,
    fadeMs: 10_000,
    thinkMs: 100,
    deletes: 0,
    blind: 0.6,
  },
};

/**
 * Two of five are away, and a node leaves that keeps hints for them. Three copies are asked for, so that each of the three that
 * are left has one.
 */
export const LEAVERS_WITH_HINTS: RunOptions = {
  ...AGED_HINTS,
  schedule: [
    fault('kill', 1_000, ['n1'], 24_000),
    fault('partition', 1_000, ['n3', '', 'n1', 'n2', 'n4', 'n5', ...CLIENTS_SIDE], 24_000),
    fault('leave', 8_000, ['n5']),
  ],
  nodes: 5,
  hintMaxAgeMs: 24 * 3_600_000,
  load: { ...AGED_HINTS.load, properties: { n: 3, r: 1, w: 3, durability: 'fsync' } },
};

/**
 * A node is away, and then removed; hints for it go to all owners of their keys. One of those is away from before the removal on.
 * In some runs it is the one that is then cut off for good, until all others are equal.
 */
export const REMOVED_WITH_HINTS: RunOptions = {
  ...AGED_HINTS,
  schedule: [
    fault('partition', 500, ['n5', '', 'n1', 'n2', 'n3', 'n4', ...CLIENTS_SIDE], 8_000),
    fault('partition', 7_000, ['n4', '', 'n1', 'n2', 'n3', 'n5', ...CLIENTS_SIDE], 30_000),
    fault('remove', 8_000, ['n5'], 60_000),
  ],
  nodes: 5,
  core: true,
  hintMaxAgeMs: 24 * 3_600_000,
  load: { ...AGED_HINTS.load, keys: 400, thinkMs: 40 },
};

/**
 * Rings turn all the time, behind cuts that last longer than anybody waits for an answer: those who are still in reach must go
 * on.
 */
export const TURNS_BEHIND_CUTS: RunOptions = {
  kinds: ['waver', 'link-cut'],
  allKinds: true,
  nodes: 5,
  worker: 'in-peace',
  core: false,
  durationMs: 40_000,
  faultsEveryMs: 4_000,
  faultsLastMs: { waver: 10_000, 'link-cut': 25_000 },
  load: { workloads: ['registers'], properties: { n: 3, r: 2, w: 2 }, keys: 8 },
};

/** A node starts with an old copy of its disk, and can hear nobody for the first seconds. */
export const OLD_STARTS: RunOptions = {
  kinds: [],
  schedule: [fault('old-copy', 2_000, ['n1']), fault('kill', 4_000, ['n1'], 500), fault('old-copy', 12_000, ['n1'], 1_000, 1)],
  durationMs: 25_000,
  nodes: 3,
  core: false,
  load: { workloads: ['registers'], properties: { n: 3, r: 2, w: 2, durability: 'fsync' }, keys: 20, thinkMs: 200 },
};
