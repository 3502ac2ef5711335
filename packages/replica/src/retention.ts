/**
 * Keeping of a key only what certain actors have minted: for a store whose older contents are not to be trusted any more
 * (`retained`).
 */
import type { Address } from '@armature/ring';
import { decodeVersionSet, retained, type ActorId } from '@armature/versioning';
import type { Replica } from './replica.js';

/** `changed`: the key holds something else by now, and nothing was done. */
export type Retention = 'kept' | 'dropped' | 'changed';

/** What a replica holds of a key is `set`, and becomes what may be kept of that. Rejects with storage errors. */
export async function retain(
  replica: Pick<Replica, 'drop' | 'reduce'>,
  address: Address,
  set: Uint8Array,
  isTrusted: (actor: ActorId) => boolean,
): Promise<Retention> {
  const decoded = decodeVersionSet(set);
  const left = decoded.ok ? retained(decoded.value, isTrusted) : undefined;
  if (left === undefined) return (await replica.drop(address, set)) ? 'dropped' : 'changed';
  if (decoded.ok && left === decoded.value) return 'kept';
  return (await replica.reduce(address, set, left)) ? 'kept' : 'changed';
}
