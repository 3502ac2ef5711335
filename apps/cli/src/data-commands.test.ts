import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LocalCluster } from '@armature/server';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { localRunner, type Run } from './cli.test-support.js';

let cluster: LocalCluster;
let run: Run;

beforeAll(async () => {
  ({ cluster, run } = await localRunner());
});
afterAll(() => cluster.stop());

const siblingsOf = async (key: string): Promise<string[]> => {
  const { siblings } = (await run(['get', 'default', key, '--json'])).json() as { siblings: { value: string }[] };
  return siblings.map(({ value }) => value).sort();
};

describe('put and get', () => {
  test('a value comes back byte for byte, and nothing else is on standard output', async () => {
    expect(await run(['put', 'default', 'a', 'hello'])).toMatchObject({ code: 0, out: '', err: '' });
    expect(await run(['get', 'default', 'a'])).toMatchObject({ code: 0, out: 'hello', err: '' });
  });

  test('on a terminal a line end follows, unless --raw', async () => {
    await run(['put', 'default', 'b', 'hello']);
    expect((await run(['get', 'default', 'b'], { terminal: true })).out).toBe('hello\n');
    expect((await run(['get', 'default', 'b', '--raw'], { terminal: true })).out).toBe('hello');
  });

  test('a value from standard input or a file is any bytes', async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    await run(['put', 'default', 'bin'], { stdin: bytes });
    expect((await run(['get', 'default', 'bin'])).bytes).toEqual(Buffer.from(bytes));
    const path = join(mkdtempSync(join(tmpdir(), 'armature-cli-')), 'value');
    writeFileSync(path, bytes);
    await run(['put', 'default', 'file', '--file', path]);
    expect((await run(['get', 'default', 'file'])).bytes).toEqual(Buffer.from(bytes));
    expect((await run(['put', 'default', 'file', 'x', '--file', path])).code).toBe(2);
    expect((await run(['put', 'default', 'file', '--file', `${path}.none`])).code).toBe(2);
  });

  test('a value may begin with a dash, after --', async () => {
    await run(['put', 'default', 'dash', '--', '-v']);
    expect((await run(['get', 'default', 'dash'])).out).toBe('-v');
  });

  test('a key may be any bytes, as base64', async () => {
    await run(['put', 'default', 'AP8', 'x', '--base64-key']);
    expect((await run(['get', 'default', 'AP8', '--base64-key'])).out).toBe('x');
    expect((await run(['get', 'default', 'AP8'])).code).toBe(4);
    expect((await run(['get', 'default', '*', '--base64-key'])).code).toBe(2);
  });

  test('type and metadata are kept with the value', async () => {
    await run(['put', 'default', 'm', '{}', '--content-type', 'application/json', '--meta', 'a=1', '--meta', 'b=x=y']);
    const answer = (await run(['get', 'default', 'm', '--json'])).json();
    expect(answer).toMatchObject({ siblings: [{ value: '{}', meta: { 'content-type': 'application/json', a: '1', b: 'x=y' } }] });
    expect((await run(['put', 'default', 'm', 'x', '--meta', 'nonsense'])).code).toBe(2);
    expect((await run(['put', 'default', 'm', 'x', '--meta', 'a=1', '--meta', 'a=2'])).code).toBe(2);
  });

  test('no such key: exit 4, words on standard error only', async () => {
    expect(await run(['get', 'default', 'none'])).toMatchObject({
      code: 4,
      out: '',
      err: 'there is no key none in bucket default\n',
    });
    const asJson = await run(['get', 'default', 'none', '--json']);
    expect([asJson.code, asJson.out, JSON.parse(asJson.err)]).toMatchObject([4, '', { error: { code: 'not-found' } }]);
  });

  test('both ways of routing give the same', async () => {
    await run(['put', 'default', 'direct', 'x', '--direct']);
    expect((await run(['--direct', 'get', 'default', 'direct'])).out).toBe('x');
  });

  test('--receipt tells who took part', async () => {
    expect((await run(['put', 'default', 'r', 'x', '-w', 'all', '--receipt'])).err).toMatch(
      /^coordinator n\d: n\d primary \w+, n\d primary \w+, n\d primary \w+\n$/,
    );
  });
});

describe('siblings', () => {
  test('put replaces: twice leaves one value', async () => {
    await run(['put', 'default', 's1', 'one']);
    await run(['put', 'default', 's1', 'two']);
    expect(await siblingsOf('s1')).toEqual(['two']);
  });

  test('blind puts are siblings: exit 5, none on standard output, all listed; --sibling picks; put replaces them all and says so', async () => {
    await run(['put', 'default', 's2', 'one', '--blind']);
    await run(['put', 'default', 's2', 'two', '--blind']);
    const several = await run(['get', 'default', 's2']);
    expect([several.code, several.out]).toEqual([5, '']);
    expect(several.err).toMatch(/s2 has 2 concurrent values/);
    expect(several.err).toMatch(/1 .* 3 B +(one|two)/);
    const both = [
      (await run(['get', 'default', 's2', '--sibling', '1'])).out,
      (await run(['get', 'default', 's2', '--sibling', '2'])).out,
    ];
    expect(both.sort()).toEqual(['one', 'two']);
    expect((await run(['get', 'default', 's2', '--sibling', '3'])).code).toBe(2);
    const sizes = await run(['get', 'default', 's2', '--sizes', '--context']);
    expect([sizes.code, sizes.out.match(/\d+ B/g)]).toEqual([0, ['3 B', '3 B']]);
    expect(sizes.out).not.toMatch(/one|two/);
    expect(sizes.err).toMatch(/^context: \S+\n$/);
    expect((await run(['put', 'default', 's2', 'merged'])).err).toBe('replaced 2 concurrent values\n');
    expect(await siblingsOf('s2')).toEqual(['merged']);
  });

  test('with a context: replaces what that get saw, and what came after stays', async () => {
    await run(['put', 'default', 's3', 'seen']);
    const { err } = await run(['get', 'default', 's3', '--context']);
    const context = /^context: (\S+)$/m.exec(err)?.[1] ?? '';
    await run(['put', 'default', 's3', 'later', '--blind']);
    await run(['put', 'default', 's3', 'mine', '--context', context]);
    expect(await siblingsOf('s3')).toEqual(['later', 'mine']);
    expect((await run(['put', 'default', 'other', 'x', '--context', context])).err).toContain('invalid-context');
    expect((await run(['put', 'default', 's3', 'x', '--context', 'nonsense'])).err).toContain('invalid-context');
    expect((await run(['put', 'default', 's3', 'x', '--context', context, '--blind'])).code).toBe(2);
  });

  test('a deleted key that is put again has one value, and nothing of the past', async () => {
    await run(['put', 'default', 's4', 'old']);
    expect(await run(['delete', 'default', 's4'])).toMatchObject({ code: 0, out: '' });
    expect((await run(['get', 'default', 's4'])).code).toBe(4);
    expect((await run(['delete', 'default', 's4'])).code).toBe(4);
    await run(['put', 'default', 's4', 'new']);
    expect(await siblingsOf('s4')).toEqual(['new']);
  });

  test('a blind write repeated under its operation id is one', async () => {
    for (let i = 0; i < 2; i++) await run(['put', 'default', 's5', 'x', '--blind', '--operation', '00112233aabbccdd']);
    expect(await siblingsOf('s5')).toEqual(['x']);
    expect((await run(['put', 'default', 's5', 'x', '--operation', 'short'])).code).toBe(2);
  });
});

describe('refusals', () => {
  test('no such bucket: exit 4 and how to make it', async () => {
    const { code, err } = await run(['put', 'nowhere', 'k', 'v']);
    expect(code).toBe(4);
    expect(err).toContain('try: Create it: armature bucket create nowhere');
  });

  test('a quorum that cannot be: exit 2', async () => {
    expect((await run(['get', 'default', 'a', '-r', '7'])).code).toBe(2);
    expect((await run(['get', 'default', 'a', '-r', 'most'])).code).toBe(2);
    expect((await run(['put', 'default', 'a', 'x', '--dw', '-1'])).code).toBe(2);
  });

  test('a value above the limit of its bucket: exit 1, too-large', async () => {
    await run(['bucket', 'create', 'small', '--max-value-bytes', '10']);
    const { code, err } = await run(['put', 'small', 'k', 'x'.repeat(11)]);
    expect([code, err]).toEqual([1, expect.stringContaining('code: too-large') as unknown]);
  });
});

describe('keys', () => {
  test('one per line; those that are not plain text escaped, and exact as base64 and JSON', async () => {
    await run(['bucket', 'create', 'listed']);
    for (const key of ['plain', 'with space', 'é']) await run(['put', 'listed', key, 'x']);
    await run(['put', 'listed', Buffer.from([0x0a, 0xff]).toString('base64'), 'x', '--base64-key']);
    const shown = await run(['keys', 'listed']);
    expect(shown.out.trimEnd().split('\n').sort()).toEqual(['"\\x0a\\xff"', 'plain', 'with space', 'é']);
    expect(shown.err).toContain('1 key is not plain text');
    const exact = (await run(['keys', 'listed', '--json'])).out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    expect(exact).toContainEqual({ keyBase64: 'Cv8' });
    expect(exact).toContainEqual({ key: 'é' });
    expect((await run(['keys', 'listed', '--base64'])).out).toContain('Cv8\n');
    expect((await run(['keys', 'listed', '--limit', '2'])).out.trimEnd().split('\n')).toHaveLength(2);
  });
});
