/**
 * `armature import`: a file of records into a bucket, many at a time, with progress, retries, and an exact account at the end.
 */
import { createReadStream, statSync } from 'node:fs';
import { ArmatureError, clipped, quoted, toArmatureError, toBinaryString } from '@armature/kernel';
import { EXIT } from '@armature/process';
import { systemRandom } from '@armature/runtime';
import { define, option, type Outcome } from '../command.js';
import { countText, durationText, plural, sizeText } from '../format.js';
import { integerBetween, invalid } from '../parse.js';
import { readCsv } from '../records/csv.js';
import { readJsonLines } from '../records/jsonl.js';
import type { ReadRecord } from '../records/record.js';
import type { Session } from '../session.js';
import { eachConcurrently } from '../transfer/each-concurrently.js';
import { FailuresFile } from '../transfer/failures-file.js';
import { ImportAccount } from '../transfer/import-account.js';
import { showProgress } from '../transfer/progress.js';
import { RecordWriter } from '../transfer/write-record.js';

export type Format = 'jsonl' | 'csv';

interface ImportOptions {
  readonly format?: Format;
  readonly keyColumn?: string;
  readonly valueColumn?: string;
  readonly concurrency: number;
  readonly retries: number;
  readonly blind?: boolean;
  readonly failures?: string;
  readonly maxFailures: number;
}

export const importCommand = define<ImportOptions>({
  details:
    'JSON lines, {"key": "...", "value": ...} each: a text value is stored as text, any other as JSON; keyBase64,\n' +
    'valueBase64, meta and values (several, concurrent) as export writes them. Or CSV with a header. The file is UTF-8; a\n' +
    'record that is not is a failure, as keys in another encoding would become one.\n\n' +
    'Each key is read first and replaced, so importing twice changes nothing. --blind saves that read for a first load;\n' +
    'keys that do exist then get siblings. Records that cannot be written are listed, with the reason, in a file that\n' +
    'can be imported in turn; the exit code is then 1. The import gives up after --max-failures, or when the cluster has\n' +
    'taken none of as many records in a row as are in hand at a time. Ctrl-C stops after what is in hand.',
  options: [
    formatOption(),
    option('--key-column <name>', 'CSV: where the key is'),
    option('--value-column <name>', 'CSV: where the value is (default: a JSON object of all other columns)'),
    option('--concurrency <count>', 'records in hand at a time', integerBetween('--concurrency', 1, 4_096)).default(64),
    option('--retries <count>', 'repetitions of a step that failed for now', integerBetween('--retries', 0, 100)).default(6),
    option('--blind', 'write without reading first'),
    option('--failures <file>', 'where to list failures (default: <file>.failures.jsonl)'),
    option('--max-failures <count>', 'give up after this many', integerBetween('--max-failures', 1, 1e12)).default(1_000),
  ],
  examples: [
    'import default records.jsonl',
    'import default records.jsonl --blind --concurrency 256',
    'import people people.csv --key-column id',
    'armature export default | armature import copy -',
  ],
  run: (session, [bucket, file], options) => importFile(session, bucket ?? '', file ?? '-', options),
});

export function formatOption() {
  return option('--format <format>', 'jsonl or csv (default: by the name of the file, else jsonl)', (text): Format => {
    if (text === 'jsonl' || text === 'csv') return text;
    throw invalid(`${quoted(text)} is not a format`, 'Use jsonl or csv.');
  });
}

export function formatOf(file: string, given: Format | undefined): Format {
  return given ?? (file.toLowerCase().endsWith('.csv') ? 'csv' : 'jsonl');
}

async function importFile(session: Session, bucket: string, file: string, options: ImportOptions): Promise<Outcome> {
  const { clock, catchInterrupt } = session.io;
  const source = openSource(session, file);
  const records = readRecords(source.chunks, formatOf(file, options.format), options);
  const client = await session.client();
  const random = systemRandom();
  const writer = new RecordWriter(
    { client, clock, random },
    { bucket, timeoutMs: session.timeoutMs, blind: options.blind === true, retries: options.retries },
  );
  await refuseUnknownBucket(session, bucket);

  const failures = new FailuresFile(options.failures ?? (file === '-' ? 'import.failures.jsonl' : `${file}.failures.jsonl`));
  const interrupted = catchInterrupt();
  const progress = showProgress(session, 'import', source.sizeBytes);
  const startedMs = clock.monotonicMs();
  const account = new ImportAccount({ maxFailures: options.maxFailures, maxRefusedInARow: options.concurrency });
  const work = async (read: ReadRecord): Promise<void> => {
    try {
      if (read.record === undefined) throw invalid(read.problem ?? 'it cannot be read', '');
      await writer.write(read.record);
      account.wrote(read);
    } catch (thrown) {
      const error = toArmatureError(thrown);
      account.failedAt(read, error.retryable);
      await failures.add(read, { code: error.code, message: error.message });
    }
    progress.update(account.written + account.failed, account.offsetBytes);
  };
  let gaveUp: string | undefined;
  let broken: ArmatureError | undefined;
  try {
    await eachConcurrently(records, {
      concurrency: options.concurrency,
      keyOf: (read) => (read.record === undefined ? `line ${read.line}` : toBinaryString(read.record.key)),
      work,
      shouldStop: () => interrupted.aborted || (gaveUp = account.hopeless()) !== undefined,
    });
  } catch (thrown) {
    broken = toArmatureError(thrown); // the input's fault; told after the account of what was done
  } finally {
    progress.stop();
    await failures.close();
  }
  // An input that is wrong from its first line on needs no account.
  if (broken !== undefined && account.written === 0 && account.failed === 0) throw broken;
  const ending = { tookMs: clock.monotonicMs() - startedMs, repeated: writer.repeated, interrupted: interrupted.aborted, gaveUp };
  await tellAccount(session, bucket, account, failures, ending);
  if (broken !== undefined) throw broken;
  if (interrupted.aborted) return EXIT.interrupted;
  return account.failed > 0 ? EXIT.failure : undefined;
}

interface Ending {
  readonly tookMs: number;
  readonly repeated: number;
  readonly interrupted: boolean;
  readonly gaveUp: string | undefined;
}

async function tellAccount(
  session: Session,
  bucket: string,
  account: ImportAccount,
  failures: FailuresFile,
  ending: Ending,
): Promise<void> {
  const { written, failed, valueBytes } = account;
  const { tookMs, repeated, interrupted, gaveUp } = ending;
  if (session.voice.json) {
    await session.printJson({
      bucket,
      written,
      failed,
      repeated,
      valueBytes,
      tookMs: Math.round(tookMs),
      ...(failed > 0 ? { failuresFile: failures.path } : {}),
      interrupted,
      gaveUp: gaveUp !== undefined,
    });
    return;
  }
  const rate = countText(Math.round(written / Math.max(0.001, tookMs / 1_000)));
  const again = repeated > 0 ? `; ${plural(repeated, 'step')} had to be repeated` : '';
  const lines = [
    `${plural(written, 'record')} (${sizeText(valueBytes)}) written to ${bucket} in ${durationText(tookMs)}, ${rate}/s${again}`,
  ];
  if (failed > 0) {
    const { broken, path } = failures;
    lines.push(
      `${plural(failed, 'record')} failed; ${broken === undefined ? `listed in ${path}` : `the list could not be written: ${broken.message}`}`,
    );
  }
  if (gaveUp !== undefined) lines.push(`Gave up: ${gaveUp}. The rest of the file was not read.`);
  if (interrupted) lines.push('Interrupted; the rest of the file was not read. Importing it again does no harm.');
  await session.print(lines.join('\n'));
}

function openSource(
  session: Session,
  file: string,
): { chunks: AsyncIterable<Uint8Array | string>; sizeBytes: number | undefined } {
  if (file === '-') return { chunks: session.io.stdin, sizeBytes: undefined };
  try {
    const stat = statSync(file);
    if (stat.isDirectory()) throw new Error('it is a directory');
    return { chunks: createReadStream(file, { highWaterMark: 1024 * 1024 }), sizeBytes: stat.isFile() ? stat.size : undefined };
  } catch (thrown) {
    throw new ArmatureError('invalid-argument', `cannot read ${file}: ${(thrown as Error).message}`, {
      remedy: 'Correct the name of the file; "-" is standard input.',
      cause: thrown,
    });
  }
}

function readRecords(
  chunks: AsyncIterable<Uint8Array | string>,
  format: Format,
  { keyColumn, valueColumn }: ImportOptions,
): AsyncIterable<ReadRecord> {
  if (format === 'csv') {
    if (keyColumn === undefined) throw invalid('a CSV file needs to know where its keys are', 'Give --key-column <name>.');
    return readCsv(chunks, { key: keyColumn, value: valueColumn });
  }
  if (keyColumn !== undefined || valueColumn !== undefined) {
    throw invalid('--key-column and --value-column are for CSV', 'Add --format csv, or leave them out.');
  }
  return readJsonLines(chunks);
}

/** Better said once than once per record. */
async function refuseUnknownBucket(session: Session, bucket: string): Promise<void> {
  const { admin } = await session.client();
  if (!admin.hasCredentials) return; // each record will say so
  const known = await admin.buckets();
  if ([...known.keys()].some((name) => name === bucket)) return;
  throw new ArmatureError('unknown-bucket', `there is no bucket ${quoted(bucket)} in this cluster`, {
    remedy: `Create it: armature bucket create ${clipped(bucket)}. There are: ${clipped([...known.keys()].join(', '))}.`,
  });
}
