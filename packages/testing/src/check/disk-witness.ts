/**
 * Remembers of every operation which nodes ever wrote it to their disks, and under what time; and counts what was written. What is on the disks at the end tells
 * what is left; this tells what there has been.
 */
import type { Hlc, NodeId } from '@armature/kernel';
import type { StorageOperation } from '@armature/storage';
import { parseSpaceKey } from '@armature/storage';
import type { Held } from './replica-contents.js';

export interface Witnessed {
  readonly nodes: Set<NodeId>;
  /** The earliest, where it was minted more than once. */
  at: Hlc;
}

export class DiskWitness {
  readonly #operations = new Map<string, Witnessed>();
  readonly #synced = new Map<string, number>();
  /** Records and hints put so far, damaged ones included. */
  puts = 0;

  /** Every batch that is about to be written. */
  count(batch: readonly StorageOperation[]): void {
    for (const { kind, key } of batch) if (kind === 'put' && parseSpaceKey(key)?.space !== 'meta') this.puts++;
  }

  see(node: NodeId, { set }: Pick<Held, 'set'>): void {
    for (const { version } of set.siblings) {
      const known = this.#operations.get(version.operation);
      if (known === undefined) {
        this.#operations.set(version.operation, { nodes: new Set([node]), at: version.at });
        continue;
      }
      known.nodes.add(node);
      if (version.at < known.at) known.at = version.at;
    }
  }

  /** What a node has on stable storage now. */
  synced(node: NodeId, { set }: Pick<Held, 'set'>, nowMs: number): void {
    for (const { version } of set.siblings) {
      const name = `${node} ${version.operation}`;
      if (!this.#synced.has(name)) this.#synced.set(name, nowMs);
    }
  }

  /** When the node had the operation on stable storage first, virtual ms; NaN: never. */
  syncedMs(node: NodeId, operation: string): number {
    return this.#synced.get(`${node} ${operation}`) ?? Number.NaN;
  }

  /** Undefined: no disk ever saw it. */
  of(operation: string): Readonly<Witnessed> | undefined {
    return this.#operations.get(operation);
  }
}
