/**
 * Change records from untrusted JSON. Total: anything that is not exactly a record is refused with the path of the
 * offending field, because a malformed record would be spread by gossip and kept for ever.
 */
import {
  isPlainName,
  parseBucketName,
  parseClusterName,
  parseZoneName,
  quoted,
  type ArmatureError,
  type Hlc,
  type Result,
} from '@armature/kernel';
import { MAX_GENERATION, type TokenDemand } from '@armature/rights';
import { parseBucketProperties } from './bucket.js';
import type { Change, ChangeRecord, MemberSettings } from './change.js';
import { boolean, guarded, hex, integer, list, named, node, object, Refused, type Json } from './json-shape.js';
import { MAX_AUTHOR_CHARS, MAX_MEMBERS, MAX_PARTITIONS, MAX_WEIGHT, MIN_WEIGHT } from './limits.js';
import { MAX_N } from './quorum-word.js';

const WHAT = 'not a membership change';

export function parseChange(input: unknown): Result<Change, ArmatureError> {
  return guarded(WHAT, () => change(object(input, 'change')));
}

export function parseChangeRecord(input: unknown): Result<ChangeRecord, ArmatureError> {
  return guarded(WHAT, () => {
    const record = object(input, 'record');
    return {
      id: hex(record['id'], 'record.id', 16),
      at: integer(record['at'], 'record.at', 0, Number.MAX_SAFE_INTEGER) as Hlc,
      by: node(record['by'], 'record.by'),
      author: author(record['author']),
      change: change(object(record['change'], 'record.change')),
    };
  });
}

/** Who gave a command. It ends up in tables and logs, so that no terminal may be told anything by it. */
export function parseAuthor(input: unknown): Result<string, ArmatureError> {
  return guarded('not the author of a command', () => author(input));
}

function author(value: unknown): string {
  if (typeof value === 'string' && isPlainName(value, MAX_AUTHOR_CHARS)) return value;
  throw new Refused(`author must be 1 to ${MAX_AUTHOR_CHARS} printable characters`);
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
    case 'left':
    case 'remove':
      return { kind, node: node(input['node'], 'node') };
    case 'replace':
      return {
        kind,
        node: node(input['node'], 'node'),
        by: member(object(input['by'], 'by')),
        dead: boolean(input['dead'] ?? false, 'dead'),
      };
    case 'weight':
      return { kind, node: node(input['node'], 'node'), weight: weight(input['weight']) };
    case 'zone':
      return { kind, node: node(input['node'], 'node'), zone: named(parseZoneName, input['zone'], 'zone') };
    case 'bucket': {
      const properties = parseBucketProperties(object(input['properties'], 'properties'));
      if (!properties.ok) throw new Refused(properties.error.message);
      return { kind, bucket: named(parseBucketName, input['bucket'], 'bucket'), properties: properties.value };
    }
    case 'access':
      return {
        kind,
        tokens: tokenDemand(input['tokens']),
        revision: integer(input['revision'], 'revision', 0, MAX_GENERATION),
        generation: integer(input['generation'], 'generation', 0, MAX_GENERATION),
      };
    case 'actor':
    case 'lost':
      return { kind, node: node(input['node'], 'node'), actor: hex(input['actor'], 'actor', 16) };
    case 'ready':
      return {
        kind,
        node: node(input['node'], 'node'),
        change: hex(input['change'], 'change', 16),
        partitions: list(input['partitions'], 'partitions', MAX_PARTITIONS).map((one) =>
          integer(one, 'partition', 0, MAX_PARTITIONS - 1),
        ),
      };
    default:
      throw new Refused(
        `change.kind ${typeof kind === 'string' ? quoted(kind) : `of type ${typeof kind}`} is unknown to this version`,
      );
  }
}

function member(input: Json): MemberSettings {
  return {
    node: node(input['node'], 'node'),
    weight: weight(input['weight'] ?? 1),
    zone: named(parseZoneName, input['zone'] ?? 'default', 'zone'),
  };
}

function tokenDemand(value: unknown): TokenDemand {
  if (value === 'optional' || value === 'required') return value;
  throw new Refused('tokens must be optional or required');
}

function weight(value: unknown): number {
  if (typeof value !== 'number' || !(value >= MIN_WEIGHT && value <= MAX_WEIGHT))
    throw new Refused(`weight must be from ${MIN_WEIGHT} to ${MAX_WEIGHT}`);
  return value;
}
