import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { utf8Decode, utf8Encode } from '@armature/kernel';
import { formatCsvRecord, readCsv, CSV_HEADER } from './csv.js';
import { formatRecord, parseRecord, readJsonLines } from './jsonl.js';
import { linesOf } from './lines.js';
import type { KeyRecord, ReadRecord } from './record.js';

async function* chunksOf(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  let start = 0;
  for (const cut of [...cuts, bytes.length].map((at) => at % (bytes.length + 1)).sort((a, b) => a - b)) {
    yield bytes.subarray(start, Math.max(start, cut));
    start = Math.max(start, cut);
  }
  yield bytes.subarray(start);
}

const one = (text: string) => chunksOf(utf8Encode(text), []);

/** The same whether bytes are in a Buffer or not. */
function plainBytes({ key, values }: KeyRecord): unknown {
  return { key: [...key], values: values.map(({ bytes, meta }) => ({ bytes: [...bytes], meta })) };
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

const anyBytes = fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.string().map(utf8Encode));
const record: fc.Arbitrary<KeyRecord> = fc.record({
  key: anyBytes,
  values: fc.array(
    fc.record({
      bytes: anyBytes,
      meta: fc
        .dictionary(fc.stringMatching(/^[a-z-]{1,8}$/), fc.string({ maxLength: 10 }), { maxKeys: 3 })
        .map((meta): Record<string, string> => ({ 'content-type': 'text/plain', ...meta })),
    }),
    { minLength: 1, maxLength: 3 },
  ),
});

describe('lines', () => {
  test('however the bytes are cut into chunks, the lines and their places are the same', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string().map((text) => text.replaceAll(/[\r\n]/g, ' '))),
        fc.array(fc.nat(500)),
        async (texts, cuts) => {
          const input = utf8Encode(texts.map((text) => `${text}\n`).join(''));
          const lines = await all(linesOf(chunksOf(input, cuts)));
          expect(lines.map(({ bytes }) => utf8Decode(bytes))).toEqual(texts);
          let offset = 0;
          expect(lines.map(({ offsetBytes }) => offsetBytes)).toEqual(
            texts.map((text) => (offset += Buffer.byteLength(text) + 1)),
          );
        },
      ),
    );
  });

  test('the last line needs no end, and CRLF is one', async () => {
    expect((await all(linesOf(one('a\r\n\nb')))).map(({ bytes }) => utf8Decode(bytes))).toEqual(['a', '', 'b']);
  });

  test('a line without end is refused before it fills the memory', async () => {
    await expect(all(linesOf(one('x'.repeat(101)), 100))).rejects.toMatchObject({ code: 'invalid-argument' });
  });
});

describe('JSON lines', () => {
  test('what export writes, import reads as it was', () => {
    fc.assert(
      fc.property(record, (original) => {
        expect(plainBytes(parseRecord(formatRecord(original)))).toEqual(plainBytes(original));
      }),
    );
  });

  test('a value that is no text is stored as its JSON', () => {
    const { values } = parseRecord('{"key": "k", "value": {"a": [1, null]}}');
    expect(values).toEqual([{ bytes: utf8Encode('{"a":[1,null]}'), meta: { 'content-type': 'application/json' } }]);
    expect(parseRecord('{"key": "k", "value": null}').values[0]?.bytes).toEqual(utf8Encode('null'));
  });

  test('fields that are not ours are passed over, so a list of failures can be imported', () => {
    expect(parseRecord('{"key":"k","value":"v","line":3,"error":{"code":"timeout"}}').values).toHaveLength(1);
  });

  test('what is wrong is said of the line it is wrong in, and the rest is read', async () => {
    const input =
      '\uFEFF{"key":"a","value":"x"}\nnope\n\n{"key":5,"value":1}\n{"key":"b"}\n{"keyBase64":"*","value":1}\n{"key":"c","values":[]}\n[]\n';
    const read = await all(readJsonLines(one(input)));
    expect(read.map(({ line, problem }) => [line, problem?.slice(0, 34)])).toEqual([
      [1, undefined],
      [2, "it is not JSON: Unexpected token '"],
      [4, '"key" is not text; write numbers i'],
      [5, 'the line has neither "value" nor "'],
      [6, 'the line: "keyBase64" is not base6'],
      [7, '"values" is not a list of at least'],
      [8, 'the line is not a JSON object'],
    ]);
    expect(utf8Decode(read[1]?.source ?? utf8Encode(''))).toBe('nope');
  });

  test('a line that is no UTF-8, in whatever part, is a problem, and its bytes are kept', async () => {
    const lines = [
      '{"key":"x\xe9","value":"1"}',
      '{"key":"x\xe8","value":"1"}',
      '{"key":"y","value":"gr\xfc"}',
      '{"key":"z","value":1}',
    ];
    const read = await all(readJsonLines(chunksOf(Buffer.from(lines.join('\n'), 'latin1'), [5, 30])));
    expect(read.map(({ problem }) => problem?.slice(0, 15))).toEqual([...Array<string>(3).fill('it is not UTF-8'), undefined]);
    expect(Buffer.from(read[0]!.source).toString('latin1')).toBe(lines[0]);
  });

  test('what UTF-8 cannot express is refused: in keys, values and metadata', () => {
    for (const line of [
      '{"key":"\\ud800","value":"x"}',
      '{"key":"k","value":"\\udc00"}',
      '{"key":"k","value":"x","meta":{"\\ud800":"y"}}',
      '{"key":"k","value":"x","meta":{"a":"\\ud800"}}',
    ])
      expect(() => parseRecord(line), line).toThrow('half a surrogate pair');
    // As JSON it has a form in UTF-8: the escape.
    expect(utf8Decode(parseRecord('{"key":"k","value":["\\ud800"]}').values[0]!.bytes)).toBe('["\\ud800"]');
    expect(parseRecord('{"key":"\ufffd","value":"x"}').key).toEqual(utf8Encode('\ufffd'));
  });

  test('a number that would be stored as another is refused; as text it is any', () => {
    for (const number of ['9007199254740993', '-12345678901234567890', '1e400'])
      expect(() => parseRecord(`{"key":"k","value":{"a":[${number}]}}`), number).toThrow('cannot be kept exactly');
    expect(utf8Decode(parseRecord('{"key":"k","value":[1.5,-3,9007199254740991,6.022e23]}').values[0]!.bytes)).toBe(
      '[1.5,-3,9007199254740991,6.022e+23]',
    );
    expect(utf8Decode(parseRecord('{"key":"k","value":"[1e400]"}').values[0]!.bytes)).toBe('[1e400]');
  });

  test('a key or value that is said twice is refused', () => {
    for (const line of [
      '{"key":"a","keyBase64":"YQ","value":"x"}',
      '{"key":"a","value":"x","valueBase64":"eA"}',
      '{"key":"a","value":"x","values":[{"value":"y"}]}',
    ])
      expect(() => parseRecord(line), line).toThrow('both');
  });

  test('any line is a record or a problem, never a crash', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.json(), fc.string()), async (text) => {
        for (const read of await all(readJsonLines(one(text))))
          expect((read.record === undefined) !== (read.problem === undefined)).toBe(true);
      }),
    );
  });
});

test('a value that is nested so deeply that no function could walk it is refused in words', () => {
  const nested = (levels: number): string => `{"key":"a","value":${'['.repeat(levels)}${']'.repeat(levels)}}`;
  expect(parseRecord(nested(900)).values).toHaveLength(1);
  expect(() => parseRecord(nested(100_000))).toThrow('it is nested more than 1000 levels deep; write that value as text');
});

describe('CSV', () => {
  const texts = (reads: readonly ReadRecord[]) =>
    reads.map(({ record: found, problem }) =>
      found === undefined ? problem : [Buffer.from(found.key).toString(), Buffer.from(found.values[0]?.bytes ?? []).toString()],
    );

  test('key from one column; value from another, or a JSON object of all others', async () => {
    const input = 'id,name,city\n1,Ann,Oslo\n2,"Bo, jr","Rome\nItaly"\n';
    expect(texts(await all(readCsv(one(input), { key: 'id', value: 'name' })))).toEqual([
      ['1', 'Ann'],
      ['2', 'Bo, jr'],
    ]);
    expect(texts(await all(readCsv(one(input), { key: 'id', value: undefined })))).toEqual([
      ['1', '{"name":"Ann","city":"Oslo"}'],
      ['2', '{"name":"Bo, jr","city":"Rome\\nItaly"}'],
    ]);
  });

  test('a record of the wrong length or without a key is a problem, and the rest is read', async () => {
    const read = await all(readCsv(one('id,name\n1\n,x\n3,Cy\n4\n'), { key: 'id', value: 'name' }));
    expect(
      read
        .filter(({ problem }) => problem !== undefined)
        .map(({ line }) => line)
        .sort(),
    ).toEqual([2, 3, 5]);
    expect(texts(read.filter(({ problem }) => problem === undefined))).toEqual([['3', 'Cy']]);
  });

  test('records that are not UTF-8 are problems, the rest is read; a header that is not is refused', async () => {
    const latin1 = Buffer.from('id,name\nx\xe9,1\nx\xe8,2\ny,gr\xfc\nz,3\n', 'latin1');
    const read = await all(readCsv(chunksOf(latin1, []), { key: 'id', value: 'name' }));
    expect(read.map(({ line, problem }) => [line, problem?.slice(0, 15)])).toEqual([
      [2, 'it is not UTF-8'],
      [3, 'it is not UTF-8'],
      [4, 'it is not UTF-8'],
      [5, undefined],
    ]);
    const header = Buffer.from('id,gr\xf6\xdfe\n1,2\n', 'latin1');
    await expect(all(readCsv(chunksOf(header, []), { key: 'id', value: undefined }))).rejects.toMatchObject({
      message: 'the header of the file is not UTF-8',
    });
    // The character itself is text like any other.
    expect(texts(await all(readCsv(one('id,name\n\ufffd,1\n'), { key: 'id', value: 'name' })))).toEqual([['\ufffd', '1']]);
  });

  test('a header that names a column twice is refused: one of the two would be lost', async () => {
    await expect(all(readCsv(one('id,name,name\n1,a,b\n'), { key: 'id', value: undefined }))).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringContaining('"name" twice') as unknown,
    });
  });

  test('a header without the column is refused, naming those there are', async () => {
    await expect(all(readCsv(one('a,b\n1,2\n'), { key: 'id', value: undefined }))).rejects.toMatchObject({
      code: 'invalid-argument',
      remedy: expect.stringContaining('a, b') as unknown,
    });
  });

  test('what export writes, import reads as it was; what does not fit is refused', async () => {
    const text = fc.string().filter((value) => value.trim() === value);
    await fc.assert(
      fc.asyncProperty(
        text.filter((key) => key !== ''),
        text,
        async (key, value) => {
          const formatted = formatCsvRecord({ key: utf8Encode(key), values: [{ bytes: utf8Encode(value), meta: {} }] });
          if (!('line' in formatted)) throw new Error(formatted.problem);
          expect(texts(await all(readCsv(one(CSV_HEADER + formatted.line), { key: 'key', value: 'value' })))).toEqual([
            [key, value],
          ]);
        },
      ),
    );
    const bytes = Uint8Array.of(0xff);
    expect(formatCsvRecord({ key: utf8Encode('k'), values: [{ bytes: utf8Encode('v'), meta: { a: 'b' } }] })).toEqual({
      problem: 'it has metadata',
    });
    const plain = { bytes: utf8Encode('v'), meta: {} };
    expect(formatCsvRecord({ key: bytes, values: [plain] })).toHaveProperty('problem');
    expect(formatCsvRecord({ key: utf8Encode('k'), values: [{ bytes, meta: {} }] })).toHaveProperty('problem');
    expect(formatCsvRecord({ key: utf8Encode('k'), values: [plain, plain] })).toHaveProperty('problem');
  });
});
