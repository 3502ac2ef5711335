import { expect, test } from 'vitest';
import { ArmatureError, utf8Encode, type NodeId } from '@armature/kernel';
import { DEFAULT_BUCKET, RING_UNKNOWN, type WriteReply, type WriteRequest } from '@armature/protocol';
import { addressOf } from '@armature/ring';
import { JoinedWrites } from './joined-writes.js';

const REQUEST: WriteRequest = {
  kind: 'write',
  ring: RING_UNKNOWN,
  address: addressOf(DEFAULT_BUCKET, utf8Encode('k')),
  context: new Uint8Array(0),
  operation: '00000000000000aa',
  tombstone: false,
  value: utf8Encode('large'),
  meta: [],
  options: { w: 2, pw: 0, dw: 0, returnContext: true },
};
const reply = (node: string): WriteReply => ({
  kind: 'write',
  context: new Uint8Array(0),
  receipt: { coordinator: node as NodeId, replicas: [] },
});
const failure = new ArmatureError('unknown-outcome', 'the first attempt got stuck');

/** Attempts that end when they are told to. */
class Bench {
  readonly writes = new JoinedWrites();
  readonly under: { resolve: (reply: WriteReply) => void; reject: (error: Error) => void }[] = [];
  isLate = false;

  write(request = REQUEST): Promise<WriteReply> {
    const attempt = (): Promise<WriteReply> => new Promise((resolve, reject) => this.under.push({ resolve, reject }));
    return this.writes.join(request, attempt, () => this.isLate);
  }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a repetition of a write that is under way has its answer, and costs no second attempt', async () => {
  const bench = new Bench();
  const all = [bench.write(), bench.write(), bench.write({ ...REQUEST, value: utf8Encode('large') })];
  expect(bench.under).toHaveLength(1);
  bench.under[0]!.resolve(reply('n1'));
  expect(await Promise.all(all)).toEqual([reply('n1'), reply('n1'), reply('n1')]);
  void bench.write();
  expect(bench.under, 'one that comes afterwards is an attempt of its own').toHaveLength(2);
});

test('where the attempt fails, one of those who wait for it begins the next, and the others wait for that', async () => {
  const bench = new Bench();
  const first = bench.write();
  const others = [bench.write(), bench.write()];
  bench.under[0]!.reject(failure);
  await expect(first).rejects.toBe(failure);
  await settled();
  expect(bench.under).toHaveLength(2);
  bench.under[1]!.resolve(reply('n2'));
  expect(await Promise.all(others)).toEqual([reply('n2'), reply('n2')]);
});

test('whoever has no time left when the attempt fails begins nothing', async () => {
  const bench = new Bench();
  const both = [bench.write(), bench.write()];
  bench.isLate = true;
  bench.under[0]!.reject(failure);
  expect(await Promise.allSettled(both)).toEqual([
    { status: 'rejected', reason: failure },
    { status: 'rejected', reason: failure },
  ]);
  expect(bench.under).toHaveLength(1);
});

test.each([
  ['another value', { value: utf8Encode('other') }],
  ['another context', { context: utf8Encode('context') }],
  ['another key', { address: addressOf(DEFAULT_BUCKET, utf8Encode('other')) }],
  ['another W', { options: { ...REQUEST.options, w: 3 } }],
  ['no wish for a context', { options: { ...REQUEST.options, returnContext: false } }],
])('%s under the same operation id: another write', (_what, other) => {
  const bench = new Bench();
  void bench.write();
  void bench.write({ ...REQUEST, ...other });
  expect(bench.under).toHaveLength(2);
});
