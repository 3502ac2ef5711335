/** What a node and a router are told, and the ports they are given. */
import type { ArmatureError, ClusterName, NodeId, Random, Secrets } from '@armature/kernel';
import type { Bus, LinkAddress } from '@armature/bus';
import type { Clock, Logger, Telemetry } from '@armature/runtime';
import type { Engine } from '@armature/storage';
import type { TransferOptions } from './transfers.js';

/** Told in status answers and service discovery. */
export { VERSION as SERVER_VERSION } from '@armature/kernel';

export interface ServerOptions {
  /** First token(s) of all subjects. */
  readonly prefix: string;
  readonly cluster: ClusterName;
  /**
   * The cluster's secret, the same in every node and router; two while it is being changed. Contexts and tokens are sealed with
   * the first. At least 16 bytes each.
   */
  readonly secrets: Secrets;
  readonly seeds: readonly LinkAddress[];
  /** Ms between gossip rounds. */
  readonly gossipIntervalMs: number;
  /** How long a stop may wait for requests in hand and for the bus, ms; 5,000 by default. The store is closed after that. */
  readonly leaveMs?: number;
  /**
   * Largest message that is sent or taken, in bytes; `MAX_MESSAGE_BYTES` by default. The same in all nodes and routers: what a
   * key may hold follows from it.
   */
  readonly messageBytes?: number;
  /** Where this process runs, for those who find another one of its name. */
  readonly origin?: Origin;
  /**
   * Another process has the name of this one, and has had it for longer: this one refuses what it is asked, and is to be stopped.
   */
  readonly onNameLost?: (error: ArmatureError) => void;
}

export interface Origin {
  readonly host: string;
  readonly pid: number;
}

export const DEFAULT_LEAVE_MS = 5_000;

/** Once a second (paper, section 4.8.1). */
export const DEFAULT_GOSSIP_INTERVAL_MS = 1_000;

export interface NodeOptions extends ServerOptions, TransferOptions {
  readonly node: NodeId;
  /** Bounds of memory per node; see `StoreOptions`. */
  readonly cacheBytes?: number;
  /**
   * How long a tombstone stays after it was first found unneeded everywhere, ms; ten minutes by default. Must outlive messages
   * that are on their way.
   */
  readonly reapQuarantineMs?: number;
  /** Entries that the clock of a key may have before it is pruned; 16 by default. */
  readonly pruneAbove?: number;
  /** Shortest time between two records of a fresh actor of this node in the history, ms; a minute by default. */
  readonly actorIntervalMs?: number;
  /** Longest rest of writes of `buffered` buckets in memory before they are flushed, ms; see `StoreOptions`. */
  readonly bufferFlushMs?: number;
  /**
   * Bound of the hints kept for owners that cannot be reached, 1 GiB by default; beyond it further ones are refused, and writes
   * go on.
   */
  readonly hintLimitBytes?: number;
  /** How long a hint waits for its owner, ms; a day by default. After that it goes to the other owners. */
  readonly hintMaxAgeMs?: number;
  /** Ms in which everything stored is read once and compared with the hash trees; a day by default. */
  readonly verifyCycleMs?: number;
}

export interface RouterOptions extends ServerOptions {
  /** Unique among the routers. */
  readonly name: string;
}

export interface ServerPorts {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly telemetry: Telemetry;
}

export interface NodePorts extends ServerPorts {
  readonly engine: Engine;
}
