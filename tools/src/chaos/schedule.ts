/**
 * What the nemesis does, as a list drawn from the seed before anything runs: kill -9 of a node, the router or the worker and its restart, SIGSTOP of one for some
 * seconds, a restart of nats-server, a node that joins, a node that leaves. Pure: equal seeds and options are equal lists. What real processes make of it is another matter.
 *
 * Faults overlap, but never at one process: each has time to recover before its next turn. Nothing here destroys a disk, so every acknowledged write must survive all of it.
 */
import { pick, type Random } from '@armature/kernel';

export const CHAOS_KINDS = ['kill', 'pause', 'nats-restart', 'join', 'leave'] as const;
export type ChaosKind = (typeof CHAOS_KINDS)[number];

export interface ChaosFault {
  readonly kind: ChaosKind;
  /** A process by its name, or `nats`. */
  readonly target: string;
  /** From the beginning of the load, ms. */
  readonly atMs: number;
  /** Until it is lifted (the process is started again, or resumed), ms; 0 for changes of membership, which end by themselves. */
  readonly lastMs: number;
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
};
const WEIGHTED = CHAOS_KINDS.flatMap((kind) => Array<ChaosKind>(KINDS[kind].weight).fill(kind));
/** A process is left alone for that long after a fault of its own, and the membership after a change. */
const RESPITE_MS = 6_000;
const CHANGE_RESPITE_MS = 20_000;
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
  for (let atMs = everyMs * (0.5 + random.float() / 2); ; atMs += everyMs * (0.5 + random.float())) {
    const kind = pick(random, WEIGHTED) as ChaosKind;
    const [leastMs, mostMs] = KINDS[kind].lastMs;
    const lastMs = Math.round(leastMs + (mostMs - leastMs) * random.float());
    const begin = Math.round(atMs);
    if (begin + lastMs > durationMs) return faults;
    const isFree = (name: string): boolean => (busyUntilMs.get(name) ?? 0) <= begin;
    const target = targetOf(kind);
    if (target === undefined) continue;
    faults.push({ kind, target, atMs: begin, lastMs });
    const isChange = kind === 'join' || kind === 'leave';
    busyUntilMs.set(target, begin + lastMs + (isChange ? CHANGE_RESPITE_MS : RESPITE_MS));
    if (isChange) membershipRestsMs = begin + CHANGE_RESPITE_MS;

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
      }
    }
  }
}

const WORDS: Readonly<Record<ChaosKind, string>> = {
  kill: 'kill -9',
  pause: 'SIGSTOP',
  'nats-restart': 'restart',
  join: 'joins',
  leave: 'leaves',
};

/** For people: `kill -9 n2`, `n6 joins`. */
export function faultText({ kind, target }: Pick<ChaosFault, 'kind' | 'target'>): string {
  return kind === 'join' || kind === 'leave' ? `${target} ${WORDS[kind]}` : `${WORDS[kind]} ${target}`;
}

/** What it is called where the target is plain already. */
export function faultWord(kind: ChaosKind): string {
  return WORDS[kind];
}
