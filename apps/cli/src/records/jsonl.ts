/**
 * Records as JSON, one object per line. What export writes, import reads back as it was.
 *
 *   {"key": "a", "value": "text"}                                     text
 *   {"key": "a", "value": {"any": ["json"]}}                          stored as that JSON's text
 *   {"keyBase64": "...", "valueBase64": "..."}                        any bytes
 *   {"key": "a", "value": "text", "meta": {"content-type": "..."}}    with metadata
 *   {"key": "a", "values": [{"value": "x"}, {"value": "y"}]}          concurrent values
 *
 * Keys, values and metadata arrive as they are, or the line is refused: one that is no UTF-8, or whose text has no UTF-8 (half a
 * surrogate pair, which JSON can escape), would otherwise be stored as another text, and different keys as one.
 *
 * Other fields are passed over, so that a list of failures can be imported again.
 */
import { clipped, exactUtf8Decode, exactUtf8Encode, fromBase64, toBase64Url } from '@armature/kernel';
import { linesOf } from './lines.js';
import { BINARY_TYPE, JSON_TYPE, TEXT_TYPE, type ReadRecord, type KeyRecord, type RecordValue } from './record.js';

const NOT_UTF8 = 'it is not UTF-8: convert the file, or write what is no text as keyBase64 and valueBase64';

const STRING_OR_NUMBER = /"(?:[^"\\]+|\\.)*"|-?\d[\d.eE+-]*/g;
const WHOLE_NUMBER = /^-?\d+$/;
/** Values are looked through, and written again, by functions that call themselves. */
const MAX_DEPTH = 1_000;

type Json = Readonly<Record<string, unknown>>;

/** A record of one line. Throws an `Error` in words for whoever wrote the line. */
export function parseRecord(text: string): KeyRecord {
  const line = objectOf(parseJson(text), 'the line');
  const changed = changedNumber(line, text);
  if (changed !== undefined) throw new Error(`the number ${clipped(changed)} cannot be kept exactly; write that value as text`);
  const key = bytesOf(line, 'key', 'the line');
  if (key === undefined) throw new Error('it has neither "key" nor "keyBase64"');
  if (line['values'] === undefined) return { key: key.bytes, values: [valueOf(line, 'the line')] };
  if (line['value'] !== undefined || line['valueBase64'] !== undefined)
    throw new Error('it has both "values" and a value of its own');
  if (!Array.isArray(line['values']) || line['values'].length === 0) throw new Error('"values" is not a list of at least one');
  return { key: key.bytes, values: line['values'].map((one, i) => valueOf(objectOf(one, `values[${i}]`), `values[${i}]`)) };
}

/** One line, without a line end. */
export function formatRecord({ key, values }: KeyRecord): string {
  const [only] = values;
  const shown = values.length === 1 && only !== undefined ? fieldsOf(only) : { values: values.map(fieldsOf) };
  const text = exactUtf8Decode(key);
  return JSON.stringify({ ...(text === undefined ? { keyBase64: toBase64Url(key) } : { key: text }), ...shown });
}

/** Blank lines are nothing. */
export async function* readJsonLines(chunks: AsyncIterable<Uint8Array | string>): AsyncGenerator<ReadRecord> {
  let number = 0;
  for await (const { bytes: source, offsetBytes } of linesOf(chunks)) {
    number++;
    const text = exactUtf8Decode(source);
    if (text?.trim() === '') continue;
    try {
      if (text === undefined) throw new Error(NOT_UTF8);
      const record = parseRecord(number === 1 ? text.replace(/^\uFEFF/, '') : text);
      yield { line: number, offsetBytes, record, problem: undefined, source };
    } catch (thrown) {
      yield { line: number, offsetBytes, record: undefined, problem: (thrown as Error).message, source };
    }
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    throw new Error(`it is not JSON: ${(thrown as Error).message}`, { cause: thrown });
  }
}

function objectOf(value: unknown, where: string): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json;
  throw new Error(`${where} is not a JSON object`);
}

function valueOf(holder: Json, where: string): RecordValue {
  const value = bytesOf(holder, 'value', where);
  if (value === undefined) throw new Error(`${where} has neither "value" nor "valueBase64"`);
  return { bytes: value.bytes, meta: { 'content-type': value.type, ...metaOf(holder['meta'], where) } };
}

/** `name` as text or JSON, or `nameBase64` as bytes. Numbers are fine as values, but ambiguous as keys. */
function bytesOf(holder: Json, name: 'key' | 'value', where: string): { bytes: Uint8Array; type: string } | undefined {
  const encoded = holder[`${name}Base64`];
  if (encoded !== undefined && holder[name] !== undefined) throw new Error(`${where} has both "${name}" and "${name}Base64"`);
  if (encoded !== undefined) {
    const bytes = typeof encoded === 'string' ? fromBase64(encoded) : undefined;
    if (bytes === undefined) throw new Error(`${where}: "${name}Base64" is not base64`);
    return { bytes, type: BINARY_TYPE };
  }
  const plain = holder[name];
  if (plain === undefined) return undefined;
  if (typeof plain === 'string')
    return { bytes: encodeText(plain, `${where}: "${name}"`, `write it as "${name}Base64"`), type: TEXT_TYPE };
  if (name === 'key') throw new Error('"key" is not text; write numbers in quotes');
  return { bytes: encodeText(JSON.stringify(plain), `${where}: "${name}"`, 'correct it'), type: JSON_TYPE };
}

/**
 * A number that parsing has changed: whole ones beyond 2^53 are rounded, and what is beyond all becomes infinite. Undefined where
 * there is none.
 */
function changedNumber(line: Json, text: string): string | undefined {
  if (!hasLargeNumber(line)) return undefined;
  for (const [token] of text.matchAll(STRING_OR_NUMBER)) {
    if (token.startsWith('"')) continue;
    const value = Number(token);
    if (!Number.isFinite(value) || (WHOLE_NUMBER.test(token) && BigInt(token) !== BigInt(value))) return token;
  }
  return undefined;
}

function hasLargeNumber(value: unknown, depth = 0): boolean {
  if (typeof value === 'number') return Math.abs(value) > Number.MAX_SAFE_INTEGER;
  if (typeof value !== 'object' || value === null) return false;
  if (depth > MAX_DEPTH) throw new Error(`it is nested more than ${MAX_DEPTH} levels deep; write that value as text`);
  return Object.values(value).some((one) => hasLargeNumber(one, depth + 1));
}

function encodeText(text: string, what: string, remedy: string): Uint8Array {
  const bytes = exactUtf8Encode(text);
  if (bytes === undefined) throw new Error(`${what} holds half a surrogate pair, which UTF-8 cannot express; ${remedy}`);
  return bytes;
}

function metaOf(input: unknown, where: string): Readonly<Record<string, string>> {
  if (input === undefined) return {};
  const meta = objectOf(input, `${where}: "meta"`);
  for (const [name, value] of Object.entries(meta)) {
    if (typeof value !== 'string') throw new Error(`${where}: "meta" has a value that is not text`);
    encodeText(name + value, `${where}: "meta"`, 'correct it');
  }
  return meta as Readonly<Record<string, string>>;
}

function fieldsOf({ bytes, meta }: RecordValue): Json {
  const text = exactUtf8Decode(bytes);
  const type = text === undefined ? BINARY_TYPE : TEXT_TYPE;
  const { 'content-type': contentType, ...rest } = meta;
  // The type that import would assume need not be said.
  const said = contentType === undefined || contentType === type ? rest : { 'content-type': contentType, ...rest };
  return {
    ...(text === undefined ? { valueBase64: toBase64Url(bytes) } : { value: text }),
    ...(Object.keys(said).length === 0 ? {} : { meta: said }),
  };
}
