/**
 * Whether anybody is taken for failed who is not, above all by a process that has stood still: when it wakes, all that it had
 * asked is overdue, and whoever believes that takes every peer for dead, writes hints for all of them, and stands still again for
 * it.
 *
 * The claims, of a member that has been up, ready, awake, and without trouble of its disk, for so long that whatever was asked of
 * it before is over:
 *
 *   no node and no router whose link to it has been as usual for as long begins to suspect it
 *   no hint for it comes to any disk, if its clock has been right and the links of all processes to it have been so, the ring has
 *   stayed, and all others but the keeper are well: else it may refuse to lead a write, or be slow to, because it waits for them,
 *   and somebody else is asked to lead it
 *
 * Of whoever suspects it, nothing is asked: it may have just started, have trouble of its own, or have slept. What it thinks at
 * one moment was brought about before that, so what becomes of the member afterwards does not matter. A hint that lies there
 * already may grow, and one that a crash brings back is not new.
 *
 * Not claimed: that nobody is suspected by a node with a slow or failing disk while the ring turns. It acts upon a change once
 * its disk has it, and so do those that it asks, who must hear of the change from it first; they answer late through no fault of
 * theirs. Nor is anything claimed of what clients and anti-entropy workers think of nodes. While faults are dense, of few members
 * anything is claimed; runs of pauses only are for that.
 */
import type { BinaryString, NodeId } from '@armature/kernel';
import type { Transition } from '@armature/membership';
import { parseSpaceKey } from '@armature/storage';
import type { SimulatedCluster } from '../cluster/simulated-cluster.js';
import type { Conditions } from '../faults/conditions.js';
import type { DiskImage, SimulatedDisk } from '../world/disk.js';

/**
 * Virtual ms. Longer than any request of coordination waits (`REPAIR_TIMEOUT_MS`), than the row of timeouts that makes a suspect,
 * and than a suspect goes without a probe.
 */
const SETTLED_MS = 15_000;
/** No write is led for longer. */
const LED_MS = 3_000;

export class Suspicion {
  readonly #suspicions: string[] = [];
  readonly #needless: string[] = [];
  readonly #cluster: Pick<SimulatedCluster, 'world' | 'members' | 'connections'>;
  readonly #conditions: Pick<Conditions, 'wellSinceMs' | 'clockRightSinceMs' | 'linkedSinceMs' | 'ringsSinceMs'>;
  /** Of each disk, the stored keys of hints. */
  readonly #hints = new Map<NodeId, Set<BinaryString>>();

  constructor(
    cluster: Pick<SimulatedCluster, 'world' | 'members' | 'connections'>,
    conditions: Pick<Conditions, 'wellSinceMs' | 'clockRightSinceMs' | 'linkedSinceMs' | 'ringsSinceMs'>,
  ) {
    this.#cluster = cluster;
    this.#conditions = conditions;
  }

  /** Suspicions first: hints follow from them. */
  get violations(): readonly string[] {
    return [...this.#suspicions, ...this.#needless];
  }

  /** A process has changed its opinion. */
  noted(observer: string, { node, to, reason }: Transition): void {
    if (to !== 'suspect') return;
    const sinceMs = Math.max(this.#conditions.wellSinceMs(node), this.#conditions.linkedSinceMs(observer, node));
    if (!this.#isLongAgo(sinceMs, [observer as NodeId]) || this.#isTurningSlowly(observer as NodeId)) return;
    const awake = this.#awakeSince(observer);
    this.#suspicions.push(
      `false suspicion: at ${this.#now} ${observer}${awake === undefined ? '' : `, awake since ${awake},`} takes ${node} for failed (${reason}), which has been well and in its reach since ${seconds(sinceMs)}`,
    );
  }

  /** What lies on a disk under these stored keys may be something else now. */
  changed(node: NodeId, stored: Iterable<BinaryString>, disk: Pick<SimulatedDisk, 'at'>): void {
    const hints = this.#hints.get(node) ?? new Set();
    this.#hints.set(node, hints);
    for (const at of stored) {
      const owner = hintOwner(at);
      if (owner === undefined) continue;
      if (disk.at(at) === undefined) hints.delete(at);
      else if (!hints.has(at)) {
        hints.add(at);
        this.#hinted(node, owner);
      }
    }
  }

  /**
   * It is another disk, or what it had not been asked to make safe is gone: the deletion of hints, for one. They are not new
   * then.
   */
  replaced(node: NodeId, image: DiskImage): void {
    this.#hints.set(node, new Set([...image.keys()].filter((at) => hintOwner(at) !== undefined)));
  }

  #hinted(keeper: NodeId, owner: NodeId): void {
    const { connections } = this.#cluster;
    const links = [...connections].map((name) => this.#conditions.linkedSinceMs(name, owner));
    const itselfMs = Math.max(this.#conditions.wellSinceMs(owner), this.#conditions.clockRightSinceMs(owner));
    const sinceMs = Math.max(itselfMs, this.#conditions.ringsSinceMs, ...links);
    if (!this.#isLongAgo(sinceMs, [...this.#cluster.members.keys()]) || !this.#areOthersWell(keeper)) return;
    const awake = [...connections].flatMap((name) => {
      const since = this.#awakeSince(name);
      return since === undefined ? [] : `${name} awake since ${since}`;
    });
    this.#needless.push(
      `needless hint: at ${this.#now} ${keeper} keeps a hint for ${owner}, which has been well and in reach of everybody since ${seconds(sinceMs)} (${awake.join(', ') || 'nobody has slept'})`,
    );
  }

  #areOthersWell(keeper: NodeId): boolean {
    const { world, members } = this.#cluster;
    const others = [...members.keys()].filter((name) => name !== keeper);
    return others.every((name) => world.nowMs - this.#conditions.wellSinceMs(name) > LED_MS);
  }

  /** It is a member with trouble of its own, and the ring has turned lately. */
  #isTurningSlowly(observer: NodeId): boolean {
    const { world, members } = this.#cluster;
    if (!members.has(observer) || world.nowMs - this.#conditions.ringsSinceMs > LED_MS) return false;
    return world.nowMs - this.#conditions.wellSinceMs(observer) <= LED_MS;
  }

  /** For all of these. While the machine of one was suspended nothing that it had asked came to an end. */
  #isLongAgo(sinceMs: number, observers: readonly NodeId[]): boolean {
    const { world, members } = this.#cluster;
    if (world.nowMs - sinceMs <= SETTLED_MS) return false;
    return observers.every((name) => (members.get(name)?.process?.awakeMsSince(sinceMs) ?? Infinity) > SETTLED_MS);
  }

  /** Since the end of its last pause; undefined for one that never had any, and for those that have none. */
  #awakeSince(name: string): string | undefined {
    const untilMs = this.#cluster.members.get(name as NodeId)?.process?.pausedUntilMs ?? 0;
    return untilMs === 0 ? undefined : seconds(untilMs);
  }

  get #now(): string {
    return seconds(this.#cluster.world.nowMs);
  }
}

function hintOwner(stored: BinaryString): NodeId | undefined {
  const parsed = parseSpaceKey(stored);
  return parsed?.space === 'hints' ? (parsed.key.slice(0, parsed.key.indexOf('/')) as NodeId) : undefined;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(3)} s`;
}
