/**
 * Who is a member, by all that the nodes which run know together: nobody may have heard it all. A membership begins with a record and is over with another; whoever has seen it
 * over knows more than those who still count it.
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
      for (const [name, { stint }] of view.members) this.#begun.set(membership(name, stint), name);
    }
    if (isNew) this.#now = new Set([...this.#begun].flatMap(([one, name]) => (this.#over.has(one) ? [] : [name])));
    return this.#now;
  }
}

/** A membership is known by its node and the record that began it: one record creates the cluster with all its nodes. */
function membership(name: NodeId, stint: Member['stint']): string {
  return `${name} ${stint}`;
}
