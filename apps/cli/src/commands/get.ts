/**
 * `armature get`. One value goes to standard output as it is. Several concurrent ones do not: a script that expects a value
 * must not be handed a list, so they are shown on standard error, and the exit code says so.
 */
import type { Entry, Outline, Sibling } from '@armature/client';
import { ArmatureError, exactUtf8Decode, isPlainLine } from '@armature/kernel';
import { EXIT } from '@armature/process';
import type { QuorumWord } from '@armature/protocol';
import { define, option, type Outcome } from '../command.js';
import { bytesField, keyText, sizeText, tableText } from '../format.js';
import { writeOut } from '../io.js';
import { tellNotFound } from '../not-found.js';
import { integerBetween } from '../parse.js';
import { tellReceipt } from '../receipt.js';
import type { Session } from '../session.js';
import { base64Key, bucketOf, keyOf, readQuorums, showReceipt, type KeyOptions } from './key-options.js';
import { rawAs } from './put.js';

interface GetOptions extends KeyOptions {
  readonly r?: QuorumWord;
  readonly pr?: QuorumWord;
  readonly sibling?: number;
  readonly raw?: boolean;
  readonly sizes?: boolean;
  readonly context?: boolean;
  readonly receipt?: boolean;
}

type Values = Entry<Uint8Array>;

const PREVIEW_CHARS = 40;

export const getCommand = define<GetOptions>({
  details:
    'The value goes to standard output, byte for byte; on a terminal with a line end after it. Exit code 4: there is no\n' +
    'such key. Exit code 5: the key has several concurrent values, which are listed on standard error; choose one to\n' +
    'print with --sibling, and put the one to keep. With --json all values are in the answer, and the code is 0.',
  options: [
    ...readQuorums,
    option(
      '--sibling <i>',
      'print this one of several concurrent values, counted from 1',
      integerBetween('--sibling', 1, 10_000),
    ),
    option('--sizes', 'show how many values there are and how large, and none of them: also where they are too large to be read'),
    option('--raw', 'never add a line end'),
    option('--context', 'print the context too, on standard error: put --context replaces exactly what was read'),
    base64Key,
    showReceipt,
  ],
  examples: [
    'get default greeting',
    'get photos cat.jpg > cat.jpg',
    'get carts alice --json',
    'get carts alice -r all --receipt',
  ],
  run: (session, [bucket, key], options) => get(session, bucket, key, options),
});

async function get(session: Session, bucket: string | undefined, key: string | undefined, options: GetOptions): Promise<Outcome> {
  const keyBytes = keyOf(options, key);
  const target = await bucketOf(session, bucket, { codec: rawAs('application/octet-stream') });
  const { r, pr, sibling } = options;
  const quorum = { ...(r === undefined ? {} : { r }), ...(pr === undefined ? {} : { pr }) };
  const notFound = (): Promise<Outcome> => tellNotFound(session, `there is no key ${keyText(keyBytes)} in bucket ${target.name}`);
  if (options.sizes === true) {
    const outline = await target.outline(keyBytes, quorum);
    return outline.siblings.length === 0 ? notFound() : printSizes(session, target.name, keyBytes, outline, options);
  }
  const entry = await target.get(keyBytes, quorum);
  if (entry === undefined) return notFound();
  await tellReceipt(session, options, entry.receipt);
  if (session.voice.json) {
    await session.printJson(document(target.name, keyBytes, entry, sibling));
    return undefined;
  }
  if (options.context === true) await session.note(`context: ${entry.context.toString()}`);
  if (entry.siblings.length === 1 || sibling !== undefined) {
    await printValue(session, chosen(entry, sibling ?? 1).value, options.raw === true);
    return undefined;
  }
  await session.note(siblingsText(session, keyBytes, entry));
  return EXIT.siblings;
}

async function printSizes(
  session: Session,
  bucket: string,
  key: Uint8Array,
  { siblings, context, receipt }: Outline,
  options: GetOptions,
): Promise<Outcome> {
  await tellReceipt(session, options, receipt);
  if (session.voice.json) {
    const sizes = siblings.map(({ sizeBytes, writtenAt }) => ({ sizeBytes, writtenAt: writtenAt.toISOString() }));
    await session.printJson({ bucket, ...bytesField('key', key), siblings: sizes, context: context?.toString(), receipt });
    return undefined;
  }
  if (options.context === true && context !== undefined) await session.note(`context: ${context.toString()}`);
  const rows = siblings.map(({ sizeBytes, writtenAt }, index) => [
    String(index + 1),
    writtenAt.toISOString(),
    sizeText(sizeBytes),
  ]);
  await session.print(tableText(session, ['', 'written', 'size'], rows));
  return undefined;
}

function chosen(entry: Values, index: number): Sibling<Uint8Array> {
  const found = entry.siblings[index - 1];
  if (found !== undefined) return found;
  throw new ArmatureError('invalid-argument', `the key has ${entry.siblings.length} values, there is no number ${index}`, {
    remedy: 'Look at them without --sibling.',
  });
}

async function printValue(session: Session, value: Uint8Array, raw: boolean): Promise<void> {
  const { stdout } = session.io;
  await writeOut(stdout, value);
  if (!raw && stdout.isTTY === true && value.at(-1) !== 0x0a) await writeOut(stdout, '\n');
}

function siblingsText(session: Session, key: Uint8Array, entry: Values): string {
  const rows = entry.siblings.map(({ value, writtenAt }, index) => [
    String(index + 1),
    writtenAt.toISOString(),
    sizeText(value.length),
    preview(value),
  ]);
  return [
    `${keyText(key)} has ${rows.length} concurrent values:`,
    tableText(session, ['', 'written', 'size', 'value'], rows),
    'Print one with --sibling <number>; put the one to keep, and it replaces all of them.',
  ].join('\n');
}

function preview(value: Uint8Array): string {
  const text = exactUtf8Decode(value);
  if (text === undefined || !isPlainLine(text)) return '(not plain text)';
  return text.length > PREVIEW_CHARS ? `${text.slice(0, PREVIEW_CHARS - 1)}…` : text;
}

function document(bucket: string, key: Uint8Array, entry: Values, sibling: number | undefined): unknown {
  const siblings = sibling === undefined ? entry.siblings : [chosen(entry, sibling)];
  return {
    bucket,
    ...bytesField('key', key),
    siblings: siblings.map(({ value, writtenAt, meta }) => ({
      ...bytesField('value', value),
      sizeBytes: value.length,
      writtenAt: writtenAt.toISOString(),
      meta: Object.fromEntries(meta),
    })),
    context: entry.context.toString(),
    receipt: entry.receipt,
  };
}
