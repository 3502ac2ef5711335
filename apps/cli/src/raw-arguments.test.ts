import { expect, test } from 'vitest';
import { utf8Encode } from '@armature/kernel';
import { offline } from './cli.test-support.js';
import { checkArguments, rawArguments } from './raw-arguments.js';

const refused = { code: 'invalid-argument', remedy: expect.stringContaining('--base64-key') as unknown };
const check = (args: readonly string[], raw: readonly Uint8Array[] | undefined) => () => checkArguments(args, () => raw);

test('an argument with U+FFFD in it is taken only where its bytes are known to be that character', () => {
  const latin1 = Buffer.from('caf\xe9', 'latin1');
  expect(check(['put', 'caf\ufffd'], [utf8Encode('put'), latin1])).toThrow(expect.objectContaining(refused) as Error);
  expect(check(['put', 'caf\ufffd'], [utf8Encode('put'), utf8Encode('caf\ufffd')])).not.toThrow();
  expect(check(['put', 'caf\ufffd'], undefined)).toThrow(expect.objectContaining(refused) as Error);
  expect(check(['put', 'caf\ufffd'], [utf8Encode('put')])).toThrow(expect.objectContaining(refused) as Error);
});

test('other arguments are not looked at', () => {
  const ask = (): never => {
    throw new Error('asked');
  };
  expect(() => checkArguments(['put', 'café', ''], ask)).not.toThrow();
});

test('refused before anything is done, in the form that was asked for', async () => {
  const { code, err } = await offline(['put', 'default', 'caf\ufffd', 'x', '--json']);
  expect([code, JSON.parse(err)]).toMatchObject([2, { error: { code: 'invalid-argument' } }]);
});

test.runIf(process.platform === 'linux')('this process knows its own arguments', () => {
  const last = process.argv.at(-1) ?? '';
  expect(Buffer.from(rawArguments(1)?.[0] ?? []).toString('utf8')).toBe(last);
  expect(rawArguments(0)).toEqual([]);
});
