/**
 * The administrator: changes the membership while everything else goes on. A change that is refused is left out, as a person would; one that
 * goes to a node that is just going down is tried at another.
 */
import { toArmatureError, type NodeId } from '@armature/kernel';
import type { Change } from '@armature/protocol';
import type { SimulatedCluster } from '../cluster/simulated-cluster.js';
import type { Supervisor } from './supervisor.js';

const ATTEMPTS = 20;
const RETRY_MS = 2_000;

export class Administrator {
  readonly #cluster: SimulatedCluster;
  readonly #supervisor: Supervisor;
  readonly #work = new Set<Promise<void>>();

  constructor(cluster: SimulatedCluster, supervisor: Supervisor) {
    this.#cluster = cluster;
    this.#supervisor = supervisor;
  }

  get isBusy(): boolean {
    return this.#work.size > 0;
  }

  /** A new node is started and joins. */
  join(name: NodeId): void {
    this.#keep(async () => {
      if (!this.#cluster.members.has(name)) await this.#supervisor.bringUp(name);
      await this.#propose({ kind: 'join', node: name, weight: 1, zone: this.#cluster.zoneOf(name) });
    });
  }

  leave(name: NodeId): void {
    this.#keep(() => this.#propose({ kind: 'leave', node: name }));
  }

  reweigh(name: NodeId, weight: number): void {
    this.#keep(() => this.#propose({ kind: 'weight', node: name, weight }));
  }

  /** The node is gone, and removed; after a while somebody finds the machine, and it joins again with whatever is on its disk. */
  remove(name: NodeId, awayMs: number): void {
    this.#keep(async () => {
      if (this.#memberCount() <= 3 || !(await this.#supervisor.putAway(name, 'kill'))) return;
      await this.#propose({ kind: 'remove', node: name });
      await this.#cluster.world.sleep(awayMs);
      await this.#supervisor.bringUp(name);
      await this.#propose({ kind: 'join', node: name, weight: 1, zone: this.#cluster.zoneOf(name) });
    });
  }

  /** Resolves when every change has been made or refused. */
  async settle(): Promise<void> {
    while (this.#work.size > 0) await Promise.all(this.#work);
  }

  #memberCount(): number {
    return Math.max(0, ...this.#cluster.running.map((node) => node.participant.membership.view.members.size));
  }

  async #propose(change: Change): Promise<void> {
    const { world } = this.#cluster;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const at = this.#cluster.running.find((node) => node.participant.membership.view.cluster !== undefined);
      if (at !== undefined) {
        try {
          await this.#cluster.propose(at.options.node, change);
          return;
        } catch (thrown) {
          const error = toArmatureError(thrown);
          world.trace.note('admin', `refused: ${error.code}: ${error.message}`);
          if (error.code === 'invalid-argument') return;
        }
      }
      await world.sleep(RETRY_MS);
    }
  }

  #keep(work: () => Promise<void>): void {
    const done = work().finally(() => this.#work.delete(done));
    this.#work.add(done);
  }
}
