/**
 * Faults as values: what happens to a cluster in one run is a list, drawn from the seed before the run begins. A list can be
 * printed, and parts of it can be left out to find which of them a failure needs (`shrink.ts`).
 *
 * Which kinds a run has is drawn first (swarm testing: Groce and others, 2012): a run in which everything happens all the time
 * hides what only two faults together bring about.
 *
 * Not every combination of faults leaves something to promise. Acknowledged means on W of N disks, so all that destroys data
 * (rot, wipes, old copies put back, removal) befalls one node of a run only, the *frail* one.
 */
import { pick, shuffle, type Random } from '@armature/kernel';

/** Of the network, of processes, of disks, and of administrators. */
export const FAULT_KINDS = [
  'partition',
  'link-cut',
  'one-way',
  'loss',
  'slow-link',
  'disorder',
  'bus-restart',
  'kill',
  'power',
  'stop',
  'pause',
  'suspend',
  'clock',
  'other-version',
  'slow-disk',
  'failing-disk',
  'full-disk',
  'rot',
  'wipe',
  'old-copy',
  'fail-over',
  'namesake',
  'join',
  'leave',
  'waver',
  'remove',
  'replace',
  'weight',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface Fault {
  readonly kind: FaultKind;
  /** From the beginning of the load, ms. */
  readonly atMs: number;
  /** How long it lasts, ms; what ends by itself ignores it. */
  readonly lastMs: number;
  /** Whom it befalls: processes or nodes by name, in the order that the kind wants. */
  readonly whom: readonly string[];
  /** How bad it is, 0 to 1. */
  readonly degree: number;
}

export interface ScheduleOptions {
  readonly kinds: readonly FaultKind[];
  /** Whether every run has them all; by default each has a part of them. */
  readonly allKinds?: boolean | undefined;
  readonly durationMs: number;
  /** Mean time between the beginnings of two faults, ms. */
  readonly everyMs: number;
  /** Mean time of a fault of a kind, ms. */
  readonly lastMs: (kind: FaultKind) => number;
  /** Nodes from the beginning. */
  readonly nodes: readonly string[];
  /** Nodes that may join, in this order. */
  readonly newcomers: readonly string[];
  /** All processes from the beginning, nodes among them. */
  readonly processes: readonly string[];
}

/** Kinds that destroy data, or go with the loss of it. */
export const OF_THE_FRAIL: ReadonlySet<FaultKind> = new Set([
  'rot',
  'wipe',
  'old-copy',
  'fail-over',
  'namesake',
  'remove',
  'replace',
]);

export function drawSchedule(random: Random, options: ScheduleOptions): Fault[] {
  const share = random.float();
  const kinds = options.kinds.filter(() => random.float() < share || options.allKinds === true);
  const frail = pick(random, options.nodes) as string;
  const newcomers = [...options.newcomers];
  const faults: Fault[] = [];
  for (let atMs = 0; ;) {
    atMs += options.everyMs * 2 * random.float();
    const kind = pick(random, kinds);
    if (atMs >= options.durationMs || kind === undefined) return faults;
    const lastMs = options.lastMs(kind) * 2 * random.float();
    const whom = whomOf(kind, random, options, frail, newcomers);
    const degree = random.float();
    if (whom !== undefined) faults.push({ kind, atMs, lastMs, whom, degree });
  }
}

/** One line for a reader. */
export function describeFault({ kind, atMs, lastMs, whom, degree }: Fault): string {
  return `${(atMs / 1000).toFixed(3)} s: ${kind} of ${whom.join(' ')} for ${(lastMs / 1000).toFixed(3)} s, degree ${degree.toFixed(3)}`;
}

function whomOf(
  kind: FaultKind,
  random: Random,
  { nodes, processes }: ScheduleOptions,
  frail: string,
  newcomers: string[],
): readonly string[] | undefined {
  if (OF_THE_FRAIL.has(kind) && kind !== 'replace') return [frail];
  switch (kind) {
    case 'replace': {
      const newcomer = newcomers.shift();
      return newcomer === undefined ? undefined : [frail, newcomer];
    }
    case 'partition': {
      // The cut is before the first name that is an empty one.
      const names = shuffle(random, processes);
      const cut = 1 + random.int(names.length - 1);
      return [...names.slice(0, cut), '', ...names.slice(cut)];
    }
    case 'link-cut':
      return shuffle(random, nodes).slice(0, 2);
    case 'one-way':
    case 'slow-link':
      return shuffle(random, processes).slice(0, 2);
    case 'clock':
      // Of nodes and of clients.
      return [pick(random, processes) as string];
    case 'loss':
    case 'disorder':
    case 'bus-restart':
      return [];
    case 'join': {
      const newcomer = newcomers.shift();
      return newcomer === undefined ? undefined : [newcomer];
    }
    default:
      return [pick(random, nodes) as string];
  }
}
