/**
 * What is read back from a disk: sealed values, records, keys, stamps, documents of a node's bookkeeping, the logs of LevelDB. A
 * disk may have changed any of it, a person or another version may have written it. An input is the kind, and what is stored;
 * where there is a checksum, an odd kind says that the target makes the right one.
 */
import { crc32 } from 'node:zlib';
import { ByteWriter, toBinaryString, unwrap, utf8Decode, utf8Encode } from '@armature/kernel';
import { parseChangeRecord, parseCommandRecord } from '@armature/protocol';
import { formatEpochDocument, openRecord, parseEpochDocument, sealRecord } from '@armature/replica';
import { parseAddress, verifyAddress } from '@armature/ring';
import { formatDocument, parseClearings, parseStoredDocument, parseTenure } from '@armature/server/decoders';
import { parseSpaceKey, spaceKey, stampText, verifyStamp } from '@armature/storage';
import { isMarked, LogParser, readEdit, seal, unseal } from '@armature/storage-level/decoders';
import { decodeVersionSet, parseActorId, type ActorId } from '@armature/versioning';
import { holds, type Target } from '../target.js';
import { denseJson } from './dense.js';
import { attempt, attemptOf, outcomeOf } from './outcomes.js';
import { COMMAND } from './messages.js';
import { ADDRESS, ENCODED_SETS, NOW_MS, OTHER_ADDRESS, RECORDS } from './values.js';

const COUNT = { tenure: 'n1/0000000000000001', count: 3 };
const EPOCH = { actor: 'a'.repeat(16) as ActorId, closedAtMs: NOW_MS, floor: 7, had: ['a'.repeat(16) as ActorId], recorded: [] };
const IDENTITY = { cluster: 'local', node: 'n1' };
const BLOCK_BYTES = 32 * 1024;

/** What is done with each kind, by its number in an input. */
const KINDS: readonly ((bytes: Uint8Array) => string)[] = [
  sealedValue,
  record,
  key,
  stamp,
  epoch,
  tenure,
  clearings,
  storedRecord,
  log,
  edit,
  address,
];

const as = (how: (bytes: Uint8Array) => string, bytes: Uint8Array): Uint8Array =>
  Buffer.concat([Uint8Array.of(KINDS.indexOf(how)), bytes]);

export const stored: Target = {
  name: 'stored',
  what: 'what is read from disk: values, records, keys, stamps, documents, logs of LevelDB',
  covers: [
    ...[
      'storage-level/unseal',
      'storage-level/readEdit',
      'storage-level/isMarked',
      'storage-level/LogParser',
      'replica/openRecord',
      'replica/parseEpochDocument',
      'storage/verifyStamp',
      'storage/parseSpaceKey',
    ],
    ...[
      'server/parseTenure',
      'server/parseClearings',
      'server/parseStoredDocument',
      'ring/parseAddress',
      'ring/verifyAddress',
      'versioning/parseActorId',
    ],
  ],
  words: ['"tenure":', '"known":[', '"own":', '"actor":', '"had":[', '"format":2', '"__proto__":{', 'h', 'd', 'm', 'r'],
  seeds: () => [
    ...ENCODED_SETS.flatMap((set) => [as(sealedValue, seal(set)), as(record, sealRecord(set))]),
    ...[ADDRESS, OTHER_ADDRESS].flatMap((one) => [
      as(key, Buffer.from(spaceKey('data', one), 'latin1')),
      as(address, Buffer.from(one, 'latin1')),
    ]),
    as(stamp, utf8Encode(stampText(IDENTITY, NOW_MS))),
    as(epoch, formatEpochDocument(EPOCH)),
    as(tenure, formatDocument({ stint: '0000000000000001', loss: undefined })),
    as(clearings, formatDocument({ own: COUNT, known: [COUNT, { tenure: 'n2/1', count: 0 }] })),
    ...RECORDS.map((one) => as(storedRecord, formatDocument(one))),
    as(storedRecord, formatDocument(COMMAND)),
    as(log, logOf(Buffer.concat([Buffer.alloc(8), Uint8Array.of(1, 0, 0, 0, 0, 0)]), utf8Encode('another batch'))),
    as(
      edit,
      new ByteWriter()
        .varint(1)
        .text('leveldb.BytewiseComparator')
        .varint(2)
        .varint(7)
        .varint(7)
        .varint(0)
        .varint(5)
        .varint(900)
        .text('a')
        .text('b')
        .copyOut(),
    ),
  ],
  dense: (sizeBytes) => [
    ...[epoch, tenure, clearings, storedRecord, stamp].flatMap((how) =>
      denseJson(sizeBytes - 1, how === clearings ? 'known' : 'had').map((text) => as(how, text)),
    ),
    as(log, Buffer.alloc(sizeBytes - 1, 1)),
    as(log, logOf(...Array.from({ length: Math.floor(sizeBytes / 8) }, () => new Uint8Array(0)))),
    as(edit, Buffer.alloc(sizeBytes - 1, 2)),
    as(edit, Buffer.alloc(sizeBytes - 1, 0xff)),
  ],
  run(input) {
    const how = KINDS[(input[0] ?? 0) % KINDS.length] as (typeof KINDS)[0];
    return `${how.name}: ${how(input.subarray(1))}`;
  },
};

function sealedValue(bytes: Uint8Array): string {
  const value = unseal(bytes);
  if (value === undefined) return 'not what was sealed';
  holds(Buffer.compare(seal(value), bytes) === 0, 'a sealed value with two encodings');
  return 'whole';
}

/** With the right checksum, so that what is under it is tried. */
function record(bytes: Uint8Array): string {
  const set = openRecord(bytes) ?? openRecord(sealRecord(bytes.subarray(5)));
  holds(set !== undefined, 'a record that is sealed and cannot be opened');
  return outcomeOf(attemptOf(decodeVersionSet(set)), () => 'a set');
}

function key(bytes: Uint8Array): string {
  const text = toBinaryString(bytes);
  const parsed = parseSpaceKey(text);
  if (parsed === undefined) return 'of no space';
  holds(spaceKey(parsed.space, parsed.key) === text, 'a stored key with two spellings');
  return parsed.space;
}

function address(bytes: Uint8Array): string {
  const text = toBinaryString(bytes);
  const verified = attemptOf(verifyAddress(text));
  return outcomeOf(attemptOf(parseAddress(text)), () => (verified.taken ? 'verified' : verified.refusal));
}

function stamp(bytes: Uint8Array): string {
  return outcomeOf(
    attempt(() => verifyStamp(utf8Decode(bytes), IDENTITY, 'the directory')),
    () => 'ours',
  );
}

function epoch(bytes: Uint8Array): string {
  const document = parseEpochDocument(bytes);
  if (document === undefined) return 'none';
  holds(
    document.had.includes(document.actor) && document.had.every((actor) => parseActorId(actor).ok),
    'an epoch whose actor the store never had',
  );
  const again = parseEpochDocument(formatEpochDocument(document));
  holds(JSON.stringify(again) === JSON.stringify(document), 'an epoch that is another one when it is stored again');
  return document.closedAtMs === undefined ? 'in use' : 'closed';
}

function tenure(bytes: Uint8Array): string {
  return outcomeOf(attemptOf(parseTenure(bytes)), (document) => {
    holds(
      JSON.stringify(unwrap(parseTenure(formatDocument(document)))) === JSON.stringify(document),
      'a tenure that is another one when it is stored again',
    );
    return 'a tenure';
  });
}

function clearings(bytes: Uint8Array): string {
  return outcomeOf(attemptOf(parseClearings(bytes)), (document) => {
    holds(
      JSON.stringify(unwrap(parseClearings(formatDocument(document)))) === JSON.stringify(document),
      'counts that are others when they are stored again',
    );
    return 'counts';
  });
}

function storedRecord(bytes: Uint8Array): string {
  const command = attemptOf(parseStoredDocument(bytes, parseCommandRecord));
  const change = attemptOf(parseStoredDocument(bytes, parseChangeRecord));
  return outcomeOf(change, (one) => one.change.kind) + outcomeOf(command, () => ', a command');
}

/** The blocks of a log, of which the fragments are given right checksums in an input that begins with 1. */
function log(bytes: Uint8Array): string {
  const events = new LogParser().parse(bytes);
  holds(events.length <= bytes.length, 'more events than bytes');
  const records = events.flatMap((event) => (event.kind === 'record' ? [event.fragments] : []));
  const marks = records.filter((fragments) => isMarked(fragments)).length;
  return `${records.length} records, ${marks} of them marked, ${events.length - records.length} places damaged`;
}

function edit(bytes: Uint8Array): string {
  const read = readEdit(bytes);
  return read === undefined ? 'no edit' : `an edit ${read.logNumber === undefined ? 'without' : 'with'} a log`;
}

/** A log of LevelDB with these records, each in one fragment. */
function logOf(...records: readonly Uint8Array[]): Uint8Array {
  const writer = new ByteWriter();
  for (const payload of records) {
    const left = BLOCK_BYTES - (writer.length % BLOCK_BYTES);
    if (left < payload.length + 7) writer.raw(Buffer.alloc(left));
    writer
      .u32(masked(payload))
      .u8(payload.length & 0xff)
      .u8(payload.length >> 8)
      .u8(1)
      .raw(payload);
  }
  return writer.copyOut();
}

/** Not CRC-32C, so most of these are damaged; that is what a log looks like to whoever reads it with another checksum. */
function masked(payload: Uint8Array): number {
  return crc32(payload) >>> 0;
}
