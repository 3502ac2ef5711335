/** What an endpoint is opened with. */
import type { Random } from '@armature/kernel';
import type { Clock, Logger, Telemetry } from '@armature/runtime';
import type { LinkAddress } from './link-address.js';
import type { LinkLimits } from './link-limits.js';

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
  /** Derived from the cluster's secrets: the first seals our frames, and frames of others must be sealed with one of them. Undefined for those who hold none. */
  readonly keys?: readonly Uint8Array[] | undefined;
  readonly limits?: Partial<LinkLimits>;
}
