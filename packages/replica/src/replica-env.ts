/** What a replica is given, and what it shows of what it holds. */
import type { BinaryString, NodeId } from '@armature/kernel';
import type { Address } from '@armature/ring';
import type { Clock, Logger, Telemetry } from '@armature/runtime';
import type { Epoch } from './actor-epoch.js';
import type { ForegroundWatch } from './foreground-watch.js';
import type { RecordStore } from './record-store.js';

/** Whether the wall clock may stamp a version. */
export interface ClockCheck {
  /** Given what both clocks show. Throws `unavailable` where the wall clock is wrong, so that another replica takes the write. */
  check(nowMs: number, monotonicMs: number): void;
}

export interface ReplicaEnv {
  readonly node: NodeId;
  readonly store: RecordStore;
  readonly epoch: Epoch;
  readonly clock: Clock;
  readonly log: Logger;
  readonly telemetry: Telemetry;
  /** Largest message of a link; `MAX_MESSAGE_BYTES` by default. It bounds what puts may make of a key (see `maxSetBytes`). */
  readonly messageBytes?: number;
  /** Default: the clock is always right. */
  readonly clocks?: ClockCheck;
  /** Throws `unavailable` while it is not known whether the store is the one that this node had last. Default: it is. */
  readonly checkStore?: () => void;
  /** Told how long puts take, from being taken on until they are stored here. */
  readonly foreground?: Pick<ForegroundWatch, 'isRequestDue' | 'request'>;
  /** Clocks with more entries may be pruned; see `isReapable`. */
  readonly pruneAbove?: number | undefined;
}

/** Of what is held in an arc of the ring. */
export interface HeldPage {
  readonly entries: readonly { readonly address: Address; readonly set: Uint8Array }[];
  readonly next: BinaryString | undefined;
}

/** As it is stored. */
export interface StoredPage extends HeldPage {
  /** Under which records lie that nobody can read any more. */
  readonly damaged: readonly Address[];
}
