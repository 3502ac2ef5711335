/**
 * Under which conditions clients have worked: what is wrong with whom, and since when that is so. For those who judge afterwards
 * what had to be possible.
 *
 * Faults are noted as they begin and end; what they bring about (nodes that are down, not ready yet, paused, or have a sick disk;
 * owners that change) is looked at every so often, and whenever somebody asks. Where faults overlap, a link is taken for bad
 * until the last of those that concern it is over.
 */
import type { NodeId } from '@armature/kernel';
import type { BucketProperties } from '@armature/protocol';
import type { Address } from '@armature/ring';
import type { SimulatedCluster } from '../cluster/simulated-cluster.js';
import type { SimulatedMember } from '../cluster/simulated-member.js';
import type { Fault } from './fault.js';
import { aloneMs } from './old-copies.js';
import { isCutOff } from './namesakes.js';

export interface ConditionsOptions {
  /** Clients that go through routers. */
  readonly routed: readonly string[];
  /** Whether nodes have room for hints: without it, fallbacks cannot stand in for owners. */
  readonly roomForHints: boolean;
}

/** A write, and who tried it. */
export interface WriteWish {
  readonly client: string;
  readonly address: Address;
  readonly quorum: Pick<BucketProperties, 'n' | 'w' | 'pw' | 'dw'>;
  /** Virtual ms. */
  readonly beganMs: number;
}

const LOOK_EVERY_MS = 100;
/**
 * For this long nothing must have changed before a write begins: by then everybody has found out who is gone, which takes
 * requests that time out and a second of pings, and who is back, which takes a probe every five seconds that may itself wait for
 * two.
 */
const SETTLED_MS = 8_000;
/** A clock that is set by no more than this passes for right, with what it is off from the beginning. */
const RIGHT_MS = 50_000;
/** What a wrong clock has stamped, or told its peers, has come to disks, and been told again, after this. */
const FORGOTTEN_MS = 15_000;
/** Nodes that one must have heard to know whether its clock is right. */
const ENOUGH_PEERS = 2;
/** Faults of everybody's messages. */
const OF_ALL_LINKS: ReadonlySet<Fault['kind']> = new Set(['loss', 'disorder', 'bus-restart']);

/** Of a member that has no other trouble. */
const WRONG_CLOCK = 'well, and its clock wrong';

export class Conditions {
  readonly #cluster: SimulatedCluster;
  readonly #options: ConditionsOptions;
  readonly #faults = new Set<Fault>();
  /** Those that are over, and when, virtual ms. */
  readonly #past: { readonly fault: Fault; readonly endedMs: number }[] = [];
  /** When each member was last seen not to be well, virtual ms. */
  readonly #unwellMs = new Map<NodeId, number>();
  /** When each member was last seen with a wrong clock, virtual ms. */
  readonly #wrongMs = new Map<NodeId, number>();
  /** When last a wrong clock could not be known for one, virtual ms. */
  #unknownMs = Number.NEGATIVE_INFINITY;
  #rings = '';
  #ringsSinceMs = 0;
  #signature = '';
  #sinceMs = 0;
  #isWatching = false;

  constructor(cluster: SimulatedCluster, options: ConditionsOptions) {
    this.#cluster = cluster;
    this.#options = options;
  }

  /** Looks from now on, until `stop`. */
  start(): void {
    this.#isWatching = true;
    const { world } = this.#cluster;
    const tick = (): void => {
      if (!this.#isWatching) return;
      this.#look();
      world.at(world.nowMs + LOOK_EVERY_MS, tick);
    };
    tick();
  }

  stop(): void {
    this.#isWatching = false;
  }

  /** A fault begins, and is over after that much virtual time. */
  begins(fault: Fault, lastMs: number): void {
    const { world } = this.#cluster;
    this.#faults.add(fault);
    this.#look();
    world.at(world.nowMs + lastMs, () => {
      this.#faults.delete(fault);
      this.#past.push({ fault, endedMs: world.nowMs });
      this.#look();
    });
  }

  /**
   * Since when the member has been up, ready, awake and without trouble of its disk, virtual ms; `Infinity`: it is not, or nobody
   * looks.
   */
  wellSinceMs(node: NodeId): number {
    this.#look();
    return this.#isWatching && this.#isWell(node) ? (this.#unwellMs.get(node) ?? 0) : Infinity;
  }

  /** Since when the member's clock has been right, virtual ms; `Infinity`: it is not. */
  clockRightSinceMs(node: NodeId): number {
    this.#look();
    return this.#isClockRight(node) ? (this.#wrongMs.get(node) ?? 0) : Infinity;
  }

  /** Since when messages between the two have come as usual, both ways, virtual ms; `Infinity`: they do not. */
  linkedSinceMs(a: string, b: string): number {
    const isBad = (fault: Fault): boolean => OF_ALL_LINKS.has(fault.kind) || isBetween(fault, a, b);
    if ([...this.#faults].some(isBad)) return Infinity;
    return Math.max(0, ...this.#past.filter(({ fault }) => isBad(fault)).map(({ endedMs }) => endedMs));
  }

  /** Since when the nodes that run have had the rings that they have, virtual ms. */
  get ringsSinceMs(): number {
    this.#look();
    return this.#ringsSinceMs;
  }

  /**
   * The replicas with which the write could have been done: enough of those that the key's bucket wants, members that were well
   * and could reach one another and whoever leads the write there, for long before the write and all the time since. Undefined
   * where there were not as many, or where anything has changed meanwhile.
   */
  replicasFor({ client, address, quorum, beganMs }: WriteWish): readonly NodeId[] | undefined {
    this.#look();
    if (!this.#isWatching || beganMs - SETTLED_MS < this.#sinceMs) return undefined;
    if ([...this.#faults].some(({ kind }) => OF_ALL_LINKS.has(kind))) return undefined;
    const [node] = this.#cluster.running;
    const placement = node?.participant.membership.view.placement(address, quorum.n);
    if (placement === undefined) return undefined;
    const { owners, pending, fallbacks } = placement;
    if (pending.length > 0 && quorum.pw > 0) return undefined; // it is asked of the next owners, too, and nobody stands in for those
    const access = this.#options.routed.includes(client) ? [...this.#cluster.routers.keys()] : [client];
    if (access.length > 1 || !this.#isLinked(client, access[0] ?? client)) return undefined;
    const standIns = this.#options.roomForHints ? fallbacks : [];
    const candidates = [...owners, ...pending, ...standIns].filter((one) => this.#isWell(one));
    const wanted = Math.max(quorum.w, quorum.dw);
    const enough = (some: readonly NodeId[]): boolean =>
      some.some((one) => !pending.includes(one) && this.#isClockRight(one)) &&
      some.length >= wanted &&
      some.filter((one) => !pending.includes(one)).length >= Math.min(wanted, owners.length) &&
      some.filter((one) => owners.includes(one)).length >= quorum.pw;
    return this.#circles(candidates, access).find((circle) => enough(circle) && this.#isWhole(circle, access));
  }

  /** Sets of nodes all of whom reach one another and `access`, the greatest first. */
  #circles(candidates: readonly NodeId[], access: readonly string[]): NodeId[][] {
    const reached = candidates.filter((node) => access.every((other) => this.#isLinked(node, other)));
    let circles: NodeId[][] = [[]];
    for (const node of reached) {
      const larger = circles.filter((circle) => circle.every((other) => this.#isLinked(node, other)));
      circles = [...circles, ...larger.map((circle) => [...circle, node])];
    }
    return circles.sort((a, b) => b.length - a.length);
  }

  /**
   * Whoever can be reached from `access` reaches the circle, too: the network has fallen into parts, and has no holes. Who is
   * chosen to lead a write and reaches only some of the others leads it into a partial one, and nothing tells that somebody else
   * would have done better.
   */
  #isWhole(circle: readonly NodeId[], access: readonly string[]): boolean {
    return [...this.#cluster.members.values()].every(
      ({ name, node }) =>
        node === undefined ||
        access.every((other) => this.#isCut(name, other)) ||
        circle.every((other) => this.#isLinked(name, other)),
    );
  }

  #isCut(a: string, b: string): boolean {
    return [...this.#faults].some((fault) => isPartition(fault, a, b));
  }

  #isLinked(a: string, b: string): boolean {
    return ![...this.#faults].some((fault) => isBetween(fault, a, b));
  }

  /** A node whose clock is wrong is as good a replica as any; it only leads no writes. */
  #isWell(name: NodeId): boolean {
    const member = this.#cluster.members.get(name);
    return member !== undefined && ['well', WRONG_CLOCK].includes(this.#stateOf(member));
  }

  #isClockRight(name: string): boolean {
    return Math.abs(this.#cluster.clockAheadMs(name)) <= RIGHT_MS;
  }

  /**
   * Whether for some time now every node with a wrong clock could know that it is wrong: it was the only one, and has heard
   * enough others. One that starts with a wrong clock while nobody can be heard cannot, nor can anybody where most clocks are
   * wrong.
   */
  get areClocksKnown(): boolean {
    this.#look();
    return this.#cluster.world.nowMs - this.#unknownMs > FORGOTTEN_MS;
  }

  #lookAtClocks(): void {
    const { members, world } = this.#cluster;
    const wrong = [...members.values()].filter(({ name }) => !this.#isClockRight(name));
    for (const { name } of wrong) this.#wrongMs.set(name, world.nowMs);
    const lately = [...this.#wrongMs.values()].filter((ms) => world.nowMs - ms <= FORGOTTEN_MS).length;
    const isIgnorant = wrong.some(({ node }) => node === undefined || node.participant.clocks.standing.peers < ENOUGH_PEERS);
    if (lately > 1 || isIgnorant) this.#unknownMs = world.nowMs;
  }

  #stateOf(member: SimulatedMember): string {
    const { name, node, disk, isStopping, namesake } = member;
    const life = member.process;
    if (node === undefined || life === undefined) return 'down';
    if (isStopping) return 'stopping';
    if (namesake !== undefined) return 'not the only one of its name';
    if (life.pausedUntilMs > this.#cluster.world.nowMs) return 'paused';
    const { full, failing, slowness } = disk.faults;
    if (full || failing > 0 || slowness > 1) return 'sick';
    const { note } = node.participant.clocks;
    if (node.notes.some((one) => one !== note)) return 'not ready';
    return this.#isClockRight(name) ? 'well' : WRONG_CLOCK;
  }

  #look(): void {
    const { members, running, world } = this.#cluster;
    this.#lookAtClocks();
    const states = [...members.values()].map((member) => {
      const state = this.#stateOf(member);
      if (state !== 'well' && state !== WRONG_CLOCK) this.#unwellMs.set(member.name, world.nowMs);
      return `${member.name} ${state}`;
    });
    const rings = running.map(({ participant }) => participant.membership.view.ringVersion);
    const ofAll = [...new Set(rings)].sort().join(' ');
    if (ofAll !== this.#rings) this.#ringsSinceMs = world.nowMs;
    this.#rings = ofAll;
    const signature = [...states, ...rings, ...[...this.#faults].map(({ kind, atMs }) => `${kind} ${atMs}`)].join(',');
    if (signature === this.#signature) return;
    this.#signature = signature;
    this.#sinceMs = world.nowMs;
  }
}

/** Whether it is a fault of the link between these two. */
function isBetween(fault: Fault, a: string, b: string): boolean {
  const { kind, whom } = fault;
  if (kind === 'link-cut' || kind === 'one-way' || kind === 'slow-link') return whom.includes(a) && whom.includes(b);
  return isPartition(fault, a, b);
}

function isPartition(fault: Fault, a: string, b: string): boolean {
  const { kind, whom } = fault;
  const isOneCutOff = kind === 'namesake' ? isCutOff(fault) : kind === 'old-copy' && aloneMs(fault) > 0;
  if (isOneCutOff) return whom.includes(a) !== whom.includes(b);
  return kind === 'partition' && areParted(whom, a, b);
}

/** Those of a partition are named in two groups, with an empty name in between; whoever is not named is in neither. */
function areParted(whom: readonly string[], a: string, b: string): boolean {
  const cut = whom.indexOf('');
  const [first, second] = [whom.indexOf(a), whom.indexOf(b)];
  return first >= 0 && second >= 0 && first < cut !== second < cut;
}
