/**
 * What a simulated cluster may be told: who is there, how the clocks and the network of its world differ from perfect ones, and
 * how small its messages are. All has a default.
 */
import type { ClusterStrategy } from '@armature/protocol';
import type { NodeOptions } from '@armature/server';
import type { DiskReads } from '../world/disk.js';

export interface SimulatedClusterOptions {
  readonly nodes?: readonly string[];
  readonly routers?: readonly string[];
  /** Anti-entropy workers. */
  readonly workers?: readonly string[];
  /** Of a sweep, ms. */
  readonly cycleMs?: number;
  readonly zoneOf?: (node: string) => string;
  readonly partitionCount?: number;
  readonly strategy?: ClusterStrategy;
  /** Of the wall clock of a process, ms; none by default. */
  readonly skewOf?: (name: string) => number;
  /** Of the clocks of a process: 1 by default. */
  readonly rateOf?: (name: string) => number;
  /** Mean time of a message between two processes, ms. */
  readonly latencyMs?: number;
  /** Largest message of nodes and routers, and largest payload of the bus; those of production by default. */
  readonly messageBytes?: number;
  readonly payloadBytes?: number;
  /** What nodes are told besides, e.g. the bound of their hints. */
  readonly nodeOptions?: Partial<NodeOptions>;
  /** Whether engines answer reads at once, the default, or only later; nodes then keep no cache of records before them. */
  readonly reads?: DiskReads;
}
