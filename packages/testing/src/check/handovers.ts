/**
 * Whether what a former owner drops is safe elsewhere: each of the owners has it, or what supersedes it, as its own and on stable
 * storage, whatever the durability of the bucket. What lay on a disk for long must not come to lie in memory only because a
 * partition has changed hands.
 *
 * It is looked at in the moment in which a node that neither owns a key nor is about to drops its record of it. A node whose disk
 * was once replaced may discard what it held, and is left out from then on; so is one that is a member anew.
 */
import type { NodeId } from '@armature/kernel';
import type { Address } from '@armature/ring';
import { covers, mergeVersionVectors, type VersionSet, type VersionVector } from '@armature/versioning';
import { nameOf, type Held } from './replica-contents.js';

export class Handovers {
  readonly violations: string[] = [];
  /** Of each disk, what the records on stable storage have seen. */
  readonly #synced = new Map<NodeId, Map<Address, VersionVector>>();
  readonly #replaced = new Set<NodeId>();

  /** Is on stable storage from now on. */
  synced(node: NodeId, { address, hintFor, set }: Pick<Held, 'address' | 'hintFor' | 'set'>): void {
    if (hintFor !== undefined) return;
    const of = this.#synced.get(node) ?? new Map<Address, VersionVector>();
    this.#synced.set(node, of);
    const known = of.get(address);
    of.set(address, known === undefined ? set.clock : mergeVersionVectors(known, set.clock));
  }

  /** It is another disk now. */
  replaced(node: NodeId): void {
    this.#synced.delete(node);
    this.#replaced.add(node);
  }

  /** A node that is not among the owners gives up its record. */
  dropped(node: NodeId, address: Address, set: VersionSet, owners: readonly NodeId[], nowMs: number): void {
    if (this.#replaced.has(node)) return;
    for (const owner of owners) {
      if (this.#replaced.has(owner)) continue;
      const clock = this.#synced.get(owner)?.get(address);
      const isSafe = set.siblings.every(({ dot }) => clock !== undefined && covers(clock, dot));
      if (isSafe) continue;
      this.violations.push(
        `handed over into memory: ${node} dropped ${nameOf(address)} at ${(nowMs / 1000).toFixed(3)} s, and ${owner}, which owns it, has it not on stable storage`,
      );
    }
  }
}
