/**
 * What the nemesis does, as a list drawn from the seed before anything runs: kill -9 of a node, the router or the worker and its
 * restart, SIGSTOP of one for some seconds, a restart of nats-server, a node that joins, a node that leaves, a wall clock that
 * jumps, a second process of a node's name. Pure: equal seeds and options are equal lists. What real processes make of it is
 * another matter.
 *
 * Faults overlap, but never at one process: each has time to recover before its next turn. Nothing here destroys a disk, so every
 * acknowledged write must survive all of it.
 */
import { pick, type Random } from '@armature/kernel';

export const CHAOS_KINDS = ['kill', 'pause', 'nats-restart', 'join', 'leave', 'clock', 'name-clash'] as const;
export type ChaosKind = (typeof CHAOS_KINDS)[number];

export interface ChaosFault {
  readonly kind: ChaosKind;
  /** A process by its name, or `nats`. */
  readonly target: string;
  /** From the beginning of the load, ms. */
  readonly atMs: number;
  /**
   * Until it is lifted (the process is started again, or resumed; the clock is right again), ms; 0 for what ends by itself:
   * changes of membership, second processes.
   */
  readonly lastMs: number;
  /** Of `clock`: how far ahead the wall clock jumps, ms; below 0, how far back. */
  readonly aheadMs?: number;
  /** Of `name-clash`: what the second process finds in its data directory. `copied` is what the first has at that moment. */
  readonly data?: 'empty' | 'copied';
}

export interface ChaosScheduleOptions {
  /** Faults begin and are lifted before then, ms. */
  readonly durationMs: number;
  /** Mean time between the beginnings of two faults, ms. */
  readonly everyMs: number;
  /** Names of the first nodes: n1, n2, ... Newcomers go on counting. */
  readonly nodes: readonly string[];
  readonly routers: readonly string[];
  readonly workers: readonly string[];
}

export const NATS = 'nats';

/** How often each kind comes, and how long it lasts at least and at most, ms. */
const KINDS: Readonly<Record<ChaosKind, { readonly weight: number; readonly lastMs: readonly [number, number] }>> = {
  kill: { weight: 5, lastMs: [500, 6_000] },
  pause: { weight: 4, lastMs: [1_000, 8_000] },
  'nats-restart': { weight: 2, lastMs: [200, 2_000] },
  join: { weight: 2, lastMs: [0, 0] },
  leave: { weight: 2, lastMs: [0, 0] },
  clock: { weight: 3, lastMs: [1_000, 15_000] },
  'name-clash': { weight: 2, lastMs: [0, 0] },
};
const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;
const JUMPS_MS = [HOUR_MS, 24 * HOUR_MS, YEAR_MS, 20 * YEAR_MS].flatMap((ms) => [ms, -ms]);
const WEIGHTED = CHAOS_KINDS.flatMap((kind) => Array<ChaosKind>(KINDS[kind].weight).fill(kind));
/** A process is left alone for that long after a fault of its own, and the membership after a change. */
const RESPITE_MS = 6_000;
const CHANGE_RESPITE_MS = 20_000;
/**
 * A second process has found out that there is a first. That takes NATS: two that cannot hear one another both act
 * (docs/proof.md).
 */
const CLASH_MS = 10_000;
/** Replicas want that many nodes. */
const FEWEST_NODES = 3;
const MOST_NEWCOMERS = 2;

export function drawSchedule(random: Random, options: ChaosScheduleOptions): ChaosFault[] {
  const { durationMs, everyMs, nodes } = options;
  const members = new Set(nodes);
  const busyUntilMs = new Map<string, number>();
  const faults: ChaosFault[] = [];
  let born = nodes.length;
  let membershipRestsMs = 0;
  let clocksRightMs = 0;
  for (let atMs = everyMs * (0.5 + random.float() / 2); ; atMs += everyMs * (0.5 + random.float())) {
    const kind = pick(random, WEIGHTED) as ChaosKind;
    const [leastMs, mostMs] = KINDS[kind].lastMs;
    const lastMs = Math.round(leastMs + (mostMs - leastMs) * random.float());
    const begin = Math.round(atMs);
    if (begin + lastMs > durationMs) return faults;
    const isFree = (name: string): boolean => (busyUntilMs.get(name) ?? 0) <= begin;
    const target = targetOf(kind);
    if (target === undefined) continue;
    faults.push({ kind, target, atMs: begin, lastMs, ...detailsOf(kind, random) });
    const isChange = kind === 'join' || kind === 'leave';
    busyUntilMs.set(target, begin + lastMs + (isChange ? CHANGE_RESPITE_MS : RESPITE_MS));
    if (isChange) membershipRestsMs = begin + CHANGE_RESPITE_MS;
    if (kind === 'clock') clocksRightMs = begin + lastMs + RESPITE_MS;
    if (kind === 'name-clash') busyUntilMs.set(NATS, begin + CLASH_MS);

    function targetOf(wanted: ChaosKind): string | undefined {
      switch (wanted) {
        case 'kill':
        case 'pause':
          return pick(random, [...members, ...options.routers, ...options.workers].filter(isFree));
        case 'nats-restart':
          return isFree(NATS) ? NATS : undefined;
        case 'join': {
          if (membershipRestsMs > begin || members.size >= nodes.length + MOST_NEWCOMERS) return undefined;
          const newcomer = `n${++born}`;
          members.add(newcomer);
          return newcomer;
        }
        case 'leave': {
          if (membershipRestsMs > begin || members.size <= Math.max(FEWEST_NODES, nodes.length - 1)) return undefined;
          const leaver = pick(random, [...members].filter(isFree));
          if (leaver !== undefined) members.delete(leaver);
          return leaver;
        }
        case 'clock':
          // One at a time: where half of the clocks are wrong, nobody can tell which (decision 0010).
          return clocksRightMs > begin ? undefined : pick(random, [...members].filter(isFree));
        case 'name-clash':
          return isFree(NATS) ? pick(random, [...members].filter(isFree)) : undefined;
      }
    }
  }
}

function detailsOf(kind: ChaosKind, random: Random): Pick<ChaosFault, 'aheadMs' | 'data'> {
  switch (kind) {
    case 'clock':
      return { aheadMs: pick(random, JUMPS_MS) as number };
    case 'name-clash':
      return { data: random.int(2) === 0 ? 'empty' : 'copied' };
    default:
      return {};
  }
}

const WORDS: Readonly<Record<ChaosKind, string>> = {
  kill: 'kill -9',
  pause: 'SIGSTOP',
  'nats-restart': 'restart',
  join: 'joins',
  leave: 'leaves',
  clock: 'clock',
  'name-clash': 'second process',
};

/** For people: `kill -9 n2`, `n6 joins`, `clock of n1 +1 h`, `second n3, copied data`. */
export function faultText({
  kind,
  target,
  aheadMs = 0,
  data = 'empty',
}: Pick<ChaosFault, 'kind' | 'target' | 'aheadMs' | 'data'>): string {
  switch (kind) {
    case 'join':
    case 'leave':
      return `${target} ${WORDS[kind]}`;
    case 'clock':
      return `clock of ${target} ${jumpText(aheadMs)}`;
    case 'name-clash':
      return `second ${target}, ${data} data`;
    default:
      return `${WORDS[kind]} ${target}`;
  }
}

function jumpText(aheadMs: number): string {
  const hours = Math.abs(aheadMs) / HOUR_MS;
  const years = Math.abs(aheadMs) / YEAR_MS;
  return `${aheadMs < 0 ? '-' : '+'}${years >= 1 ? `${years} a` : `${hours} h`}`;
}

/** What it is called where the target is plain already. */
export function faultWord(kind: ChaosKind): string {
  return WORDS[kind];
}
