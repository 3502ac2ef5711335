/** Frames and records to begin with, for the targets that are given them. */
import { ArmatureError, ByteWriter, utf8Encode } from '@armature/kernel';
import { linkAddress } from '@armature/bus';
import { LinkSubjects, RECORD, writeError } from '@armature/bus/decoders';
import { protocolCodec, type Request } from '@armature/protocol';
import { REQUESTS } from './messages.js';
import { record } from './speaker.js';
import { CLUSTER } from './values.js';

/** The endpoint that is spoken to. */
export const OWN = linkAddress('node', 'n1');
export const SUBJECTS = new LinkSubjects('armature', CLUSTER, OWN);

export const u32s = (...words: readonly number[]): Uint8Array =>
  words.reduce((w, word) => w.u32(word), new ByteWriter()).copyOut();
const requestBody = (request: Request): Uint8Array => {
  const writer = new ByteWriter().u32(42).u32(5_000);
  protocolCodec.encodeRequest(writer, request);
  return writer.copyOut();
};
export const errorBody = (): Uint8Array => {
  const writer = new ByteWriter();
  writeError(writer, new ArmatureError('overloaded', 'too much', { remedy: 'Wait.', details: { retryAfterMs: 20 } }));
  return writer.copyOut();
};

export const RECORDS: readonly Uint8Array[] = [
  ...REQUESTS.slice(0, 6).map((request) => record(RECORD.request, requestBody(request))),
  record(RECORD.reply, Buffer.concat([u32s(42), Uint8Array.of(10)])),
  record(RECORD.error, Buffer.concat([u32s(42), errorBody()])),
  record(RECORD.oneWay, Uint8Array.of(10)),
  record(RECORD.fragment, Buffer.concat([u32s(0, 0, 2), Uint8Array.of(1, 2, 3, 4, 5)])),
  record(RECORD.fragment, Buffer.concat([u32s(0, 1, 2), Uint8Array.of(6, 7)])),
  record(RECORD.received, u32s(0, 0)),
  record(RECORD.again, u32s(42)),
  record(RECORD.token, utf8Encode('armt1.AQ')),
];
