/** Who is told of every change of what a replica holds, e.g. its hash trees. */
import type { Address } from '@armature/ring';

/** Keeps track of what is held, as it changes. Called in the turn of the change; must not throw. */
export interface WriteObserver {
  /** The set under the address was `before` (undefined: nothing was held), and every read from now on finds `after`. */
  wrote(address: Address, before: Uint8Array | undefined, after: Uint8Array): void;
  /** The set under the address was `before`, and every read from now on finds nothing. */
  dropped(address: Address, before: Uint8Array): void;
  /** What is held under the address may not be what was told last: its commit has failed, or a record was damaged. */
  doubted(address: Address): void;
}
