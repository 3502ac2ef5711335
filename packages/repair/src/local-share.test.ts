import { expect, test } from 'vitest';
import { DEFAULT_BUCKET, DEFAULT_BUCKET_PROPERTIES, type Durability } from '@armature/protocol';
import { ManualClock, silentLog } from '@armature/runtime';
import { LocalShare } from './local-share.js';
import { addressFor, encoded, ToyNode } from './transfer.test-support.js';
import { createdWith, joinOf, node, viewAfter } from './view.test-support.js';

const [N1, NEW] = [node('n1'), node('new')];
const OLD = [N1, node('n2'), node('n3')];

test('an answer with several sets is cut by bytes; a set that is larger alone is an answer of its own', async () => {
  const clock = new ManualClock();
  const view = viewAfter([createdWith(OLD, 16)]);
  const own = new ToyNode(clock, () => view, N1);
  const share = new LocalShare({
    ...{ node: N1, trees: { tree: () => Promise.reject(new Error('no trees here')) }, replica: own },
    ...{ view: () => view, log: silentLog, messageBytes: 4_000 },
  });
  const addresses = [0, 1, 2, 3, 4].map((key) => addressFor(key));
  for (const [place, sizeBytes] of [400, 600, 1, 3_000, 5].entries()) own.store.set(addresses[place]!, new Uint8Array(sizeBytes));
  const answer = async (from: number): Promise<readonly (number | undefined)[]> => {
    const asked = share.sets(addresses.slice(from));
    await clock.advance(10);
    return (await asked).sets.map((set) => set?.length);
  };
  expect(await answer(0)).toEqual([400, 600]);
  expect(await answer(2)).toEqual([1]);
  expect(await answer(3)).toEqual([3_000]);
  expect(await answer(4)).toEqual([5]);
});

test('what has ceased to be its own while it was on its way is refused, and not kept', async () => {
  const clock = new ManualClock();
  const changes = [createdWith(OLD, 16), joinOf(NEW)];
  let view = viewAfter(changes);
  const own = new ToyNode(clock, () => view, NEW);
  const share = new LocalShare({
    ...{ node: NEW, trees: { tree: () => Promise.reject(new Error('no trees here')) }, replica: own },
    ...{ view: () => view, log: silentLog },
  });
  const pending = new Set(view.pendingFor(NEW).map(({ partition }) => partition));
  const address = Array.from({ length: 100 }, (_, key) => addressFor(key)).find((one) =>
    pending.has(view.ring!.partitionOf(one)),
  )!;
  const entries = [{ address, set: encoded([1]) }];
  const inTime = share.absorb(entries, false);
  await clock.advance(1);
  expect(await inTime).toEqual({ kind: 'absorb', merged: 1, refused: 0 });
  own.store.clear();
  const late = share.absorb(entries, false);
  view = viewAfter([...changes, { kind: 'leave', node: NEW }]);
  await clock.advance(1);
  expect(await late).toEqual({ kind: 'absorb', merged: 0, refused: 1 });
  expect(own.store.size).toBe(0);
});

test('what a former owner hands over goes onto stable storage, whatever the bucket asks', async () => {
  const view = viewAfter([
    createdWith(OLD, 16),
    { kind: 'bucket', bucket: DEFAULT_BUCKET, properties: { ...DEFAULT_BUCKET_PROPERTIES, durability: 'buffered' } },
  ]);
  const asked: Durability[] = [];
  const replica = {
    merge: (_address: unknown, _set: unknown, _bucket: unknown, durability: Durability) => void asked.push(durability),
  };
  const share = new LocalShare({
    ...{ node: N1, trees: { tree: () => Promise.reject(new Error('no trees here')) }, replica: replica as never },
    ...{ view: () => view, log: silentLog },
  });
  const entries = [{ address: addressFor(1), set: encoded([1]) }];
  await share.absorb(entries, false);
  await share.absorb(entries, true);
  expect(asked).toEqual(['buffered', 'fsync']);
});
