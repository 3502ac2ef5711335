import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LocalCluster } from '@armature/server';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { localRunner, type Run } from './cli.test-support.js';

let cluster: LocalCluster;
let run: Run;
let directory: string;

beforeAll(async () => {
  ({ cluster, run } = await localRunner());
  directory = mkdtempSync(join(tmpdir(), 'armature-transfer-'));
});
afterAll(async () => {
  await cluster.stop();
  rmSync(directory, { recursive: true });
});

const at = (name: string): string => join(directory, name);
const linesOf = (text: string): string[] => text.trimEnd().split('\n').sort();

async function bucketWith(name: string, lines: readonly string[]): Promise<string> {
  await run(['bucket', 'create', name]);
  const path = at(`${name}.jsonl`);
  writeFileSync(path, lines.map((line) => `${line}\n`).join(''));
  return path;
}

describe('import and export', () => {
  test('export gives what import took: text, JSON, bytes, metadata, concurrent values', async () => {
    const lines = [
      '{"key":"text","value":"hello"}',
      '{"key":"json","value":"{\\"a\\":1}","meta":{"content-type":"application/json"}}',
      '{"keyBase64":"AP8","valueBase64":"_wA"}',
      '{"key":"meta","value":"x","meta":{"author":"me"}}',
      '{"key":"two","values":[{"value":"v1"},{"value":"v2"}]}',
    ];
    const path = await bucketWith('whole', lines);
    expect(await run(['import', 'whole', path])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^5 records \(.*\) written to whole in /) as unknown,
    });
    const out = await run(['export', 'whole']);
    const sorted = linesOf(out.out).map((line) =>
      line.replace('[{"value":"v2"},{"value":"v1"}]', '[{"value":"v1"},{"value":"v2"}]'),
    );
    expect(sorted).toEqual([...lines].sort());
    expect(out.err).toMatch(/^5 records /);
  });

  test('importing twice changes nothing; blindly, it makes siblings', async () => {
    const path = await bucketWith(
      'twice',
      Array.from({ length: 200 }, (_, i) => `{"key":"k${i % 100}","value":"v${i}"}`),
    );
    for (let i = 0; i < 2; i++) expect((await run(['import', 'twice', path])).code).toBe(0);
    const once = linesOf((await run(['export', 'twice'])).out);
    expect(once).toHaveLength(100);
    expect(once).toContain('{"key":"k7","value":"v107"}'); // of two records of one key the later wins
    expect(once.filter((line) => line.includes('"values"'))).toEqual([]);
    await run(['import', 'twice', path, '--blind']);
    expect((await run(['export', 'twice'])).out).toContain('"values"');
  });

  test('records that fail are listed with the reason, the rest is written, exit 1; the list can be imported', async () => {
    const path = await bucketWith('partly', [
      '{"key":"a","value":"1"}',
      'nope',
      `{"key":"b","value":"${'x'.repeat(20)}"}`,
      '{"key":"c","value":"3"}',
    ]);
    await run(['bucket', 'update', 'partly', '--max-value-bytes', '10']);
    const ran = await run(['import', 'partly', path, '--json']);
    expect(ran.code).toBe(1);
    expect(ran.json()).toMatchObject({
      written: 2,
      failed: 2,
      failuresFile: `${path}.failures.jsonl`,
      interrupted: false,
      gaveUp: false,
    });
    const failures = linesOf(readFileSync(`${path}.failures.jsonl`, 'utf8')).map((line) => JSON.parse(line) as unknown);
    expect(failures).toContainEqual({
      source: 'nope',
      line: 2,
      error: expect.objectContaining({ code: 'invalid-argument' }) as unknown,
    });
    expect(failures).toContainEqual(
      expect.objectContaining({ key: 'b', line: 3, error: expect.objectContaining({ code: 'too-large' }) as unknown }) as unknown,
    );
    await run(['bucket', 'update', 'partly', '--max-value-bytes', '100']);
    expect((await run(['import', 'partly', `${path}.failures.jsonl`, '--json'])).json()).toMatchObject({ written: 1, failed: 1 });
    expect((await run(['get', 'partly', 'b'])).out).toBe('x'.repeat(20));
  });

  test('gives up after --max-failures', async () => {
    const path = await bucketWith(
      'hopeless',
      Array.from({ length: 1_000 }, () => 'nope'),
    );
    const ran = await run(['import', 'hopeless', path, '--max-failures', '10', '--concurrency', '4', '--json']);
    expect(ran.code).toBe(1);
    const { failed, gaveUp } = ran.json() as { failed: number; gaveUp: boolean };
    expect(gaveUp).toBe(true);
    expect(failed).toBeLessThan(20);
  });

  test('interrupted: stops taking, accounts for what was done, exit 130', async () => {
    const path = await bucketWith(
      'stopped',
      Array.from({ length: 500 }, (_, i) => `{"key":"k${i}","value":"v"}`),
    );
    const abort = new AbortController();
    abort.abort();
    const ran = await run(['import', 'stopped', path, '--json'], { interrupt: abort.signal });
    expect(ran.code).toBe(130);
    const { written } = ran.json() as { written: number };
    expect(written).toBeLessThan(500);
    expect(linesOf((await run(['keys', 'stopped'])).out).filter((key) => key !== '')).toHaveLength(written);
  });

  test('from standard input to standard output', async () => {
    await run(['bucket', 'create', 'piped']);
    expect((await run(['import', 'piped', '-'], { stdin: '{"key":"a","value":"1"}' })).code).toBe(0);
    expect((await run(['export', 'piped', '-'])).out).toBe('{"key":"a","value":"1"}\n');
  });

  test('an exported file appears whole or not at all', async () => {
    await bucketWith('filed', []);
    await run(['put', 'filed', 'a', '1']);
    const path = at('filed.out.jsonl');
    const abort = new AbortController();
    abort.abort();
    expect((await run(['export', 'filed', path], { interrupt: abort.signal })).code).toBe(130);
    expect([existsSync(path), existsSync(`${path}.partial`)]).toEqual([false, false]);
    expect((await run(['export', 'filed', path, '--json'])).json()).toMatchObject({ records: 1, format: 'jsonl' });
    expect(readFileSync(path, 'utf8')).toBe('{"key":"a","value":"1"}\n');
    expect((await run(['export', 'filed', at('no/such/directory.jsonl')])).code).toBe(2);
  });

  test('CSV: in by column, out as text; what does not fit is counted and named, exit 1', async () => {
    await run(['bucket', 'create', 'table']);
    writeFileSync(at('t.csv'), 'id,name\n1,Ann\n2,"Bo, jr"\n');
    expect((await run(['import', 'table', at('t.csv')])).code).toBe(2);
    expect((await run(['import', 'table', at('t.csv'), '--key-column', 'nope'])).code).toBe(2);
    expect((await run(['import', 'table', at('t.csv'), '--key-column', 'id', '--value-column', 'name'])).code).toBe(0);
    expect(linesOf((await run(['export', 'table', '--format', 'csv'])).out)).toEqual(['1,Ann', '2,"Bo, jr"', 'key,value']);
    await run(['put', 'table', 'bin'], { stdin: Uint8Array.of(0xff) });
    const ran = await run(['export', 'table', at('o.csv')]);
    expect(ran.code).toBe(1);
    expect(ran.err).toContain('bin: its value is not text');
  });

  test('a bucket or a file that is not there is said once, before anything is done', async () => {
    expect(await run(['import', 'nowhere', '-'], { stdin: 'x' })).toMatchObject({ code: 4, out: '' });
    expect(await run(['import', 'default', at('none.jsonl')])).toMatchObject({ code: 2, out: '' });
    expect((await run(['import', 'default', '-', '--key-column', 'x'])).code).toBe(2);
    expect((await run(['import', 'default', '-', '--format', 'xml'])).code).toBe(2);
  });
});
