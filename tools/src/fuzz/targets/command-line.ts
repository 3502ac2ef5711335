/**
 * What is typed at the command line and what its files hold: keys, numbers, lists, changes of membership, plans, records as JSON
 * lines and as CSV. An input is the kind, and a text.
 */
import { bytesEqual, utf8Decode, utf8Encode } from '@armature/kernel';
import {
  changeWord,
  decimal,
  formatRecord,
  integerBetween,
  pairs,
  parseChanges,
  parseKey,
  parseRecord,
  parseWishes,
  readCsv,
  readJsonLines,
  readPlan,
  words,
} from '@armature/cli/decoders';
import { parseQuorumWord } from '@armature/protocol';
import { holds, type Target } from '../target.js';
import { attempt, attemptOf, outcomeOf } from './outcomes.js';
import { denseJson } from './dense.js';
import { CHANGES } from './values.js';

type How = (input: Uint8Array) => string | Promise<string>;

const KINDS: readonly How[] = [key, words_, changes, plan, jsonLines, csv, wishes];
const as = (how: How, text: string): Uint8Array => Buffer.concat([Uint8Array.of(KINDS.indexOf(how)), utf8Encode(text)]);

export const commandLine: Target = {
  name: 'command-line',
  what: 'arguments and files of the command line: keys, changes, plans, JSON lines, CSV',
  covers: [
    ...['parseKey', 'parseChanges', 'readPlan', 'parseRecord', 'readJsonLines', 'readCsv', 'parseWishes', 'readWishes'].map(
      (name) => `cli/${name}`,
    ),
    ...['protocol/parseQuorumWord', 'kernel/fromBase64', 'kernel/fromHex'],
  ],
  words: [
    'join',
    'leave:',
    'replace:n2=n5,dead',
    'zone=',
    'weight=',
    '"key":',
    '"keyBase64":"AAH/"',
    '"values":[',
    '"meta":{',
    '12345678901234567890',
    '1e400',
    ',',
    '"',
    '\n',
    'key,value',
  ],
  seeds: () => [
    ...['greeting', 'AAH_', 'AAE='].map((text) => as(key, text)),
    ...['quorum', '3', '1.5', 'a,b, c', 'a=x,b=y=z'].map((text) => as(words_, text)),
    ...[
      'join n4',
      'join:n4,zone=b,weight=2',
      'replace n2 n5',
      'replace:n2=n5,dead,weight=0.5',
      'weight n2 2 zone n1 b leave n3',
    ].map((text) => as(changes, text)),
    as(plan, JSON.stringify({ format: 1, clusterId: 'c'.repeat(32), ringVersion: '123abc', changes: [CHANGES[1], CHANGES[2]] })),
    as(jsonLines, '{"key":"a","value":{"any":["json",1.5]}}\n{"keyBase64":"AAH_","valueBase64":"AAE"}\n'),
    as(jsonLines, '{"key":"a","values":[{"value":"x"},{"value":12345678901234567890,"meta":{"a":"b"}}]}'),
    as(
      wishes,
      JSON.stringify({
        nodes: ['n1'],
        application: ['shop:payments:read,write'],
        plain: ['kiosk:*:get'],
        logins: { shop: { nkey: 'U' } },
      }),
    ),
    as(csv, 'key,value\na,b\n"c ""d""",e\n'),
  ],
  dense: (sizeBytes) => [
    ...denseJson(sizeBytes - 1, 'values').flatMap((text) =>
      [jsonLines, plan, wishes].map((how) => Buffer.concat([Uint8Array.of(KINDS.indexOf(how)), text])),
    ),
    ...denseJson(sizeBytes - 32, 'value').map((text) => as(jsonLines, `{"key":"a",${utf8Decode(text).slice(1)}`)),
    as(jsonLines, `{"key":"a","value":[${'9'.repeat(400)},${'123456789012345678,'.repeat(Math.floor(sizeBytes / 20))}1]}`),
    as(changes, 'join a '.repeat(Math.floor(sizeBytes / 7))),
    ...['weight N', 'weight:N', 'join:N,zone', 'replace:N', 'replace:n2=n5,N'].map((text) =>
      as(changes, text.replace('N', 'n'.repeat(sizeBytes - 32))),
    ),
    as(wishes, JSON.stringify({ nodes: ['n1'], logins: { ['n'.repeat(sizeBytes - 64)]: { nkey: 'U' } } })),
    as(csv, `${'n'.repeat(sizeBytes - 16)},b\n`),
    as(csv, ','.repeat(sizeBytes - 1)),
    as(csv, `key,value\n${'"'.repeat(sizeBytes - 16)}`),
    as(csv, `key,value\n${'a,b\n'.repeat(Math.floor(sizeBytes / 4) - 8)}`),
    as(words_, ','.repeat(sizeBytes - 1)),
  ],
  ownBytesPerByte: 1_500,
  run(input) {
    const how = KINDS[(input[0] ?? 0) % KINDS.length] as How;
    const outcome = how(input.subarray(1));
    return typeof outcome === 'string' ? `${how.name}: ${outcome}` : outcome.then((ended) => `${how.name}: ${ended}`);
  },
};

function key(input: Uint8Array): string {
  const text = utf8Decode(input);
  const [plain, encoded] = [attempt(() => parseKey(text, false)), attempt(() => parseKey(text, true))];
  if (plain.taken) holds(utf8Decode(plain.value) === text, 'a key that is another one than was typed');
  return `${plain.taken ? 'a key' : plain.refusal}, ${encoded.taken ? 'and in base64' : encoded.refusal}`;
}

function words_(input: Uint8Array): string {
  const text = utf8Decode(input);
  return [
    attemptOf(parseQuorumWord('r', text)),
    attempt(() => decimal('weight')(text)),
    attempt(() => integerBetween('n', 1, 32)(text)),
    attempt(() => words('nodes')(text)),
    attempt(() => pairs('zones')(text)),
  ]
    .map((one) => (one.taken ? 'taken' : one.refusal))
    .join('; ');
}

function changes(input: Uint8Array): string {
  const given = utf8Decode(input).split(' ');
  return outcomeOf(
    attempt(() => parseChanges(given)),
    (read) => {
      const again = parseChanges(read.map(changeWord));
      holds(JSON.stringify(again) === JSON.stringify(read), 'changes that are others when they are written again');
      return read.map(({ kind }) => kind).join(' ');
    },
  );
}

function plan(input: Uint8Array): string {
  return outcomeOf(
    attempt(() => readPlan(utf8Decode(input), 'plan.json')),
    ({ changes: planned }) => `${planned.length} changes`,
  );
}

function wishes(input: Uint8Array): string {
  return outcomeOf(
    attempt(() => parseWishes(utf8Decode(input), 'users.json')),
    ({ application, plain, logins }) => `${application.length} applications, ${plain.length} plain, ${logins.size} logins`,
  );
}

/** The parser of one line throws an `Error` in words; the reader of a file reports it and goes on. */
async function jsonLines(input: Uint8Array): Promise<string> {
  const seen: string[] = [];
  for await (const { record, problem } of readJsonLines(chunksOf(input))) {
    if (record === undefined) {
      holds(
        problem !== undefined && !/call stack|undefined|is not a function/.test(problem),
        `no words for a person: ${problem}`,
      );
      seen.push(problem.slice(0, 40));
      continue;
    }
    const again = parseRecord(formatRecord(record));
    holds(
      bytesEqual(again.key, record.key) && again.values.length === record.values.length,
      'a record that is another one when it is exported',
    );
    for (const [i, one] of record.values.entries()) {
      const other = again.values[i];
      holds(
        other !== undefined &&
          bytesEqual(one.bytes, other.bytes) &&
          JSON.stringify(sorted(one.meta)) === JSON.stringify(sorted(other.meta)),
        'a value that is another one when it is exported',
      );
    }
    seen.push('a record');
  }
  return [...new Set(seen)].slice(0, 4).join('; ');
}

function sorted(meta: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(meta).sort(([a], [b]) => (a < b ? -1 : 1));
}

async function csv(input: Uint8Array): Promise<string> {
  const seen: string[] = [];
  try {
    for await (const { problem } of readCsv(chunksOf(input), { key: 'key', value: undefined }))
      seen.push(problem === undefined ? 'a record' : problem.slice(0, 40));
  } catch (thrown) {
    const tried = attempt(() => {
      throw thrown;
    });
    seen.push(tried.taken ? '' : tried.refusal);
  }
  return [...new Set(seen)].slice(0, 4).join('; ');
}

async function* chunksOf(input: Uint8Array): AsyncGenerator<Uint8Array> {
  const half = Math.floor(input.length / 2);
  yield input.subarray(0, half);
  yield input.subarray(half);
}
