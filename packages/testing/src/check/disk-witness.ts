/**
 * Remembers of every operation which nodes ever wrote it to their disks, and under what times; and counts what was written. What
 * is on the disks at the end tells what is left; this tells what there has been.
 */
import type { Hlc, NodeId } from '@armature/kernel';
import type { StorageOperation } from '@armature/storage';
import { parseSpaceKey } from '@armature/storage';
import type { Held } from './replica-contents.js';

export interface Witnessed {
  readonly nodes: Set<NodeId>;
  /** The earliest time it was stamped with. A repeated operation may have been minted more than once. */
  at: Hlc;
  /** The latest. */
  lastAt: Hlc;
}

export class DiskWitness {
  readonly #operations = new Map<string, Witnessed>();
  readonly #synced = new Map<string, number>();
  readonly #namesakes = new Map<NodeId, number[]>();
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
        this.#operations.set(version.operation, { nodes: new Set([node]), at: version.at, lastAt: version.at });
        continue;
      }
      known.nodes.add(node);
      if (version.at < known.at) known.at = version.at;
      if (version.at > known.lastAt) known.lastAt = version.at;
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

  /** A second process of the node's name has written to its own disk. */
  namesakeWrote(node: NodeId, nowMs: number): void {
    const times = this.#namesakes.get(node);
    if (times === undefined) this.#namesakes.set(node, [nowMs]);
    else times.push(nowMs);
  }

  /** Whether a second process of the node's name has written between these times, virtual ms. */
  isNamesakeAtWork(node: NodeId, fromMs: number, untilMs: number): boolean {
    return this.#namesakes.get(node)?.some((atMs) => atMs >= fromMs && atMs <= untilMs) === true;
  }

  /** Undefined: no disk ever saw it. */
  of(operation: string): Readonly<Witnessed> | undefined {
    return this.#operations.get(operation);
  }
}
