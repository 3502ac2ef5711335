/** What there is of a node in a simulated cluster: its disk, the process that runs, and another one that has taken its name. */
import type { NodeId } from '@armature/kernel';
import type { ArmatureNode } from '@armature/server';
import type { SimulatedDisk } from '../world/disk.js';
import type { SimulatedProcess } from '../world/process.js';

/** A node by its name: the disk stays, processes come and go. */
export interface SimulatedMember {
  readonly name: NodeId;
  readonly disk: SimulatedDisk;
  /** Undefined while it is down. */
  process: SimulatedProcess | undefined;
  node: ArmatureNode | undefined;
  /** It was told to end, and has begun to. */
  isStopping: boolean;
  /** A second process of its name, while there is one. */
  namesake: Namesake | undefined;
}

/** A second process of a node's name, on another machine: its connection to the bus has the node's name with a prime. */
export interface Namesake {
  readonly process: SimulatedProcess;
  readonly disk: SimulatedDisk;
  /** What it takes as the node is not on the node's disk, from when it has opened its own. This ends it. */
  endBypass: (() => void) | undefined;
}
