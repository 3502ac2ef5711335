/** What a cluster of processes is started with. All have a default that a test rarely needs to change. */
import type { connect } from '@armature/client';

export interface ProcessClusterOptions {
  readonly nodes?: readonly string[];
  readonly routers?: readonly string[];
  /** Anti-entropy workers; none by default, so that tests see what happens without. */
  readonly workers?: readonly string[];
  readonly storage?: 'level' | 'memory';
  readonly partitionCount?: number;
  readonly zoneOf?: (node: string) => string;
  /** Kept after `stop` when given; otherwise a temporary directory that goes with it. */
  readonly dataDirectory?: string;
  /** More arguments of nats-server; a function gets the name of the cluster. */
  readonly natsArgs?: readonly string[] | ((cluster: string) => readonly string[]);
  /** `user:password` of each process and (without a name) of clients, for a nats-server that asks for them. */
  readonly credentialsOf?: (member?: string) => string;
  /** Of clients, where NATS permits them a group only. */
  readonly group?: string;
  /** False: the nodes are started, and belong to no cluster yet. */
  readonly create?: boolean;
  /** More flags for every node. */
  readonly nodeFlags?: readonly string[];
  /** More flags for one node; they win over those for every node. */
  readonly flagsOf?: (node: string) => readonly string[];
  /** More flags for every anti-entropy worker. */
  readonly workerFlags?: readonly string[];
  /** V8 flags for every node, e.g. `--cpu-prof`. */
  readonly execArgv?: readonly string[];
  /** Whether `setClock` works. False by default. */
  readonly settableClocks?: boolean;
  /** Programs and client library of another checkout, built, instead of this one's. */
  readonly build?: { readonly root: string; readonly connect: typeof connect };
  /**
   * Servers that run already, instead of one of the cluster's own: where each process connects (and, without a name, clients).
   * Stopped with the cluster.
   */
  readonly network?: { urlOf(member?: string): string; stop(): Promise<void> };
}
