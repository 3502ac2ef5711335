/**
 * The ring as a value: which nodes hold which part of the 128-bit circle (sections 4.2, 4.3 and 6.2 of the paper).
 *
 * A ring is immutable and a pure function of its settings and the changes it went through (`change.ts`); equal histories give
 * equal rings on every node, in every process, and `fingerprint` says so in 32 characters. The paper's three partitioning
 * strategies stand behind this one interface. They differ in where partitions begin and in how tokens are chosen; all of them
 * are, in the end, a circle of *tokens*, each owned by a node, and a place on that circle where the walk for a partition's
 * replicas begins.
 */
import { ArmatureError, err, type NodeId, ok, type PartitionId, type Result, type ZoneName } from '@armature/kernel';
import { isPartitionCount, MAX_PARTITIONS } from './equal-partitions.js';
import type { Address, PositionRange } from './position.js';
import { MAX_TARGET_N } from './spacing.js';

/**
 * 1: random tokens, partitions between tokens. 2: random tokens, Q equal partitions. 3: Q/S tokens per node, Q equal partitions.
 */
export type RingStrategy = 1 | 2 | 3;

export interface RingMember {
  readonly node: NodeId;
  /** Capacity relative to the others, `MIN_WEIGHT` to `MAX_WEIGHT`; 1 by custom. */
  readonly weight: number;
  readonly zone: ZoneName;
}

export interface RingSettings {
  readonly strategy: RingStrategy;
  /** Q of strategies 2 and 3: a power of two up to 2^16. Strategy 1 has as many partitions as tokens and ignores it. */
  readonly partitionCount: number;
  /** T of strategies 1 and 2: tokens of a node of weight 1. Strategy 3 ignores it. */
  readonly tokensPerNode?: number | undefined;
  /** Replicas per key that the ring is arranged for. Asking preference lists for another number is allowed. */
  readonly targetN: number;
  /** Where all randomness of tokens and claims comes from: unique to the cluster, for example its name. */
  readonly seed: string;
}

/** The nodes for one partition. Together all members, each once. */
export interface PreferenceList {
  /**
   * The first n distinct nodes clockwise, spread over zones as evenly as possible; the owner first. Fewer if there are fewer
   * members.
   */
  readonly primaries: readonly NodeId[];
  /** Everyone else, in the order to fall back to: clockwise, and first whoever keeps the spread over zones even. */
  readonly fallbacks: readonly NodeId[];
}

export interface Ring {
  readonly settings: RingSettings;
  readonly strategy: RingStrategy;
  /** In the order of their names. */
  readonly members: readonly RingMember[];
  readonly partitionCount: number;
  /** Entries of the circle: S * T random tokens, or Q under strategy 3. */
  readonly tokenCount: number;
  /** 32 hex digits of settings, members and assignment: the version of the ring. */
  readonly fingerprint: string;
  /** The partition of an address. Allocates nothing; a shift under strategies 2 and 3, O(log tokens) under 1. */
  partitionOf(address: Address): PartitionId;
  /** The first node for a partition, whatever n. The ring must have members. */
  ownerOf(partition: PartitionId): NodeId;
  /** The nodes for a partition, remembered per (partition, n): the same object at each call. */
  preferenceList(partition: PartitionId, n: number): PreferenceList;
  /**
   * The primaries alone, not remembered: for passes over all partitions, which would otherwise fill memory with lists of S nodes
   * each.
   */
  primariesOf(partition: PartitionId, n: number): readonly NodeId[];
  /** The arc of a partition: all addresses a with start <= a < end. */
  rangeOf(partition: PartitionId): PositionRange;
}

/** Four orders of magnitude between the smallest and the largest machine; beyond, a share is either nothing or everything. */
const MIN_WEIGHT = 0.01;
const MAX_WEIGHT = 100;

/**
 * T when none is set: 64 tokens leave a node within about 12 % (1 / sqrt(T)) of the mean under strategy 1, at 1 KiB of metadata
 * per node.
 */
export const DEFAULT_TOKENS_PER_NODE = 64;
const MAX_TOKENS_PER_NODE = 1024;

export function isWeight(weight: number): boolean {
  return weight >= MIN_WEIGHT && weight <= MAX_WEIGHT;
}

/** The settings, if a ring can be made of them. */
export function checkRingSettings(settings: RingSettings): Result<RingSettings, ArmatureError> {
  const { strategy, partitionCount, tokensPerNode, targetN, seed } = settings;
  if (![1, 2, 3].includes(strategy)) return invalid('strategy', String(strategy), 'Use 3, or 1 or 2 to compare.');
  if (!isPartitionCount(partitionCount)) {
    return invalid(
      'partitionCount',
      String(partitionCount),
      `Use a power of two from 1 to ${MAX_PARTITIONS}, at least 10 per node that will ever join.`,
    );
  }
  if (tokensPerNode !== undefined && !isCount(tokensPerNode, MAX_TOKENS_PER_NODE)) {
    return invalid('tokensPerNode', String(tokensPerNode), `Use a whole number from 1 to ${MAX_TOKENS_PER_NODE}.`);
  }
  if (!isCount(targetN, MAX_TARGET_N))
    return invalid('targetN', String(targetN), `Use a whole number from 1 to ${MAX_TARGET_N}; 3 is common.`);
  if (seed === '') return invalid('seed', 'empty', 'Use the name of the cluster.');
  return ok(settings);
}

function isCount(value: number, most: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= most;
}

function invalid(field: keyof RingSettings, value: string, remedy: string): Result<never, ArmatureError> {
  return err(new ArmatureError('invalid-config', `ring settings: ${field} cannot be ${value}`, { remedy, details: { field } }));
}
