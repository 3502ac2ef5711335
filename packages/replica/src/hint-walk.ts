/**
 * One walk through the hints of an owner, without the asking: which nodes have been found not to take anything now, and what has
 * become of each hint.
 *
 * A hint that fails says little about the next one, which may be smaller, or have other owners. So the walk goes on. But a node
 * that does not answer, or refuses whatever it is asked, is not asked again in this walk.
 */
import type { ArmatureError, ErrorCode, NodeId } from '@armature/kernel';
import type { StuckHints } from '@armature/protocol';
import type { Address } from '@armature/ring';

/** `taken`: it is where it belongs, and deleted here. `waits`: nothing is wrong, it is not its time. Otherwise what was wrong. */
export type Fate = 'taken' | 'waits' | ArmatureError;

/** What a node answers whatever it is given. A timeout is not among them: the hint may be a large one. */
const OF_THE_NODE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  ...(['unreachable', 'closed', 'unavailable', 'overloaded', 'bus-unavailable', 'no-cluster', 'stale-ring'] as const),
  ...(['protocol-mismatch', 'wrong-cluster', 'storage-full', 'storage-failed'] as const),
]);
/** Of an address, the hash: what a log may show where keys are nobody's business. */
const HASH_BYTES = 16;

export class HintWalk {
  readonly owner: NodeId;
  readonly #isSuspect: (node: NodeId) => boolean;
  readonly #failing = new Map<NodeId, ArmatureError>();
  #taken = 0;
  #stuck: StuckHints | undefined;

  constructor(owner: NodeId, isSuspect: (node: NodeId) => boolean) {
    this.owner = owner;
    this.#isSuspect = isSuspect;
  }

  get taken(): number {
    return this.#taken;
  }

  /** Of the hints that were tried and stayed; undefined: there are none. */
  get stuck(): StuckHints | undefined {
    return this.#stuck;
  }

  /** A node has not taken a hint. */
  failed(node: NodeId, error: ArmatureError): void {
    if (OF_THE_NODE.has(error.code) || this.#isSuspect(node)) this.#failing.set(node, error);
  }

  /** Why the node is not to be asked for anything more. */
  failure(node: NodeId): ArmatureError | undefined {
    return this.#failing.get(node);
  }

  isFailing(node: NodeId): boolean {
    return this.#failing.has(node);
  }

  /** `bornMs`: when its newest version was written. */
  note(address: Address, bornMs: number, fate: Fate): void {
    if (fate === 'taken') this.#taken++;
    if (fate === 'taken' || fate === 'waits') return;
    const { owner } = this;
    const keyHash = Buffer.from(address.slice(0, HASH_BYTES), 'latin1').toString('hex');
    const first = this.#stuck ?? { owner, count: 0, oldestMs: bornMs, keyHash, reason: `${fate.code}: ${fate.message}` };
    this.#stuck = { ...first, count: first.count + 1, oldestMs: Math.min(first.oldestMs, bornMs) };
  }
}
