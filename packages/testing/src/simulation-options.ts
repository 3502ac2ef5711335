/** What a run may be told, where the seed is not to draw it; and what it says of itself. */
import type { NodeOptions } from '@armature/server';
import type { Fault, FaultKind } from './faults/fault.js';
import type { LoadWishes } from './workload/load.js';
import type { DiskReads } from './world/disk.js';

export interface SimulationOptions {
  readonly seed: number | string;
  readonly keepTrace?: boolean;
  /** Load and faults, virtual ms; a minute by default. */
  readonly durationMs?: number;
  /** Kinds of faults that may occur; all by default. */
  readonly kinds?: readonly FaultKind[];
  /** Whether every run has all of them; by default the seed draws some. */
  readonly allKinds?: boolean;
  /** These faults instead of those that the seed draws. */
  readonly schedule?: readonly Fault[];
  /** Mean time between two faults that the seed draws, virtual ms; two seconds by default, or twelve in one run of four. */
  readonly faultsEveryMs?: number;
  /**
   * Mean time that a fault lasts, virtual ms, of every kind or of these; four seconds by default, or fifteen where faults are
   * few.
   */
  readonly faultsLastMs?: number | Readonly<Partial<Record<FaultKind, number>>>;
  /** Nodes from the beginning, 3 to 5; drawn from the seed by default. */
  readonly nodes?: number;
  /** Room for hints at each node, bytes; by default one run in four, drawn from the seed, has hardly any. */
  readonly hintLimitBytes?: number;
  /**
   * How long hints wait for their owner, virtual ms; by default a day, or a few seconds in one run of four, drawn from the seed.
   */
  readonly hintMaxAgeMs?: number;
  /**
   * By how much the wall clocks of these processes are ahead, ms; up to a second, or behind by as much, drawn from the seed by
   * default.
   */
  readonly skewsMs?: Readonly<Record<string, number>>;
  /** Whether engines answer reads at once; drawn from the seed by default. */
  readonly reads?: DiskReads;
  /** In which nodes compare all that they store with their hash trees, virtual ms; a minute by default. */
  readonly verifyCycleMs?: number;
  /** Whether an anti-entropy worker is there throughout, or only in peace; drawn from the seed by default. */
  readonly worker?: 'throughout' | 'in-peace';
  /** Whether at first only a part of the cluster is healed, and must do without the rest; drawn from the seed by default. */
  readonly core?: boolean;
  /** Whether the cluster rests at the end until all that may be reaped is gone; drawn from the seed by default. */
  readonly rests?: boolean;
  /** For one sweep of the worker, virtual ms; twenty seconds by default. */
  readonly sweepCycleMs?: number;
  /** How fast and how many at a time nodes transfer partitions; drawn from the seed by default. */
  readonly transfers?: Pick<NodeOptions, 'transfersAtOnce' | 'transferBytesPerSecond'>;
  /** Mean time of a message, virtual ms; a fraction of one by default. */
  readonly latencyMs?: number;
  /** Whether somebody without the secret is on the bus who means harm; in one run of four, drawn from the seed by default. */
  readonly isHostile?: boolean;
  /**
   * Whether the cluster requires tokens of applications; where somebody means harm in every second run, drawn from the seed by
   * default.
   */
  readonly demandsTokens?: boolean;
  readonly load?: LoadWishes;
}

export interface SimulationReport {
  readonly seed: number | string;
  /** Equal for equal runs. */
  readonly digest: string;
  /** What must not be. Empty: the run is good. */
  readonly violations: readonly string[];
  /** Its workloads and their buckets, for a reader. */
  readonly load: readonly string[];
  readonly acknowledged: number;
  readonly unknown: number;
  readonly refused: number;
  readonly reads: number;
  /** Pairs of a put and a later read that were checked against each other (see `check/sessions.ts`). */
  readonly sessionPairs: number;
  /** How long clients could not write, all clients and workloads together, virtual ms. */
  readonly unavailableMs: number;
  /** Records that nodes have dropped: reaped tombstones, one on each of their owners, and what former owners gave up. */
  readonly dropped: number;
  /** Writes that were carried out more than once, because somebody repeated them without knowing what had become of them. */
  readonly mintedTwice: number;
  readonly schedule: readonly Fault[];
  /** Of the whole run, ms. */
  readonly virtualMs: number;
  readonly events: number;
  /** From the end of faults and load until all replicas were equal, virtual ms; undefined if they never were. */
  readonly convergedAfterMs: number | undefined;
  readonly trace: readonly string[];
}
