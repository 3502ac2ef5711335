/**
 * A node's status from untrusted JSON. Consoles and command lines ask many nodes, perhaps of several versions, and show
 * what comes back: a status that is not one is refused here rather than found out field by field there.
 * Fields this version does not know are dropped.
 */
import type { ArmatureError, Result } from '@armature/kernel';
import { boolean, guarded, integer, list, node, object, Refused, text, type Json } from './json-shape.js';
import { MAX_MEMBERS, MAX_PARTITIONS } from './limits.js';
import type { NodeStatus, RingVersion, StuckHints } from './messages.js';
import { readTransferStatus } from './transfers.js';

const MAX_NOTES = 1_000;

export function parseNodeStatus(input: unknown): Result<NodeStatus, ArmatureError> {
  return guarded('not a node status', () => {
    const status = object(input, 'status');
    const role = text(status['role'], 'role');
    if (role !== 'node' && role !== 'router') throw new Refused('role must be node or router');
    return {
      name: text(status['name'], 'name'),
      role,
      version: text(status['version'], 'version'),
      startedAtMs: time(status['startedAtMs'], 'startedAtMs'),
      clusterId: optionalText(status, 'clusterId'),
      historyFingerprint: text(status['historyFingerprint'], 'historyFingerprint'),
      historyRecords: integer(status['historyRecords'] ?? 0, 'historyRecords', 0, Number.MAX_SAFE_INTEGER),
      ring: integer(status['ring'], 'ring', 0, Number.MAX_SAFE_INTEGER) as RingVersion,
      ready: boolean(status['ready'], 'ready'),
      notes: list(status['notes'], 'notes', MAX_NOTES).map((one, i) => text(one, `notes[${i}]`)),
      suspects: list(status['suspects'], 'suspects', MAX_MEMBERS).map((one, i) => node(one, `suspects[${i}]`)),
      pendingPartitions: integer(status['pendingPartitions'], 'pendingPartitions', 0, MAX_PARTITIONS),
      transfers: status['transfers'] === undefined ? undefined : readTransferStatus(object(status['transfers'], 'transfers')),
      hintBytes: integer(status['hintBytes'] ?? 0, 'hintBytes', 0, Number.MAX_SAFE_INTEGER),
      stuckHints: list(status['stuckHints'] ?? [], 'stuckHints', MAX_MEMBERS).map((one, i) =>
        stuck(object(one, `stuckHints[${i}]`)),
      ),
      storage: status['storage'] === undefined ? undefined : storage(object(status['storage'], 'storage')),
      actor: optionalText(status, 'actor'),
      clock: status['clock'] === undefined ? undefined : clock(object(status['clock'], 'clock')),
    };
  });
}

function stuck(input: Json): StuckHints {
  return {
    owner: node(input['owner'], 'stuckHints.owner'),
    count: integer(input['count'], 'stuckHints.count', 0, Number.MAX_SAFE_INTEGER),
    oldestMs: time(input['oldestMs'], 'stuckHints.oldestMs'),
    keyHash: text(input['keyHash'], 'stuckHints.keyHash'),
    reason: text(input['reason'], 'stuckHints.reason'),
  };
}

function storage(input: Json): NonNullable<NodeStatus['storage']> {
  return {
    engine: text(input['engine'], 'storage.engine'),
    healthy: boolean(input['healthy'], 'storage.healthy'),
    sizeBytes: integer(input['sizeBytes'], 'storage.sizeBytes', 0, Number.MAX_SAFE_INTEGER),
  };
}

function clock(input: Json): NonNullable<NodeStatus['clock']> {
  return {
    offsetMs: input['offsetMs'] === undefined ? undefined : time(input['offsetMs'], 'clock.offsetMs'),
    peers: integer(input['peers'], 'clock.peers', 0, MAX_MEMBERS),
  };
}

/** Clocks have fractions; JSON has no NaN or Infinity but reads 1e999 as one. */
function time(value: unknown, path: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new Refused(`${path} must be a time in milliseconds`);
  return value;
}

function optionalText(document: Json, field: string): string | undefined {
  return document[field] === undefined ? undefined : text(document[field], field);
}
