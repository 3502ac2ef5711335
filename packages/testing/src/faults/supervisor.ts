/**
 * Takes nodes down and brings them back, as a supervisor of processes does: again and again, until they stay up. Not more than
 * one node is taken down at a time, so that of every three owners two are there.
 */
import type { NodeId } from '@armature/kernel';
import type { SimulatedCluster } from '../cluster/simulated-cluster.js';

const RESTART_PAUSE_MS = 1_000;

export class Supervisor {
  readonly #cluster: SimulatedCluster;
  readonly #work = new Set<Promise<void>>();
  readonly #down = new Set<NodeId>();

  constructor(cluster: SimulatedCluster) {
    this.#cluster = cluster;
  }

  get isBusy(): boolean {
    return this.#down.size > 0;
  }

  /** Running, and not about to end. */
  isUp(name: NodeId): boolean {
    return !this.#down.has(name) && this.#cluster.member(name).node !== undefined;
  }

  /**
   * False, and nothing is done, while a node is down already. `meanwhile` is done while nobody has the disk of the node open;
   * what it returns, before the node comes back.
   */
  takeDown(
    name: NodeId,
    how: 'kill' | 'power' | 'stop',
    lastMs: number,
    meanwhile: () => (() => void) | undefined = () => undefined,
  ): boolean {
    if (this.#down.size > 0 || this.#cluster.member(name).node === undefined) return false;
    this.#down.add(name);
    this.#keep(async () => {
      await this.#end(name, how);
      const before = meanwhile();
      await this.#cluster.world.sleep(lastMs);
      before?.();
      await this.bringUp(name);
      this.#down.delete(name);
    });
    return true;
  }

  /** For good, until somebody says `bringUp`. False, and nothing is done, while a node is down already. */
  async putAway(name: NodeId, how: 'kill' | 'stop'): Promise<boolean> {
    if (this.#down.size > 0 || this.#cluster.member(name).node === undefined) return false;
    this.#down.add(name);
    await this.#end(name, how);
    return true;
  }

  async bringUp(name: NodeId): Promise<void> {
    for (;;) {
      try {
        await this.#cluster.startNode(name);
        break;
      } catch (thrown) {
        this.#cluster.world.trace.note(name, `does not start: ${String(thrown)}`);
        this.#cluster.abandonNode(name);
        await this.#cluster.world.sleep(RESTART_PAUSE_MS);
      }
    }
    this.#down.delete(name);
  }

  /** Resolves when everybody who was taken down is back. */
  async settle(): Promise<void> {
    await Promise.all(this.#work);
  }

  async #end(name: NodeId, how: 'kill' | 'power' | 'stop'): Promise<void> {
    if (how === 'stop') await this.#cluster.stopNode(name);
    else this.#cluster.crashNode(name, how === 'kill' ? 'process' : 'machine');
  }

  #keep(work: () => Promise<void>): void {
    const done = work().finally(() => this.#work.delete(done));
    this.#work.add(done);
  }
}
