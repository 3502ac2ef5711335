/**
 * Records as CSV with a header line. Import takes the key from one column and the value from another, or, without one, makes
 * a JSON object of all others. Export writes the columns `key` and `value`, text only: CSV has no way to say "bytes" or
 * "these two are concurrent", and no place for metadata, so records that need one are refused by name rather than bent.
 *
 * The parser decodes as UTF-8 and puts U+FFFD in the place of what is none. In a file where that has happened, a record with that
 * character in it is refused: it is not what the file says, and different keys would become one.
 */
import { Readable } from 'node:stream';
import { ArmatureError, clipped, exactUtf8Decode, quoted, REPLACEMENT, utf8Encode } from '@armature/kernel';
import { parse, type CsvError, type Info } from 'csv-parse';
import { stringify } from 'csv-stringify/sync';
import { JSON_TYPE, TEXT_TYPE, type ReadRecord, type KeyRecord } from './record.js';

export interface CsvColumns {
  readonly key: string;
  /** Undefined: all other columns, as a JSON object. */
  readonly value: string | undefined;
}

type Row = Readonly<Record<string, string>>;

/** Throws `invalid-argument` when the header lacks a column. */
export async function* readCsv(chunks: AsyncIterable<Uint8Array | string>, columns: CsvColumns): AsyncGenerator<ReadRecord> {
  const skipped: CsvError[] = [];
  const checked = new Utf8Watch(chunks);
  let offsetBytes = 0;
  const parser = parse({
    bom: true,
    columns: (header: string[]) => checkedHeader(header, columns, checked),
    info: true,
    raw: true,
    skip_empty_lines: true,
    skip_records_with_error: true,
  });
  parser.on('skip', (error: CsvError) => skipped.push(error));
  const input = Readable.from(checked.chunks());
  input.on('error', (error) => parser.destroy(error));
  input.pipe(parser);
  const failuresSoFar = function* (): Generator<ReadRecord> {
    for (let error = skipped.shift(); error !== undefined; error = skipped.shift()) yield failureOf(error, offsetBytes);
  };
  for await (const item of parser as AsyncIterable<{ record: Row; info: Info; raw: string }>) {
    offsetBytes = item.info.bytes;
    yield* failuresSoFar();
    const read = readRow(item, columns, checked);
    yield { line: item.info.lines, offsetBytes, ...read, source: utf8Encode(item.raw.trimEnd()) };
  }
  yield* failuresSoFar();
}

export const CSV_HEADER = csvLine(['key', 'value']);

/** A line with its end, or why the record does not fit into CSV. */
export function formatCsvRecord({ key, values }: KeyRecord): { readonly line: string } | { readonly problem: string } {
  const [only] = values;
  const keyText = exactUtf8Decode(key);
  if (keyText === undefined) return { problem: 'its key is not text' };
  if (values.length !== 1 || only === undefined) return { problem: `it has ${values.length} concurrent values` };
  if (Object.keys(only.meta).some((name) => name !== 'content-type')) return { problem: 'it has metadata' };
  const text = exactUtf8Decode(only.bytes);
  return text === undefined ? { problem: 'its value is not text' } : { line: csvLine([keyText, text]) };
}

function csvLine(cells: readonly string[]): string {
  return stringify([[...cells]]);
}

/** Passes chunks through, and knows whether what has passed so far is UTF-8. */
class Utf8Watch {
  readonly #input: AsyncIterable<Uint8Array | string>;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });
  isBroken = false;

  constructor(input: AsyncIterable<Uint8Array | string>) {
    this.#input = input;
  }

  async *chunks(): AsyncGenerator<Uint8Array | string> {
    for await (const chunk of this.#input) {
      if (typeof chunk !== 'string' && !this.isBroken) this.#look(chunk);
      yield chunk;
    }
  }

  #look(chunk: Uint8Array): void {
    try {
      this.#decoder.decode(chunk, { stream: true });
    } catch {
      this.isBroken = true;
    }
  }
}

function readRow(
  { record, raw }: { readonly record: Row; readonly raw: string },
  columns: CsvColumns,
  checked: Utf8Watch,
): Pick<ReadRecord, 'record' | 'problem'> {
  if (checked.isBroken && raw.includes(REPLACEMENT)) return { record: undefined, problem: 'it is not UTF-8: convert the file' };
  const read = recordOf(record, columns);
  return { record: read, problem: read === undefined ? `the column "${columns.key}" is empty` : undefined };
}

function checkedHeader(header: string[], columns: CsvColumns, checked: Utf8Watch): string[] {
  if (checked.isBroken && header.some((name) => name.includes(REPLACEMENT))) {
    throw new ArmatureError('invalid-argument', 'the header of the file is not UTF-8', {
      remedy: 'Convert the file: iconv -f latin1 -t utf8 <file>',
    });
  }
  const names = header.map((name) => name.trim());
  const double = names.find((name, i) => names.indexOf(name) < i);
  if (double !== undefined) {
    throw new ArmatureError('invalid-argument', `the header of the file has the column ${quoted(double)} twice`, {
      remedy: 'Give each column a name of its own.',
    });
  }
  for (const wanted of [columns.key, ...(columns.value === undefined ? [] : [columns.value])]) {
    if (names.includes(wanted)) continue;
    throw new ArmatureError('invalid-argument', `the file has no column ${quoted(wanted)}`, {
      remedy: `Give --key-column (and --value-column), from: ${clipped(names.join(', '))}.`,
    });
  }
  return names;
}

function recordOf(row: Row, columns: CsvColumns): KeyRecord | undefined {
  const key = row[columns.key] ?? '';
  if (key === '') return undefined;
  if (columns.value !== undefined) {
    return {
      key: utf8Encode(key),
      values: [{ bytes: utf8Encode(row[columns.value] ?? ''), meta: { 'content-type': TEXT_TYPE } }],
    };
  }
  const others = Object.fromEntries(Object.entries(row).filter(([column]) => column !== columns.key));
  return { key: utf8Encode(key), values: [{ bytes: utf8Encode(JSON.stringify(others)), meta: { 'content-type': JSON_TYPE } }] };
}

function failureOf(error: CsvError, offsetBytes: number): ReadRecord {
  const line = typeof error['lines'] === 'number' ? error['lines'] : 0;
  return {
    line,
    offsetBytes,
    record: undefined,
    problem: error.message,
    source: utf8Encode(typeof error['raw'] === 'string' ? error['raw'] : ''),
  };
}
