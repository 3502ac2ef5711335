/**
 * What an endpoint is opened with. With keys it is one of the inner link, or of the door of administration: it proves itself and
 * reads only those who do. Without, it is one of the front door, which anybody may speak to.
 */
import type { Random } from '@armature/kernel';
import type { Clock, Logger, Telemetry } from '@armature/runtime';
import type { LinkAddress } from './link-address.js';
import type { LinkLimits } from './link-limits.js';
import type { PeerQuota } from './peer-quota.js';
import type { ReassemblyBudget } from './reassembly.js';

/** Of what a peer shows to be let in. */
export const MAX_TOKEN_BYTES = 4096;

export interface LinkOptions {
  /** First tokens of every subject, e.g. `armature`. */
  readonly prefix: string;
  readonly cluster: string;
  /** Unique among the endpoints of the cluster that are alive. */
  readonly address: LinkAddress;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly telemetry: Telemetry;
  /**
   * Of the cluster's secrets, or of a token: the first seals our frames, and frames of others must be sealed with one of them.
   * Undefined for those who hold none.
   */
  readonly keys?: readonly Uint8Array[] | undefined;
  readonly limits?: Partial<LinkLimits>;
  /**
   * Shown in every frame, to whoever asks for one; at most `MAX_TOKEN_BYTES`. With `keys`, what tells the peer which keys these
   * are.
   */
  readonly token?: Uint8Array | undefined;
  /**
   * Frames come by `LinkEndpoint.receive`: whoever opened it listens for several endpoints at once. Such an endpoint answers, and
   * asks nobody.
   */
  readonly isHanded?: boolean;
  /** What endpoints of one process share, so that many of them hold no more than one. */
  readonly reassembly?: ReassemblyBudget;
  /** The same, of peers. */
  readonly quota?: PeerQuota;
}
