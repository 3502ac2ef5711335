/**
 * Whether a node keeps its store although another process acts under its name. What that one states of its own store is taken for
 * word of the first one's: that it was lost, or has had actors that the first one's never had. A node that believed it would
 * discard what it holds, while it runs and all is well.
 *
 * The claim, of a process that was ready when a namesake wrote to its own disk: under the same membership it never begins a new
 * tenure of its store, which is what it does once it has discarded what it held (`server/store-identity.ts`). A restart is
 * another process, and may.
 */
import type { NodeId } from '@armature/kernel';
import { spaceKey, type StorageOperation } from '@armature/storage';
import type { SimulatedCluster } from '../cluster/simulated-cluster.js';
import type { SimulatedMember } from '../cluster/simulated-member.js';

const TENURE_KEY = spaceKey('meta', 'tenure');

export class Names {
  readonly violations: string[] = [];
  readonly #cluster: Pick<SimulatedCluster, 'world' | 'member'>;
  /** Processes that have had a namesake, and the membership under which they were then. */
  readonly #shared = new WeakMap<object, string | undefined>();

  constructor(cluster: Pick<SimulatedCluster, 'world' | 'member'>) {
    this.#cluster = cluster;
  }

  /** A namesake of the node writes to its own disk. */
  namesakeWrote(node: NodeId): void {
    const member = this.#cluster.member(node);
    if (member.process !== undefined && member.node?.ready === true) this.#shared.set(member.process, stintOf(member));
  }

  /** The node writes to its disk. */
  wrote(node: NodeId, batch: readonly StorageOperation[]): void {
    const member = this.#cluster.member(node);
    const life = member.process;
    if (life === undefined || !this.#shared.has(life) || !batch.some(({ key }) => key === TENURE_KEY)) return;
    if (this.#shared.get(life) !== stintOf(member)) return;
    const at = `${(this.#cluster.world.nowMs / 1000).toFixed(3)} s`;
    this.violations.push(`names: ${node} discarded its store at ${at} because of another process of its name`);
  }
}

function stintOf({ name, node }: SimulatedMember): string | undefined {
  return node?.participant.membership.view.members.get(name)?.stint;
}
