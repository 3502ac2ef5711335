/**
 * The one implementation of `Ring`. A strategy supplies the circle of tokens and the geometry: where partitions lie, and at which
 * token each partition's walk begins. Everything else is the same for all three.
 */
import { asBuffer, assert, type NodeId, type PartitionId, toHex, fromBinaryString, utf8Encode } from '@armature/kernel';
import { md5 } from './digest.js';
import type { Address, PositionRange } from './position.js';
import { type Circle, PreferenceWalker } from './preference-list.js';
import type { PreferenceList, Ring, RingMember, RingSettings, RingStrategy } from './ring.js';

/** Where the partitions of a strategy lie. */
export interface Geometry {
  readonly partitionCount: number;
  partitionOf(address: Address): PartitionId;
  rangeOf(partition: PartitionId): PositionRange;
  /** Index of the token at which the walk for a partition begins. */
  firstToken(partition: PartitionId): number;
}

export class CircleRing implements Ring {
  readonly settings: RingSettings;
  readonly strategy: RingStrategy;
  readonly members: readonly RingMember[];
  readonly partitionCount: number;
  readonly tokenCount: number;
  readonly fingerprint: string;
  readonly #circle: Circle;
  readonly #geometry: Geometry;
  readonly #walker: PreferenceWalker;
  /** By n (at most S, beyond which lists are the same), then by partition. */
  readonly #lists: (PreferenceList | undefined)[][] = [];

  /** `members` in the order of `circle.nodes`. */
  constructor(settings: RingSettings, members: readonly RingMember[], circle: Circle, geometry: Geometry) {
    this.settings = settings;
    this.strategy = settings.strategy;
    this.members = members;
    this.partitionCount = geometry.partitionCount;
    this.tokenCount = circle.tokens.length;
    this.fingerprint = fingerprintOf(settings, members, circle.tokens);
    this.#circle = circle;
    this.#geometry = geometry;
    this.#walker = new PreferenceWalker(circle);
  }

  partitionOf(address: Address): PartitionId {
    return this.#geometry.partitionOf(address);
  }

  ownerOf(partition: PartitionId): NodeId {
    const owner = this.#circle.nodes[this.#circle.tokens[this.#firstToken(partition)] ?? -1];
    assert(owner !== undefined, 'a ring without members has no owners');
    return owner;
  }

  preferenceList(partition: PartitionId, n: number): PreferenceList {
    const key = n < this.members.length ? n : this.members.length;
    const lists = this.#lists[key];
    const list = lists?.[partition];
    if (list !== undefined) return list;
    assert(Number.isInteger(n) && n >= 1, 'n is a whole number from 1');
    const walked = this.#walker.preferenceList(this.#firstToken(partition), key);
    (lists ?? (this.#lists[key] = new Array<PreferenceList | undefined>(this.partitionCount)))[partition] = walked;
    return walked;
  }

  primariesOf(partition: PartitionId, n: number): readonly NodeId[] {
    assert(Number.isInteger(n) && n >= 1, 'n is a whole number from 1');
    return this.#walker.primaries(this.#firstToken(partition), Math.min(n, this.members.length));
  }

  rangeOf(partition: PartitionId): PositionRange {
    this.#check(partition);
    return this.#geometry.rangeOf(partition);
  }

  #firstToken(partition: PartitionId): number {
    this.#check(partition);
    return this.#geometry.firstToken(partition);
  }

  #check(partition: PartitionId): void {
    assert(Number.isInteger(partition) && partition >= 0 && partition < this.partitionCount, 'a partition of this ring');
  }
}

/** The circle of tokens for these members. Tokens are given by index into `members`. */
export function circleOf(members: readonly RingMember[], tokens: Int32Array): Circle {
  return { tokens, nodes: members.map(({ node }) => node), ...zonesOf(members) };
}

/** Zones by index, in the order of their names, so that they too are the same on every node. */
export function zonesOf(members: readonly RingMember[]): { zones: number[]; zoneSizes: number[] } {
  const names = [...new Set(members.map(({ zone }) => zone))].sort();
  const indices = new Map(names.map((name, index) => [name, index]));
  const zones = members.map(({ zone }) => indices.get(zone) as number);
  const zoneSizes = names.map((_, index) => zones.filter((zone) => zone === index).length);
  return { zones, zoneSizes };
}

/** Everything that determines preference lists: two rings of one fingerprint route alike. */
function fingerprintOf(settings: RingSettings, members: readonly RingMember[], tokens: Int32Array): string {
  const { strategy, partitionCount, tokensPerNode, targetN, seed } = settings;
  const head = utf8Encode(
    JSON.stringify([
      strategy,
      partitionCount,
      tokensPerNode ?? null,
      targetN,
      seed,
      members.map((m) => [m.node, m.weight, m.zone]),
    ]),
  );
  const bytes = asBuffer(new Uint8Array(head.length + 4 * tokens.length));
  bytes.set(head);
  tokens.forEach((owner, index) => bytes.writeInt32LE(owner, head.length + 4 * index));
  return toHex(fromBinaryString(md5(bytes)));
}
