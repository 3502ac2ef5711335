/** The bytes of frames: header, records, errors, refusals, and the addresses in them. An input is the kind, and the bytes. */
import { ByteReader, ByteWriter, utf8Decode, utf8Encode } from '@armature/kernel';
import { parseLinkAddress, parseSubject, subjectMatches } from '@armature/bus';
import {
  isLinkAddress,
  parseRefusal,
  PROTOCOL_VERSION,
  readError,
  readHeader,
  readRecords,
  RECORD,
  requestsIn,
  writeError,
  writeHeaderPrefix,
  writeHeaderRest,
  type RecordVisitor,
} from '@armature/bus/decoders';
import { holds, type Target } from '../target.js';
import { errorBody, OWN, RECORDS, SUBJECTS, u32s } from './frame-samples.js';
import { attempt, attemptOf, outcomeOf } from './outcomes.js';
import { record, Speaker } from './speaker.js';

/** In UTF-8 three bytes each. */
const MAX_ERROR_CHARS = 3 * 1_024;
const longError = (): Uint8Array => new ByteWriter().text('internal').text('x'.repeat(4_000)).text('').text('').copyOut();

const HEADER = 0;
const BODY = 1;
const ERROR = 2;
const TEXTS = 3;

const as = (how: number, ...parts: readonly Uint8Array[]): Uint8Array => Buffer.concat([Uint8Array.of(how), ...parts]);
const stranger = new Speaker('client.k3j9', OWN, undefined);

export const frames: Target = {
  name: 'frames',
  what: 'the bytes of frames: header, records, errors, refusals, and the addresses in them',
  covers: [
    ...['readHeader', 'readRecords', 'readRecord', 'readError', 'parseRefusal', 'parseLinkAddress', 'parseSubject'].map(
      (name) => `bus/${name}`,
    ),
    ...['kernel/utf8Decode', 'kernel/fromBinaryString'],
  ],
  words: ['armature.local.refused.node.n1.', 'refused wrong-secret', 'node.n2.', '.*.', '.>'],
  seeds: () => [
    ...RECORDS.map((one) => as(HEADER, stranger.frame(one))),
    ...RECORDS.map((one) => as(BODY, one)),
    as(BODY, ...RECORDS),
    as(ERROR, errorBody()),
    as(ERROR, longError()),
    ...[
      'refused wrong-cluster',
      'refused overloaded',
      'node.n1',
      `${SUBJECTS.refusals.slice(0, -1)}node.n2.0011223344556677.12`,
    ].map((text) => as(TEXTS, utf8Encode(text))),
  ],
  dense: (sizeBytes) => [
    as(BODY, ...Array.from({ length: Math.floor(sizeBytes / 5) }, () => record(RECORD.oneWay, new Uint8Array(0)))),
    as(BODY, ...Array.from({ length: Math.floor(sizeBytes / 13) }, () => record(RECORD.request, u32s(1, 2)))),
    as(BODY, ...Array.from({ length: Math.floor(sizeBytes / 17) }, () => record(RECORD.fragment, u32s(1, 0, 9)))),
    as(TEXTS, Buffer.alloc(sizeBytes - 1, '.')),
    as(TEXTS, Buffer.alloc(sizeBytes - 1, 'a.')),
    as(
      ERROR,
      new ByteWriter()
        .text('internal')
        .text('')
        .text('')
        .blob(Buffer.alloc(sizeBytes - 32, '['))
        .copyOut(),
    ),
    as(
      ERROR,
      new ByteWriter()
        .text('internal')
        .text('')
        .text('')
        .text(`{"a":[${'[],'.repeat(Math.floor(sizeBytes / 3) - 16)}[]]}`)
        .copyOut(),
    ),
  ],
  run(input) {
    const rest = input.subarray(1);
    switch (input[0]) {
      case HEADER:
        return header(rest);
      case BODY:
        return body(rest);
      case ERROR:
        return error(rest);
      default:
        return texts(utf8Decode(rest), rest);
    }
  },
};

function header(bytes: Uint8Array): string {
  const reader = new ByteReader(bytes);
  return outcomeOf(
    attempt(() => readHeader(reader)),
    (read) => {
      if (read.version !== PROTOCOL_VERSION) return 'of another version';
      const writer = new ByteWriter();
      writeHeaderPrefix(writer, read.cluster, read.address, read.isSealed);
      writeHeaderRest(writer, read, read.sent, read.echo);
      holds(Buffer.compare(writer.copyOut(), bytes.subarray(0, reader.offset)) === 0, 'a header with two encodings');
      return `header, then ${body(bytes.subarray(reader.offset))}`;
    },
  );
}

/** Records are said by their kinds. No visit may be of bytes outside of its record. */
function body(bytes: Uint8Array): string {
  const seen: string[] = [];
  const visited = (kind: string): void => {
    if (seen.length < 8) seen.push(kind);
  };
  const visitor: RecordVisitor<undefined> = {
    request: (_c, _id, _timeoutMs, content) => visited(`request of ${content.remaining}`),
    reply: () => visited('reply'),
    error: () => visited('error'),
    oneWay: () => visited('one-way'),
    fragment: (_c, _message, _index, _count, content) => visited(`fragment of ${content.length}`),
    received: () => visited('received'),
    again: () => visited('again'),
    token: () => visited('token'),
    malformed: (_c, reason) => visited(reason),
  };
  const records = readRecords(new ByteReader(bytes), visitor, undefined);
  holds(records <= bytes.length + 1, 'more records than there are bytes');
  holds(requestsIn(new ByteReader(bytes)).length <= records, 'more requests than records');
  return seen.join(', ');
}

function error(bytes: Uint8Array): string {
  const read = attempt(() => readError(new ByteReader(bytes)));
  if (!read.taken) return read.refusal;
  const { code, message, remedy = '' } = read.value;
  holds(
    message.length <= MAX_ERROR_CHARS && remedy.length <= MAX_ERROR_CHARS,
    'an error of a peer that is longer than any that is sent',
  );
  const writer = new ByteWriter();
  writeError(writer, read.value);
  const again = attempt(() => readError(new ByteReader(writer.copyOut())));
  holds(again.taken && again.value.code === code && again.value.message === message, 'an error that changes on its way');
  return `error ${code}`;
}

function texts(text: string, bytes: Uint8Array): string {
  const address = attemptOf(parseLinkAddress(text));
  holds(address.taken === isLinkAddress(text), 'two answers to whether this is an address');
  attemptOf(parseSubject(text));
  subjectMatches('armature.*.link.>', text);
  subjectMatches(text.slice(0, 64), 'armature.local.link.node.n1');
  const refusal = SUBJECTS.parseRefusal(text);
  const refused = parseRefusal(bytes);
  return `${address.taken ? 'an address' : 'none'}, ${refusal === undefined ? 'no refusal' : 'a refusal'}, ${refused ?? 'no words'}`;
}
