/**
 * Whether every record that may be reaped is in its node's list of these, on the disk, at every moment
 * (`replica/reapable-records.ts`). A record that is not is missed by every pass until a scan finds it, so a list that is written
 * beside the records instead of with them shows itself here, at the first crash in between.
 *
 * A record that has rotted and one that is not in the list because the list was on another disk are not looked at: only what a
 * write leaves.
 */
import type { BinaryString, NodeId } from '@armature/kernel';
import { parseSpaceKey, spaceKey } from '@armature/storage';
import { isReapable } from '@armature/versioning';
import { PRUNE_ABOVE } from './prune-above.js';
import { heldUnder, nameUnder } from './replica-contents.js';

export class ReapableLists {
  readonly violations: string[] = [];

  /** These stored keys of a disk have changed; `at` tells what lies under a stored key now. */
  changed(node: NodeId, keys: readonly BinaryString[], at: (stored: BinaryString) => Uint8Array | undefined): void {
    for (const stored of keys) {
      const parsed = parseSpaceKey(stored);
      const value = parsed?.space === 'data' ? at(stored) : undefined;
      const held = value === undefined ? undefined : heldUnder(stored, value);
      if (parsed === undefined || held === undefined || !isReapable(held.set, PRUNE_ABOVE)) continue;
      if (at(spaceKey('reapable', parsed.key)) === undefined)
        this.violations.push(`unlisted: ${node} may reap ${nameUnder(stored) ?? 'a key'}, and its list does not say so`);
    }
  }
}
