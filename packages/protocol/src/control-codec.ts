/**
 * The rows of the control messages: mostly JSON documents, for they are rare and read by people.
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
import { bare, type MessageRows } from './message-row.js';
import type { ControlRequest, GossipReply, GossipRequest, ProposeRequest } from './messages.js';
import type { ClearingCount } from './reaping.js';
import { parseNodeStatus } from './status-parser.js';
import { WORKER_COMMANDS, parseWorkerStatus, type WorkerCommand } from './worker-status.js';

/** All rows of control messages: neither the ring nor the size of a value has to do with them. */
const OF_CONTROL = { isFenced: false, mayHaveLargeAnswer: false } as const;

export const CONTROL_MESSAGES: MessageRows<ControlRequest['kind']> = {
  gossip: {
    ...{ tag: 7, ...OF_CONTROL },
    request: { encode: encodeGossip, decode: (r) => ({ kind: 'gossip', ...readGossip(r) }) },
    reply: { encode: encodeGossip, decode: (r) => ({ kind: 'gossip', ...readGossip(r) }) },
  },
  propose: {
    ...{ tag: 8, ...OF_CONTROL },
    request: { encode: (w, { change, author }) => w.text(JSON.stringify({ change, author })), decode: decodePropose },
    reply: {
      encode: (w, m) => w.text(JSON.stringify(m.record)),
      decode: (r) => ({ kind: 'propose', record: must(parseChangeRecord(readJson(r, MAX_DOCUMENT_BYTES.propose))) }),
    },
  },
  status: {
    ...{ tag: 9, ...OF_CONTROL },
    request: bare('status'),
    reply: {
      encode: (w, m) => w.text(JSON.stringify(m.status)),
      decode: (r) => ({ kind: 'status', status: must(parseNodeStatus(readJson(r, MAX_DOCUMENT_BYTES.status))) }),
    },
  },
  ping: { ...{ tag: 10, ...OF_CONTROL }, request: bare('ping'), reply: bare('ping') },
  holdings: {
    ...{ tag: 16, ...OF_CONTROL },
    request: bare('holdings'),
    reply: {
      encode: (w, m) => w.text(JSON.stringify(m.holdings)),
      decode: (r) => ({ kind: 'holdings', holdings: must(parseHoldings(readJson(r, MAX_DOCUMENT_BYTES.holdings))) }),
    },
  },
  history: {
    ...{ tag: 21, ...OF_CONTROL },
    request: bare('history'),
    reply: {
      encode: (w, { records }) => w.text(JSON.stringify({ records })),
      decode: (r) => ({ kind: 'history', records: readRecords(readJson(r, MAX_DOCUMENT_BYTES.gossip)) }),
    },
  },
  commands: {
    ...{ tag: 22, ...OF_CONTROL },
    request: bare('commands'),
    reply: {
      encode: (w, { commands }) => w.text(JSON.stringify({ commands })),
      decode: (r) => ({
        kind: 'commands',
        commands: must(parseCommandRecords(readJson(r, MAX_DOCUMENT_BYTES.commands)['commands'])),
      }),
    },
  },
  'keep-command': {
    ...{ tag: 23, ...OF_CONTROL },
    request: {
      encode: (w, m) => w.text(JSON.stringify(m.command)),
      decode: (r) => ({ kind: 'keep-command', command: must(parseCommandRecord(readJson(r, MAX_DOCUMENT_BYTES.command))) }),
    },
    reply: bare('keep-command'),
  },
  worker: {
    ...{ tag: 24, ...OF_CONTROL },
    request: {
      encode: (w, m) => w.u8(WORKER_COMMANDS.indexOf(m.command)),
      decode: (r) => ({ kind: 'worker', command: readWorkerCommand(r) }),
    },
    reply: {
      encode: (w, m) => w.text(JSON.stringify(m.status)),
      decode: (r) => ({ kind: 'worker', status: must(parseWorkerStatus(readJson(r, MAX_DOCUMENT_BYTES.worker))) }),
    },
  },
};

function decodePropose(r: ByteReader): ProposeRequest {
  const document = readJson(r, MAX_DOCUMENT_BYTES.propose);
  return { kind: 'propose', change: must(parseChange(document['change'])), author: must(parseAuthor(document['author'])) };
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
