/**
 * `armature export`: a bucket into a file of records. The file takes its name only when it is complete, so that what an
 * interruption leaves behind is not mistaken for a backup.
 */
import { createWriteStream, renameSync, rmSync } from 'node:fs';
import { finished } from 'node:stream/promises';
import type { Writable } from 'node:stream';
import type { Sibling } from '@armature/client';
import { ArmatureError } from '@armature/kernel';
import { EXIT } from '@armature/process';
import { define, option, type Outcome } from '../command.js';
import { countText, durationText, keyText, plural, sizeText } from '../format.js';
import { writeOut } from '../io.js';
import { integerBetween } from '../parse.js';
import { CSV_HEADER, formatCsvRecord } from '../records/csv.js';
import { formatRecord } from '../records/jsonl.js';
import type { KeyRecord } from '../records/record.js';
import type { Session } from '../session.js';
import { showProgress } from '../transfer/progress.js';
import { formatOf, formatOption, type Format } from './import.js';
import { bucketOf } from './key-options.js';
import { rawAs } from './put.js';

interface ExportOptions {
  readonly format?: Format;
  readonly limit?: number;
}

/** Records refused by CSV that are named; the others are counted. */
const NAMED_REFUSALS = 10;

export const exportCommand = define<ExportOptions>({
  details:
    'To standard output without a file, or with "-". JSON lines carry everything: bytes, metadata, concurrent values; import\n' +
    'reads them back as they were. CSV has the columns key and value, and no place for types. Records that do not fit\n' +
    '(bytes, metadata, several values) are left out and counted, and the exit code is 1. It is a listing, not a\n' +
    'snapshot: what is written meanwhile may or may not be in it.',
  options: [formatOption(), option('--limit <count>', 'stop after this many', integerBetween('--limit', 1, 1e12))],
  examples: ['export default backup.jsonl', 'export default | gzip > backup.jsonl.gz', 'export people people.csv'],
  run: (session, [bucket, file], options) => exportBucket(session, bucket, file ?? '-', options),
});

async function exportBucket(
  session: Session,
  bucket: string | undefined,
  file: string,
  options: ExportOptions,
): Promise<Outcome> {
  const { clock, catchInterrupt } = session.io;
  const source = await bucketOf(session, bucket, { codec: rawAs('application/octet-stream') });
  const format = formatOf(file, options.format);
  const target = openTarget(session, file);
  const interrupted = catchInterrupt();
  const progress = showProgress(session, 'export', undefined);
  const startedMs = clock.monotonicMs();
  let records = 0;
  let sizeBytes = 0;
  const refused: string[] = [];
  let refusals = 0;
  try {
    if (format === 'csv') await target.write(CSV_HEADER);
    for await (const { key, siblings } of source.listing()) {
      if (interrupted.aborted) break;
      const line = lineOf(format, { key, values: siblings.map(toValue) });
      if (typeof line !== 'string') {
        if (++refusals <= NAMED_REFUSALS) refused.push(`${keyText(key)}: ${line.problem}`);
        continue;
      }
      sizeBytes += Buffer.byteLength(line);
      await target.write(line);
      progress.update(++records, sizeBytes);
      if (records === options.limit) break;
    }
    progress.stop();
    if (interrupted.aborted) await target.abandon();
    else await target.complete();
  } catch (thrown) {
    progress.stop();
    await target.abandon();
    throw thrown;
  }
  const tookMs = clock.monotonicMs() - startedMs;
  if (session.voice.json && file !== '-') {
    await session.printJson({
      bucket: source.name,
      file,
      format,
      records,
      refused: refusals,
      sizeBytes,
      tookMs: Math.round(tookMs),
    });
  }
  if (interrupted.aborted) {
    await session.note(file === '-' ? 'interrupted' : `interrupted; ${file} was not written`);
    return EXIT.interrupted;
  }
  const rate = countText(Math.round(records / Math.max(0.001, tookMs / 1_000)));
  await session.note(`${plural(records, 'record')} (${sizeText(sizeBytes)}) in ${durationText(tookMs)}, ${rate}/s`);
  if (refusals === 0) return undefined;
  await session.note(
    [
      `${plural(refusals, 'record does', 'records do')} not fit into CSV and ${refusals === 1 ? 'is' : 'are'} left out; --format jsonl takes all:`,
      ...refused.map((one) => `  ${one}`),
      ...(refusals > NAMED_REFUSALS ? [`  and ${countText(refusals - NAMED_REFUSALS)} more`] : []),
    ].join('\n'),
  );
  return EXIT.failure;
}

function toValue({ value, meta }: Sibling<Uint8Array>): KeyRecord['values'][number] {
  return { bytes: value, meta: Object.fromEntries(meta) };
}

/** With its line end. */
function lineOf(format: Format, record: KeyRecord): string | { readonly problem: string } {
  if (format === 'jsonl') return `${formatRecord(record)}\n`;
  const formatted = formatCsvRecord(record);
  return 'line' in formatted ? formatted.line : formatted;
}

interface Target {
  write(text: string): Promise<void>;
  complete(): Promise<void>;
  abandon(): Promise<void>;
}

function openTarget(session: Session, file: string): Target {
  if (file === '-') {
    const nothing = (): Promise<void> => Promise.resolve();
    return { write: (text) => writeOut(session.io.stdout, text), complete: nothing, abandon: nothing };
  }
  const draft = `${file}.partial`;
  const stream: Writable = createWriteStream(draft).on('error', () => undefined); // each write reports it
  return {
    write: (text) =>
      writeOut(stream, text).catch((thrown: unknown) => {
        throw cannotWrite(file, thrown);
      }),
    async complete() {
      stream.end();
      await finished(stream).catch((thrown: unknown) => {
        throw cannotWrite(file, thrown);
      });
      renameSync(draft, file);
    },
    abandon() {
      stream.destroy();
      rmSync(draft, { force: true });
      return Promise.resolve();
    },
  };
}

function cannotWrite(file: string, thrown: unknown): ArmatureError {
  return new ArmatureError('invalid-argument', `cannot write ${file}: ${(thrown as Error).message}`, {
    remedy: 'Choose another place, or make room.',
    cause: thrown,
  });
}
