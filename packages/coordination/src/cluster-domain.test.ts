import { parseClusterName, unwrap } from '@armature/kernel';
import { expect, test } from 'vitest';
import { clusterDomain } from './cluster-domain.js';

const name = (text: string) => unwrap(parseClusterName(text));
const secret = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);

test('the same secret and name make the same mark, another secret or another name another one', () => {
  const { mark } = clusterDomain([secret(1)], name('t'));
  expect(clusterDomain([secret(1)], name('t')).mark).toBe(mark);
  expect(clusterDomain([secret(2)], name('t')).mark).not.toBe(mark);
  expect(clusterDomain([secret(1)], name('u')).mark).not.toBe(mark);
  expect(mark).toBeGreaterThan(0);
});

test('nodes and routers must be of the domain, clients need not', () => {
  const { requires } = clusterDomain([secret(1)], name('t'));
  expect(['node.n1', 'router.r1', 'client.abc', 'nodes.x'].map(requires)).toEqual([true, true, false, false]);
});

test('while the secret is being changed, the marks of both are known, and what is sent bears that of the first', () => {
  const [before, after] = [1, 2].map((byte) => clusterDomain([secret(byte)], name('t')).mark);
  const { mark, knows } = clusterDomain([secret(2), secret(1)], name('t'));
  expect(mark).toBe(after);
  expect([before, after, clusterDomain([secret(3)], name('t')).mark].map((one) => knows(one ?? 0))).toEqual([true, true, false]);
});
