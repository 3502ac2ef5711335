/**
 * Records as CSV with a header line. Import takes the key from one column and the value from another, or, without one, makes
 * a JSON object of all others. Export writes the columns `key` and `value`, text only: CSV has no way to say "bytes" or
 * "these two are concurrent", so records that need one are refused by name rather than bent.
 */
import { Readable } from 'node:stream';
import { ArmatureError, utf8Encode } from '@armature/kernel';
import { parse, type CsvError, type Info } from 'csv-parse';
import { stringify } from 'csv-stringify/sync';
import { textOf } from '../format.js';
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
  let offsetBytes = 0;
  const parser = parse({
    bom: true,
    columns: (header: string[]) => checkedHeader(header, columns),
    info: true,
    raw: true,
    skip_empty_lines: true,
    skip_records_with_error: true,
  });
  parser.on('skip', (error: CsvError) => skipped.push(error));
  const input = Readable.from(chunks);
  input.on('error', (error) => parser.destroy(error));
  input.pipe(parser);
  const failuresSoFar = function* (): Generator<ReadRecord> {
    for (let error = skipped.shift(); error !== undefined; error = skipped.shift()) yield failureOf(error, offsetBytes);
  };
  for await (const item of parser as AsyncIterable<{ record: Row; info: Info; raw: string }>) {
    offsetBytes = item.info.bytes;
    yield* failuresSoFar();
    const record = recordOf(item.record, columns);
    const problem = record === undefined ? `the column "${columns.key}" is empty` : undefined;
    yield { line: item.info.lines, offsetBytes, record, problem, source: item.raw.trimEnd() };
  }
  yield* failuresSoFar();
}

export const CSV_HEADER = csvLine(['key', 'value']);

/** A line with its end, or why the record does not fit into CSV. */
export function formatCsvRecord({ key, values }: KeyRecord): { readonly line: string } | { readonly problem: string } {
  const [only] = values;
  const keyText = textOf(key);
  if (keyText === undefined) return { problem: 'its key is not text' };
  if (values.length !== 1 || only === undefined) return { problem: `it has ${values.length} concurrent values` };
  const text = textOf(only.bytes);
  return text === undefined ? { problem: 'its value is not text' } : { line: csvLine([keyText, text]) };
}

function csvLine(cells: readonly string[]): string {
  return stringify([[...cells]]);
}

function checkedHeader(header: string[], columns: CsvColumns): string[] {
  const names = header.map((name) => name.trim());
  for (const wanted of [columns.key, ...(columns.value === undefined ? [] : [columns.value])]) {
    if (names.includes(wanted)) continue;
    throw new ArmatureError('invalid-argument', `the file has no column ${JSON.stringify(wanted)}`, {
      remedy: `Give --key-column (and --value-column), from: ${names.join(', ')}.`,
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
    source: typeof error['raw'] === 'string' ? error['raw'] : '',
  };
}
