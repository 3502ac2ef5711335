/**
 * Folding the history: record by record, in order, into members, buckets, the ring, and who owns what.
 *
 * The fold is total. Administrators at two nodes may have given commands that do not go together (join the same node twice,
 * remove one that is leaving), each valid where it was given; the union has both, and everybody must make the same of it. So
 * a record that makes no sense after those before it changes nothing, and is kept.
 *
 * The *ring version* is a chain of hashes over the records that bear on the ring. `ready` is among them, since it moves
 * ownership: a write counted towards one set of owners must not be counted under another.
 *
 * Mutable while it folds; a view holds one that is folded and never touched again. `clone` goes on from there.
 */
import { createHash } from 'node:crypto';
import type { BucketName, ClusterName, Hlc, NodeId, PartitionId } from '@armature/kernel';
import {
  DEFAULT_BUCKET,
  DEFAULT_BUCKET_PROPERTIES,
  RING_UNKNOWN,
  type BucketProperties,
  type Change,
  type ChangeRecord,
  type ClusterStrategy,
  type MemberSettings,
  type RingVersion,
} from '@armature/protocol';
import { joinAccess, OPEN_ACCESS, type Access } from '@armature/rights';
import { formRing, ringJoin, ringLeave, ringReplace, ringReweigh, ringRezone, type Ring } from '@armature/ring';
import { isRingRecord } from './history.js';
import { Ownership, type NodeList } from './ownership.js';

/**
 * `leaving`: out of the ring, serving until its successors are ready, and a member until it says that it has left: it may keep
 * hints, or data that others lack. A node that has left or was removed is no member.
 */
export interface Member extends MemberSettings {
  readonly state: 'member' | 'leaving';
  /**
   * Id of the `create`, `join` or `replace` that began this membership. A node that is called back while it leaves goes on with
   * the same one.
   */
  readonly stint: string;
  /**
   * Ids of the later commands that would have begun it, had it not been there already; the last few. A record that is heard of
   * late may come before the one that seemed to begin a membership: it is the same membership all the same.
   */
  readonly alsoBegunBy: readonly string[];
  /**
   * The actors that the node said, in this stint and since its last loss, that its store mints under: oldest first, the last few.
   * The store that was here last has had them all.
   */
  readonly actors: readonly RecordedActor[];
  /** Id of the record by which the node said last, in this stint, that its store is not the one that was here before. */
  readonly loss: string | undefined;
}

export interface RecordedActor {
  readonly id: string;
  /** When it was recorded. */
  readonly at: Hlc;
}

export interface Cluster {
  readonly id: string;
  readonly name: ClusterName;
  readonly strategy: ClusterStrategy;
  /** Q. */
  readonly partitionCount: number;
  readonly targetN: number;
}

type ChangeOf<K extends Change['kind']> = Extract<Change, { kind: K }>;

/**
 * A copy put back may have stated an actor of its own before it met the one it should have had; more than a few such in a row
 * there are not.
 */
const MAX_ACTORS = 4;
const MAX_BEGINNINGS = 16;

export class Fold {
  cluster: Cluster | undefined;
  ring: Ring | undefined;
  readonly members: Map<NodeId, Member>;
  readonly buckets: Map<BucketName, BucketProperties>;
  /** What has been said about access, joined. */
  access: Access;
  /** By N, the smallest W that a bucket with this N has ever had: what was acknowledged then is as good as what is now. */
  readonly leastW: Map<number, number>;
  /** By N, for every N of a bucket. */
  readonly ownerships: Map<number, Ownership>;
  /** Ids of the records that set targets anew, by index; `ready` names one of them. */
  readonly changes: string[];
  /** Of every state along the way, oldest first. */
  readonly versions: RingVersion[];
  /** Records folded so far. */
  count: number;
  readonly #changeIndex: Map<string, number>;
  #chain: string;

  constructor(from?: Fold) {
    this.cluster = from?.cluster;
    this.ring = from?.ring;
    this.members = new Map(from?.members);
    this.buckets = new Map(from?.buckets ?? [[DEFAULT_BUCKET, DEFAULT_BUCKET_PROPERTIES]]);
    this.access = from?.access ?? OPEN_ACCESS;
    this.leastW = new Map(from?.leastW ?? [[DEFAULT_BUCKET_PROPERTIES.n, DEFAULT_BUCKET_PROPERTIES.w]]);
    this.ownerships = new Map([...(from?.ownerships ?? [])].map(([n, ownership]) => [n, ownership.clone()]));
    this.changes = [...(from?.changes ?? [])];
    this.versions = [...(from?.versions ?? [])];
    this.count = from?.count ?? 0;
    this.#changeIndex = new Map(from === undefined ? [] : from.#changeIndex);
    this.#chain = from === undefined ? '' : from.#chain;
  }

  clone(): Fold {
    return new Fold(this);
  }

  get version(): RingVersion {
    return this.versions.at(-1) ?? RING_UNKNOWN;
  }

  /** Nodes in the ring; those that are leaving are not. */
  get activeCount(): number {
    let count = 0;
    for (const member of this.members.values()) if (member.state === 'member') count++;
    return count;
  }

  /** Whether the node owns a partition for any N, or is to own one. */
  holds(node: NodeId): boolean {
    for (const ownership of this.ownerships.values()) if (ownership.holds(node)) return true;
    return false;
  }

  /** Takes in the next record in order. `digest` is its content's hash. */
  apply(record: ChangeRecord, digest: string): void {
    this.count++;
    const { change } = record;
    if (change.kind === 'create') this.#create(record.id, change);
    if (this.cluster === undefined) return; // nothing comes before `create`
    const isOwnFact = 'node' in change && record.by === change.node;
    switch (change.kind) {
      case 'create':
        break;
      case 'join':
        this.#join(record.id, change);
        break;
      case 'leave':
        this.#leave(record.id, change.node);
        break;
      case 'left':
        if (isOwnFact) this.#left(change.node);
        break;
      case 'remove':
        this.#remove(record.id, change.node);
        break;
      case 'replace':
        this.#replace(record.id, change);
        break;
      case 'weight':
        this.#reweigh(record.id, change);
        break;
      case 'zone':
        this.#rezone(record.id, change);
        break;
      case 'bucket':
        this.#setBucket(change);
        break;
      case 'access':
        this.access = joinAccess(this.access, change);
        break;
      case 'actor':
        if (isOwnFact) this.#noteActor(change.node, { id: change.actor, at: record.at });
        break;
      case 'lost':
        if (isOwnFact) this.#lose(record.id, change.node, { id: change.actor, at: record.at });
        break;
      case 'ready':
        if (isOwnFact) this.#ready(change);
        break;
    }
    if (isRingRecord(record)) this.#advance(digest);
  }

  #create(id: string, change: ChangeOf<'create'>): void {
    if (this.cluster !== undefined) return;
    const { strategy, partitionCount, targetN } = change;
    this.cluster = { id: change.clusterId, name: change.cluster, strategy, partitionCount, targetN };
    for (const member of change.members) this.members.set(member.node, newMember(member, id));
    this.ring = formRing({ strategy, partitionCount, targetN, seed: change.clusterId }, change.members);
    this.#noteChange(id);
    this.#track();
  }

  #join(id: string, { node, weight, zone }: ChangeOf<'join'>): void {
    const member = this.members.get(node);
    if (member !== undefined) this.#noteBeginning(member, id);
    if (member?.state === 'member' || this.ring === undefined) return;
    const settings = { node, weight, zone };
    const known = this.members.get(node);
    this.members.set(node, known === undefined ? newMember(settings, id) : { ...known, ...settings, state: 'member' });
    this.#turn(id, ringJoin(this.ring, { node, weight, zone }));
  }

  #leave(id: string, node: NodeId): void {
    const member = this.members.get(node);
    if (member?.state !== 'member' || this.ring === undefined || this.activeCount === 1) return;
    this.members.set(node, { ...member, state: 'leaving' });
    this.#turn(id, ringLeave(this.ring, node));
  }

  /** Nothing for one that was called back, or that still serves: another ring than it knew may have made it. */
  #left(node: NodeId): void {
    if (this.members.get(node)?.state !== 'leaving' || this.holds(node)) return;
    this.members.delete(node);
  }

  #remove(id: string, node: NodeId): void {
    const member = this.members.get(node);
    if (member === undefined || this.ring === undefined) return;
    if (member.state === 'member' && this.activeCount === 1) return; // somebody must stay
    this.members.delete(node);
    this.#turn(id, member.state === 'member' ? ringLeave(this.ring, node) : this.ring, node);
  }

  /** The successor must be a stranger: a member has a share already, and one that is leaving is called back by a join. */
  #replace(id: string, { node, by, dead }: ChangeOf<'replace'>): void {
    const member = this.members.get(node);
    const successor = this.members.get(by.node);
    if (successor !== undefined) this.#noteBeginning(successor, id);
    if (member?.state !== 'member' || successor !== undefined || this.ring === undefined) return;
    if (dead) this.members.delete(node);
    else this.members.set(node, { ...member, state: 'leaving' });
    this.members.set(by.node, newMember(by, id));
    this.#turn(id, ringReplace(this.ring, node, by), dead ? node : undefined);
  }

  #noteBeginning(member: Member, id: string): void {
    this.members.set(member.node, { ...member, alsoBegunBy: [...member.alsoBegunBy, id].slice(-MAX_BEGINNINGS) });
  }

  #reweigh(id: string, { node, weight }: ChangeOf<'weight'>): void {
    const member = this.members.get(node);
    if (member?.state !== 'member' || this.ring === undefined || member.weight === weight) return;
    this.members.set(node, { ...member, weight });
    this.#turn(id, ringReweigh(this.ring, node, weight));
  }

  #rezone(id: string, { node, zone }: ChangeOf<'zone'>): void {
    const member = this.members.get(node);
    if (member?.state !== 'member' || this.ring === undefined || member.zone === zone) return;
    this.members.set(node, { ...member, zone });
    this.#turn(id, ringRezone(this.ring, node, zone));
  }

  /** N stays what the first record made it: another N would look for data where it never was. */
  #setBucket({ bucket, properties }: ChangeOf<'bucket'>): void {
    const existing = this.buckets.get(bucket);
    if (existing !== undefined && existing.n !== properties.n) return;
    this.buckets.set(bucket, properties);
    this.leastW.set(properties.n, Math.min(properties.w, this.leastW.get(properties.n) ?? properties.w));
    this.#track();
  }

  #noteActor(node: NodeId, actor: RecordedActor): void {
    const member = this.members.get(node);
    if (member !== undefined) this.members.set(node, { ...member, actors: [...member.actors, actor].slice(-MAX_ACTORS) });
  }

  /** What it owned, others own from now on; it begins anew as the future owner of what it is a target of. */
  #lose(id: string, node: NodeId, actor: RecordedActor): void {
    const member = this.members.get(node);
    if (member === undefined) return;
    this.members.set(node, { ...member, actors: [actor], loss: id });
    const change = this.#noteChange(id);
    for (const ownership of this.ownerships.values()) ownership.lose(node, change);
  }

  #ready({ node, change, partitions }: ChangeOf<'ready'>): void {
    const index = this.#changeIndex.get(change);
    if (index === undefined) return;
    for (const ownership of this.ownerships.values()) ownership.ready(node, index, partitions);
  }

  /** The ring turns to a new state: new targets for every N. */
  #turn(id: string, ring: Ring, dead?: NodeId): void {
    this.ring = ring;
    const change = this.#noteChange(id);
    for (const [n, ownership] of this.ownerships) ownership.retarget(targetsOf(ring, n), change, dead);
  }

  /** Begins to follow each N that a bucket uses for the first time. Under that N nothing has been written, so all is settled. */
  #track(): void {
    const { ring } = this;
    if (ring === undefined) return;
    for (const { n } of this.buckets.values())
      if (!this.ownerships.has(n)) this.ownerships.set(n, Ownership.settled(targetsOf(ring, n)));
  }

  #noteChange(id: string): number {
    this.#changeIndex.set(id, this.changes.length);
    return this.changes.push(id) - 1;
  }

  #advance(digest: string): void {
    this.#chain = createHash('sha256')
      .update(this.#chain + digest)
      .digest('hex');
    // 48 of the 256 bits; 0 means "no ring", and one value in 2^48 has to move over for that.
    this.versions.push((Number.parseInt(this.#chain.slice(0, 12), 16) || 1) as RingVersion);
  }
}

function newMember(settings: MemberSettings, stint: string): Member {
  return { ...settings, state: 'member', stint, alsoBegunBy: [], actors: [], loss: undefined };
}

function targetsOf(ring: Ring, n: number): NodeList[] {
  return Array.from({ length: ring.partitionCount }, (_, partition) => ring.primariesOf(partition as PartitionId, n));
}
