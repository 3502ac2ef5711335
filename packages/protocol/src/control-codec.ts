/**
 * The bytes of the control messages, after their tag: mostly JSON documents, for they are rare and read by people. See `codec.ts`
 * for what encoders and decoders promise.
 *
 * JSON takes many times as much memory as its text, and blocks whoever parses it, so each kind has a bound in bytes that is
 * looked at before it is parsed (`MAX_DOCUMENT_BYTES`).
 */
import { DecodeError, type ByteReader, type ByteWriter } from '@armature/kernel';
import { parseAuthor, parseChange, parseChangeRecord } from './change-parser.js';
import type { ChangeRecord } from './change.js';
import { must } from './codec-parts.js';
import { parseCommandRecord, parseCommandRecords } from './command-record.js';
import { parseHoldings } from './holdings.js';
import { MAX_DOCUMENT_BYTES } from './limits.js';
import type { ControlReply, ControlRequest, GossipReply, GossipRequest } from './messages.js';
import type { ClearingCount } from './reaping.js';
import { parseNodeStatus } from './status-parser.js';
import { WORKER_COMMANDS, parseWorkerStatus, type WorkerCommand } from './worker-status.js';

type Kind = ControlRequest['kind'];

export function encodeControlRequest(w: ByteWriter, m: ControlRequest): void {
  switch (m.kind) {
    case 'gossip':
      encodeGossip(w, m);
      break;
    case 'propose':
      w.text(JSON.stringify({ change: m.change, author: m.author }));
      break;
    case 'keep-command':
      w.text(JSON.stringify(m.command));
      break;
    case 'worker':
      w.u8(WORKER_COMMANDS.indexOf(m.command));
      break;
    case 'history':
    case 'status':
    case 'holdings':
    case 'commands':
    case 'ping':
      break;
  }
}

export function decodeControlRequest(r: ByteReader, kind: Kind): ControlRequest {
  switch (kind) {
    case 'gossip':
      return { kind, ...readGossip(r) };
    case 'propose': {
      const document = readJson(r, MAX_DOCUMENT_BYTES.propose);
      return { kind, change: must(parseChange(document['change'])), author: must(parseAuthor(document['author'])) };
    }
    case 'keep-command':
      return { kind, command: must(parseCommandRecord(readJson(r, MAX_DOCUMENT_BYTES.command))) };
    case 'worker':
      return { kind, command: readWorkerCommand(r) };
    case 'history':
    case 'status':
    case 'holdings':
    case 'commands':
    case 'ping':
      return { kind };
  }
}

export function encodeControlReply(w: ByteWriter, m: ControlReply): void {
  switch (m.kind) {
    case 'gossip':
      encodeGossip(w, m);
      break;
    case 'propose':
      w.text(JSON.stringify(m.record));
      break;
    case 'history':
      w.text(JSON.stringify({ records: m.records }));
      break;
    case 'status':
    case 'worker':
      w.text(JSON.stringify(m.status));
      break;
    case 'holdings':
      w.text(JSON.stringify(m.holdings));
      break;
    case 'commands':
      w.text(JSON.stringify({ commands: m.commands }));
      break;
    case 'keep-command':
    case 'ping':
      break;
  }
}

export function decodeControlReply(r: ByteReader, kind: Kind): ControlReply {
  switch (kind) {
    case 'gossip':
      return { kind, ...readGossip(r) };
    case 'propose':
      return { kind, record: must(parseChangeRecord(readJson(r, MAX_DOCUMENT_BYTES.propose))) };
    case 'history':
      return { kind, records: readRecords(readJson(r, MAX_DOCUMENT_BYTES.gossip)) };
    case 'status':
      return { kind, status: must(parseNodeStatus(readJson(r, MAX_DOCUMENT_BYTES.status))) };
    case 'holdings':
      return { kind, holdings: must(parseHoldings(readJson(r, MAX_DOCUMENT_BYTES.holdings))) };
    case 'commands':
      return { kind, commands: must(parseCommandRecords(readJson(r, MAX_DOCUMENT_BYTES.commands)['commands'])) };
    case 'worker':
      return { kind, status: must(parseWorkerStatus(readJson(r, MAX_DOCUMENT_BYTES.worker))) };
    case 'keep-command':
    case 'ping':
      return { kind };
  }
}

function readWorkerCommand(r: ByteReader): WorkerCommand {
  const command = WORKER_COMMANDS[r.u8()];
  if (command === undefined) throw new DecodeError('unknown command to a worker');
  return command;
}

/** Throws `DecodeError` for what is longer than `maxBytes`, before it is parsed, and for what is no JSON object. */
function readJson(r: ByteReader, maxBytes: number): Readonly<Record<string, unknown>> {
  const text = r.text(maxBytes);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new DecodeError('control message is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new DecodeError('control message is not a JSON object');
  return value as Readonly<Record<string, unknown>>;
}

function readText(document: Readonly<Record<string, unknown>>, field: string): string {
  const value = document[field];
  if (typeof value !== 'string') throw new DecodeError(`${field} must be a string`);
  return value;
}

function encodeGossip(w: ByteWriter, { fingerprint, records, clearings }: GossipRequest | GossipReply): void {
  w.text(JSON.stringify({ fingerprint, records, clearings }));
}

function readGossip(r: ByteReader): Omit<GossipRequest, 'kind'> {
  const document = readJson(r, MAX_DOCUMENT_BYTES.gossip);
  const known = { fingerprint: readText(document, 'fingerprint'), records: readRecords(document) };
  const { clearings } = document;
  if (clearings === undefined) return known;
  if (!Array.isArray(clearings)) throw new DecodeError('clearings must be a list');
  return { ...known, clearings: clearings.map(readClearingCount) };
}

function readClearingCount(given: unknown): ClearingCount {
  const { tenure, count } = (given ?? {}) as Partial<Record<keyof ClearingCount, unknown>>;
  if (typeof tenure !== 'string' || typeof count !== 'number' || !Number.isSafeInteger(count) || count < 0)
    throw new DecodeError('a count of clearings must have a tenure and a number');
  return { tenure, count };
}

function readRecords(document: Readonly<Record<string, unknown>>): ChangeRecord[] {
  const records = document['records'];
  if (!Array.isArray(records)) throw new DecodeError('records must be a list');
  return records.map((record) => must(parseChangeRecord(record)));
}
