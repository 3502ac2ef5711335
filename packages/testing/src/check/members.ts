/**
 * Who is a member, by all that the nodes which run know together: nobody may have heard it all. A membership begins with a record
 * and is over with another; whoever has seen it over knows more than those who still count it; unless it turns out that somebody
 * had called the node back before: history has an order of its own, whenever it is heard of. Of such a membership, it is over
 * when nobody counts it any more.
 */
import type { NodeId } from '@armature/kernel';
import type { Member, View } from '@armature/membership';
import type { SimulatedCluster } from '../cluster/simulated-cluster.js';

export class Members {
  readonly #cluster: Pick<SimulatedCluster, 'running'>;
  /** By process: what one has known before it was killed, the next one may not know. */
  readonly #views = new WeakMap<object, View>();
  /** All memberships that anybody has seen begin, and those that anybody has seen end. */
  readonly #begun = new Map<string, NodeId>();
  readonly #over = new Set<string>();
  /** Those that had been seen to end, and had not. */
  readonly #revived = new Set<string>();
  #now: ReadonlySet<NodeId> = new Set();

  constructor(cluster: Pick<SimulatedCluster, 'running'>) {
    this.#cluster = cluster;
  }

  /** The same set while nothing has changed. To be asked often: the end of a membership is seen where somebody knew it before. */
  get now(): ReadonlySet<NodeId> {
    let isNew = false;
    for (const node of this.#cluster.running) {
      const { view } = node.participant.membership;
      const before = this.#views.get(node);
      if (view === before) continue;
      this.#views.set(node, view);
      isNew = true;
      for (const [name, { stint }] of before?.members ?? [])
        if (view.members.get(name)?.stint !== stint) this.#over.add(membership(name, stint));
      for (const [name, { stint }] of view.members) {
        const one = membership(name, stint);
        this.#begun.set(one, name);
        if (before !== undefined && before.members.get(name)?.stint !== stint && this.#over.has(one)) this.#revived.add(one);
      }
    }
    if (isNew) this.#now = new Set([...this.#begun].flatMap(([one, name]) => (this.#isOver(one) ? [] : [name])));
    return this.#now;
  }

  #isOver(one: string): boolean {
    if (!this.#revived.has(one)) return this.#over.has(one);
    const views = this.#cluster.running.map(({ participant }) => participant.membership.view);
    return !views.some(({ members }) => [...members].some(([name, { stint }]) => membership(name, stint) === one));
  }
}

/** A membership is known by its node and the record that began it: one record creates the cluster with all its nodes. */
function membership(name: NodeId, stint: Member['stint']): string {
  return `${name} ${stint}`;
}
