/**
 * Old copies of disks: the first time a copy is taken, the next time it is put back, after the power has gone. Never one of a
 * store that was closed cleanly: such a copy passes for the store itself for ten minutes (decisions 0004 and 0006), and no run is
 * as long. A cluster that rests at the end gets the first copy of all once more, when everything is reaped that may be
 * (`check/old-copy.ts`).
 *
 * In every other case the node then starts cut off from everybody, as one does whose network is not up yet. Nobody tells it what
 * has become of its store. It must wait for somebody, and answer nothing meanwhile: what it holds was true once. Only after ten
 * seconds of silence may it take itself for alone (`server/store-confirmation.ts`), so it is cut off for less, and the claim is
 * that it is not ready before it can hear somebody.
 */
import type { NodeId } from '@armature/kernel';
import type { SimulatedCluster } from '../cluster/simulated-cluster.js';
import type { DiskImage } from '../world/disk.js';
import type { Cuts } from './cuts.js';
import type { Fault } from './fault.js';
import type { Supervisor } from './supervisor.js';

const LONGEST_ALONE_MS = 8_000;

/** For how long after its start the node is cut off, ms. */
export function aloneMs({ degree }: Pick<Fault, 'degree'>): number {
  return degree < 0.5 ? 0 : (degree - 0.5) * 2 * LONGEST_ALONE_MS;
}

export class OldCopies {
  readonly #cluster: SimulatedCluster;
  readonly #supervisor: Supervisor;
  readonly #cuts: Cuts;
  /** Names of all processes that may yet come. */
  readonly #names: readonly string[];
  readonly #copies = new Map<NodeId, DiskImage>();
  /** The first of all. */
  #oldest: { readonly name: NodeId; readonly image: DiskImage } | undefined;

  constructor(cluster: SimulatedCluster, supervisor: Supervisor, cuts: Cuts, schedule: readonly Fault[]) {
    this.#cluster = cluster;
    this.#supervisor = supervisor;
    this.#cuts = cuts;
    this.#names = schedule.flatMap(({ whom }) => whom);
  }

  befall(fault: Fault): void {
    const name = fault.whom[0] as NodeId;
    const { disk } = this.#cluster.member(name);
    const copy = this.#copies.get(name);
    if (copy === undefined) {
      if (!this.#supervisor.isUp(name)) return;
      const image = disk.image();
      this.#copies.set(name, image);
      this.#oldest ??= { name, image };
      return;
    }
    const putBack = (): (() => void) => {
      disk.restore(copy);
      return () => this.#cutOff(name, aloneMs(fault));
    };
    if (this.#supervisor.takeDown(name, 'power', fault.lastMs, putBack)) this.#copies.delete(name);
  }

  /**
   * Puts back the first copy of all, and resolves with its node once that has been started. Undefined where there is none, or its
   * node is no member that runs.
   */
  async putBackOldest(): Promise<NodeId | undefined> {
    if (this.#oldest === undefined) return undefined;
    const { name, image } = this.#oldest;
    const { node, disk } = this.#cluster.member(name);
    if (node?.participant.membership.view.members.has(name) !== true) return undefined;
    const isDown = this.#supervisor.takeDown(name, 'power', 0, () => {
      disk.restore(image);
      return undefined;
    });
    if (!isDown) return undefined;
    await this.#supervisor.settle();
    return name;
  }

  /** It is about to start. */
  #cutOff(name: NodeId, forMs: number): void {
    if (forMs === 0) return;
    const { world, connections } = this.#cluster;
    const others = [...new Set([...connections, ...this.#names])].filter((other) => other !== name);
    const heal = this.#cuts.partition([name], others);
    world.at(world.nowMs + forMs, () => {
      const isReady = this.#cluster.member(name).node?.ready === true;
      if (heal() && isReady) world.problems.push(`starts: ${name} was ready though it had heard nobody since it started`);
    });
  }
}
