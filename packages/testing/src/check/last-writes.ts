/**
 * What a last-write-wins bucket promises: of each key one value is left, the same everywhere, and it is the last one, by the
 * hybrid time with which replicas stamped the writes. Clocks may be off: "last" is what the stamps say, and a write that saw
 * another is stamped later than it.
 *
 *   several   a key that holds more than one version
 *   invented  a version that nobody wrote, or whose writer was promised that it did not happen
 *   behind    an acknowledged write that is stamped no later than what its writer had read
 *   older     what is left is older than an acknowledged write; nothing left counts as the latest delete
 */
import { hlcToMs, type Hlc } from '@armature/kernel';
import type { VersionSet } from '@armature/versioning';
import type { DiskWitness } from './disk-witness.js';
import type { Operation, OperationLog } from './operation-log.js';

export function checkLastWrites(
  log: OperationLog,
  state: ReadonlyMap<string, VersionSet>,
  witness: Pick<DiskWitness, 'of'>,
  mayBeLost: (operation: Operation) => boolean = () => false,
): string[] {
  const found: string[] = [];
  const left = new Map<string, Hlc>();
  for (const [key, { siblings }] of state) {
    if (siblings.length > 1) found.push(`several: ${key} holds ${siblings.length} versions`);
    for (const { version } of siblings) {
      const operation = log.get(version.operation);
      if (operation?.key !== key) found.push(`invented: ${key} holds ${version.operation}, which nobody wrote there`);
      else if (operation.outcome === 'refused') found.push(`invented: ${key} holds ${version.operation}, which was refused`);
      if (version.at > (left.get(key) ?? 0)) left.set(key, version.at);
    }
  }
  // A tombstone may have been reaped. Where nothing is left, the latest delete that a disk has seen is what was last: a delete
  // that was repeated after another write, and minted again, is later than that write.
  for (const { kind, key, id } of log.operations) {
    const at = kind === 'delete' && !state.has(key) ? witness.of(id)?.lastAt : undefined;
    if (at !== undefined && at > (left.get(key) ?? 0)) left.set(key, at);
  }
  for (const operation of log.operations) {
    const { id, key, outcome } = operation;
    const at = witness.of(id)?.at;
    if (outcome !== 'acknowledged' || at === undefined || mayBeLost(operation)) continue;
    const ahead = operation.seen.find((read) => (witness.of(read)?.at ?? 0) >= at);
    if (ahead !== undefined) found.push(`behind: ${id} in ${key} is stamped no later than ${ahead}, which its writer had read`);
    const last = left.get(key);
    if (last === undefined || last < at)
      found.push(`older: ${key} is of ${timeOf(last)}, and ${id}, acknowledged, of ${timeOf(at)}`);
  }
  return found;
}

function timeOf(at: Hlc | undefined): string {
  return at === undefined ? 'no time' : `${hlcToMs(at).toFixed(3)} ms`;
}
