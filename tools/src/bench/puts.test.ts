import type { ReadContext } from '@armature/client';
import type { BucketName } from '@armature/kernel';
import { expect, test } from 'vitest';
import { Puts } from './puts.js';

function recording() {
  const written: { key: string; context: unknown }[] = [];
  let contexts = 0;
  const bucket = {
    name: 'bench' as BucketName,
    put: (key: unknown, _: Uint8Array, { context }: { context?: unknown } = {}) => {
      written.push({ key: String(key), context });
      return Promise.resolve({ context: ++contexts as unknown as ReadContext, receipt: undefined as never });
    },
  };
  return { bucket, written };
}
const value = new Uint8Array(1);

test('fresh keys: no key is written twice, and none has a context', async () => {
  const { bucket, written } = recording();
  const puts = new Puts({}, bucket, { overwrite: 0, inFlight: 2 });
  for (let i = 0; i < 20; i++) await puts.next(i % 2, value);
  expect(new Set(written.map(({ key }) => key)).size).toBe(20);
  expect(written.every(({ context }) => context === undefined)).toBe(true);
});

test('overwriting: so many keys, each with the context of its last put, and no key in two places', async () => {
  const { bucket, written } = recording();
  const client = {};
  for (const puts of [0, 1].map(() => new Puts(client, bucket, { overwrite: 10, inFlight: 3 })))
    for (let i = 0; i < 30; i++) await puts.next(i % 3, value);
  expect(new Set(written.map(({ key }) => key)).size).toBe(10);
  expect(written.filter(({ context }) => context === undefined)).toHaveLength(10);
  const last = new Map<string, number>();
  written.forEach(({ key, context }, i) => {
    expect(context).toEqual(last.get(key));
    last.set(key, i + 1);
  });
});
