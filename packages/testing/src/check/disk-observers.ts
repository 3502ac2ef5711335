/**
 * Everybody who follows what comes to the disks of a cluster, and what goes from them, as it happens; and whom its processes take
 * for failed.
 */
import { isHolder } from '@armature/membership';
import type { BinaryString, NodeId } from '@armature/kernel';
import { bucketOfAddress } from '@armature/ring';
import { parseSpaceKey, type StorageOperation } from '@armature/storage';
import type { SimulatedCluster } from '../cluster/simulated-cluster.js';
import type { Conditions } from '../faults/conditions.js';
import type { DiskImage, Mishap } from '../world/disk.js';
import { Copies } from './copies.js';
import { Handovers } from './handovers.js';
import { DiskWitness } from './disk-witness.js';
import { Members } from './members.js';
import { Names } from './names.js';
import { DotRegister, heldUnder, type Held } from './replica-contents.js';
import { ReapableLists } from './reapable-lists.js';
import { Stamps } from './stamps.js';
import { Suspicion } from './suspicion.js';

export class DiskObservers {
  readonly dots = new DotRegister();
  readonly witness = new DiskWitness();
  readonly copies: Copies;
  readonly stamps: Stamps;
  readonly lists = new ReapableLists();
  readonly suspicion: Suspicion;
  readonly handovers = new Handovers();
  readonly names: Names;
  /** Records that nodes have dropped so far. */
  dropped = 0;
  readonly #cluster: SimulatedCluster;
  /** Of each node, the membership under which it wrote first. */
  readonly #stints = new Map<NodeId, string>();

  constructor(cluster: SimulatedCluster, conditions: Conditions) {
    this.#cluster = cluster;
    const { world } = cluster;
    const members = new Members(cluster);
    this.copies = new Copies({
      nowMs: () => world.nowMs,
      mishaps: () => this.mishaps,
      members: () => members.now,
    });
    this.stamps = new Stamps({ nowMs: () => world.nowMs, areClocksKnown: () => conditions.areClocksKnown });
    this.suspicion = new Suspicion(cluster, conditions);
    this.names = new Names(cluster);
    cluster.onTransition = (observer, transition) => this.suspicion.noted(observer, transition);
    cluster.onDiskWrite = (node, batch, disk) => {
      this.witness.count(batch);
      if (disk === cluster.member(node).disk) this.#noteOwn(node, batch);
      else this.#noteNamesake(node);
      for (const operation of batch) {
        const held = operation.kind === 'put' ? heldUnder(operation.key, operation.value) : undefined;
        if (held === undefined) continue;
        this.dots.see(held, `${node} after ${(world.nowMs / 1000).toFixed(1)} s`, world.nowMs);
        this.witness.see(node, held);
        this.stamps.see(held);
      }
    };
    cluster.onDiskSync = (node, batch, disk) => {
      const isOwn = disk === cluster.member(node).disk;
      const stint = cluster.member(node).node?.participant.membership.view.members.get(node)?.stint;
      if (isOwn && stint !== undefined && !this.#stints.has(node)) this.#stints.set(node, stint);
      for (const operation of batch) {
        const held = operation.kind === 'put' ? heldUnder(operation.key, operation.value) : undefined;
        if (held === undefined) continue;
        this.witness.synced(node, held, world.nowMs);
        if (isOwn) this.handovers.synced(node, held);
      }
    };
    cluster.onDiskChange = (node, keys) => {
      const { disk } = cluster.member(node);
      if (keys === undefined) {
        this.copies.replaced(node, disk.image());
        this.suspicion.replaced(node, disk.image());
        if (disk.mishaps.some(({ kind }) => kind === 'replaced')) this.handovers.replaced(node);
        else this.#survived(node, disk.image());
        return;
      }
      this.copies.changed(
        node,
        keys.map((key) => [key, disk.at(key)] as const),
      );
      this.lists.changed(node, keys, (stored) => disk.at(stored));
      this.suspicion.changed(node, keys, disk);
    };
  }

  /** What is on a disk after its power went is on stable storage, synced or not. */
  #survived(node: NodeId, image: DiskImage): void {
    for (const [key, value] of image) {
      const held = heldUnder(key, value);
      if (held !== undefined) this.handovers.synced(node, held);
    }
  }

  #noteOwn(node: NodeId, batch: readonly StorageOperation[]): void {
    this.names.wrote(node, batch);
    for (const { kind, key } of batch) if (kind === 'delete' && parseSpaceKey(key)?.space === 'data') this.#noteDrop(node, key);
  }

  /** What others see of the node may be on the other disk. */
  #noteNamesake(node: NodeId): void {
    this.names.namesakeWrote(node);
    this.witness.namesakeWrote(node, this.#cluster.world.nowMs);
    this.handovers.replaced(node);
  }

  #noteDrop(node: NodeId, stored: BinaryString): void {
    this.dropped++;
    const { disk, node: running } = this.#cluster.member(node);
    const value = disk.at(stored);
    const held: Held | undefined = value === undefined ? undefined : heldUnder(stored, value);
    const view = running?.participant.membership.view;
    const n = held === undefined ? undefined : view?.buckets.get(bucketOfAddress(held.address))?.n;
    const member = view?.members.get(node);
    if (held === undefined || view === undefined || n === undefined || member === undefined) return;
    const stint = this.#stints.get(node);
    // A member anew: it discards what it held under its earlier membership.
    if (stint !== undefined && stint !== member.stint && !member.alsoBegunBy.includes(stint)) return;
    const placement = view.placement(held.address, n);
    if (isHolder(placement, node)) return; // reaped
    this.handovers.dropped(node, held.address, held.set, placement.owners, this.#cluster.world.nowMs);
  }

  /** All that has befallen each disk so far. */
  get mishaps(): ReadonlyMap<NodeId, readonly Mishap[]> {
    return new Map([...this.#cluster.members.values()].map(({ name, disk }) => [name, disk.mishaps]));
  }
}
