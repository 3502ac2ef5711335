import { parseClusterName, unwrap } from '@armature/kernel';
import { expect, test } from 'vitest';
import { linkKeys, presenceKeys } from './cluster-domain.js';

const name = (text: string) => unwrap(parseClusterName(text));
const secret = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);

test('another secret, another name or another purpose makes another key; the same make the same', () => {
  const keys = [
    ...linkKeys([secret(1), secret(2)], name('t')),
    ...linkKeys([secret(1)], name('u')),
    ...presenceKeys([secret(1)], name('t')),
  ].map((key) => Buffer.from(key).toString('hex'));
  expect(new Set(keys).size).toBe(4);
  expect(keys.every((key) => key.length === 64)).toBe(true);
  expect(linkKeys([secret(1)], name('t')).map((key) => Buffer.from(key).toString('hex'))).toEqual(keys.slice(0, 1));
});
