/**
 * Change records from untrusted JSON. Total: anything that is not exactly a record is refused with the path of the
 * offending field, because a malformed record would be spread by gossip and kept for ever.
 */
import {
  ArmatureError,
  err,
  ok,
  parseBucketName,
  parseClusterName,
  parseNodeId,
  parseZoneName,
  type Hlc,
  type NodeId,
  type Result,
} from '@armature/kernel';
import { parseBucketProperties } from './bucket.js';
import type { Change, ChangeRecord, MemberSettings } from './change.js';
import { MAX_N } from './quorum-word.js';

/** Largest Q: 2^16 partitions serve a few hundred nodes at 100+ partitions each; more only costs metadata. */
export const MAX_PARTITIONS = 65_536;
export const MAX_MEMBERS = 1_024;
export const MAX_WEIGHT = 100;

class Refused extends Error {}

type Json = Readonly<Record<string, unknown>>;

export function parseChange(input: unknown): Result<Change, ArmatureError> {
  return guarded(() => change(object(input, 'change')));
}

export function parseChangeRecord(input: unknown): Result<ChangeRecord, ArmatureError> {
  return guarded(() => {
    const record = object(input, 'record');
    const at = record['at'];
    if (!Number.isSafeInteger(at) || (at as number) < 0) throw new Refused('record.at must be a timestamp');
    return {
      id: hex(record['id'], 'record.id', 16),
      at: at as Hlc,
      by: node(record['by'], 'record.by'),
      change: change(object(record['change'], 'record.change')),
    };
  });
}

function change(input: Json): Change {
  const kind = input['kind'];
  switch (kind) {
    case 'create': {
      const partitionCount = integer(input['partitionCount'], 'partitionCount', 1, MAX_PARTITIONS);
      if ((partitionCount & (partitionCount - 1)) !== 0) throw new Refused('partitionCount must be a power of two');
      const strategy = integer(input['strategy'], 'strategy', 2, 3) as 2 | 3;
      const members = list(input['members'], 'members', MAX_MEMBERS).map((one, i) => member(object(one, `members[${i}]`)));
      if (members.length === 0) throw new Refused('members must name at least one node');
      if (new Set(members.map((one) => one.node)).size !== members.length) throw new Refused('members names a node twice');
      return {
        kind,
        clusterId: hex(input['clusterId'], 'clusterId', 32),
        cluster: named(parseClusterName, input['cluster'], 'cluster'),
        strategy,
        partitionCount,
        targetN: integer(input['targetN'], 'targetN', 1, MAX_N),
        members,
      };
    }
    case 'join':
      return { kind, ...member(input) };
    case 'leave':
    case 'remove':
      return { kind, node: node(input['node'], 'node') };
    case 'weight':
      return { kind, node: node(input['node'], 'node'), weight: weight(input['weight']) };
    case 'zone':
      return { kind, node: node(input['node'], 'node'), zone: named(parseZoneName, input['zone'], 'zone') };
    case 'bucket': {
      const properties = parseBucketProperties(object(input['properties'], 'properties'));
      if (!properties.ok) throw new Refused(properties.error.message);
      return { kind, bucket: named(parseBucketName, input['bucket'], 'bucket'), properties: properties.value };
    }
    case 'ready':
      return {
        kind,
        node: node(input['node'], 'node'),
        change: hex(input['change'], 'change', 16),
        partitions: list(input['partitions'], 'partitions', MAX_PARTITIONS).map((one) => integer(one, 'partition', 0, MAX_PARTITIONS - 1)),
      };
    default:
      throw new Refused(`change.kind ${JSON.stringify(kind)} is unknown to this version`);
  }
}

function member(input: Json): MemberSettings {
  return {
    node: node(input['node'], 'node'),
    weight: weight(input['weight'] ?? 1),
    zone: named(parseZoneName, input['zone'] ?? 'default', 'zone'),
  };
}

function guarded<T>(parse: () => T): Result<T, ArmatureError> {
  try {
    return ok(parse());
  } catch (thrown) {
    if (!(thrown instanceof Refused)) throw thrown;
    return err(new ArmatureError('invalid-argument', `not a membership change: ${thrown.message}`));
  }
}

function object(value: unknown, path: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Refused(`${path} must be an object`);
  return value as Json;
}

function list(value: unknown, path: string, limit: number): readonly unknown[] {
  if (!Array.isArray(value)) throw new Refused(`${path} must be a list`);
  if (value.length > limit) throw new Refused(`${path} has more than ${limit} elements`);
  return value as readonly unknown[];
}

function integer(value: unknown, path: string, low: number, high: number): number {
  if (!Number.isInteger(value) || (value as number) < low || (value as number) > high) {
    throw new Refused(`${path} must be an integer from ${low} to ${high}`);
  }
  return value as number;
}

function weight(value: unknown): number {
  if (typeof value !== 'number' || !(value > 0) || value > MAX_WEIGHT) throw new Refused(`weight must be above 0 and at most ${MAX_WEIGHT}`);
  return value;
}

function hex(value: unknown, path: string, length: number): string {
  if (typeof value !== 'string' || value.length !== length || !/^[0-9a-f]*$/.test(value)) throw new Refused(`${path} must be ${length} hex characters`);
  return value;
}

function node(value: unknown, path: string): NodeId {
  return named(parseNodeId, value, path);
}

function named<T>(parse: (text: string) => Result<T, ArmatureError>, value: unknown, path: string): T {
  if (typeof value !== 'string') throw new Refused(`${path} must be a name`);
  const parsed = parse(value);
  if (!parsed.ok) throw new Refused(`${path}: ${parsed.error.message}`);
  return parsed.value;
}
