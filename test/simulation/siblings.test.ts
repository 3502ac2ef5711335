/**
 * Scenarios of concurrent versions: there are as many siblings as there were concurrent writes that nobody has seen, and no more.
 */
import { expect } from 'vitest';
import { pick, seededRandom, type NodeId } from '@armature/kernel';
import type { ReadContext } from '@armature/client';
import { MAX_CONTEXT_ENTRIES } from '@armature/versioning';
import { DELETED, scenario } from './stage.js';

scenario(
  '08: 100 interleaved writes by two clients, each with the context of its own last write, leave 2 siblings',
  async (stage) => {
    const { key, owners } = stage.cast();
    const contexts: (ReadContext | undefined)[] = [undefined, undefined];
    for (let i = 0; i < 100; i++) {
      const { context } = await stage.put(key, `${i}`, { at: owners[i % 2] as NodeId, w: 3, context: contexts[i % 2] });
      contexts[i % 2] = context;
      expect((await stage.get(key, { r: 3 })).length).toBeLessThanOrEqual(2);
    }
    expect(await stage.get(key, { r: 3 })).toEqual(['98', '99']);
  },
);

scenario('09: 100 updates, coordinated by all owners in turn, leave one value and a clock of three entries', async (stage) => {
  const { key, owners } = stage.cast();
  for (let i = 0; i < 100; i++) {
    const at = owners[i % 3] as NodeId;
    await stage.put(key, `${i}`, { at, w: 3, context: await stage.contextOf(key, { at }) });
  }
  await stage.untilEqual();
  for (const owner of owners) {
    expect(stage.held(owner, key)).toEqual(['99']);
    expect(stage.setOn(owner, key)?.clock.length).toBe(3);
  }
});

scenario('09: a key with more actors than a context may name is read, written and deleted as ever', async (stage) => {
  const { key, owners } = stage.cast();
  const [a] = owners;
  let { context } = await stage.put(key, 'first', { at: a });
  // A node that has just started may have another owner take the write, so not every crash makes an actor of the key.
  let crashes = 0;
  for (; (stage.setOn(a, key)?.clock.length ?? 0) < MAX_CONTEXT_ENTRIES + 20; crashes++) {
    stage.crash(a);
    await stage.start(a);
    ({ context } = await stage.put(key, `v${crashes}`, { at: a, context }));
    expect(crashes).toBeLessThan(2 * MAX_CONTEXT_ENTRIES);
  }
  const last = `v${crashes - 1}`;
  for (const at of [undefined, ...owners]) {
    expect(await stage.get(key, { r: 3, ...(at === undefined ? {} : { at }) })).toEqual([last]);
    await stage.put(key, last, { context: await stage.contextOf(key), ...(at === undefined ? {} : { at }) });
  }
  await stage.untilEqual();
  expect(stage.held(a, key)).toEqual([last]);
  await stage.delete(key);
  expect(await stage.get(key, { r: 3 })).toEqual([]);
});

scenario(
  '10: whatever contexts writers have, current, old or none, every read returns what a model of sets of events says',
  async (stage) => {
    const random = seededRandom(10);
    for (let run = 0; run < 15; run++) {
      const { key, owners } = stage.cast();
      /** Of each reader, what it saw; the last is nobody's. */
      const readers: { context: ReadContext | undefined; seen: readonly string[] }[] = [{ context: undefined, seen: [] }];
      let expected: string[] = [];
      for (let step = 0; step < 15; step++) {
        const at = pick(random, owners) as NodeId;
        const { context, seen } = pick(random, readers) as (typeof readers)[number];
        if (random.int(5) === 0 && context !== undefined) {
          await stage.delete(key, { at, w: 3, context });
          expected = expected.filter((value) => !seen.includes(value));
        } else {
          await stage.put(key, `${run}.${step}`, { at, w: 3, context });
          expected = [...expected.filter((value) => !seen.includes(value)), `${run}.${step}`];
        }
        const reading = await stage.of(stage.bucket().read(key, { r: 3 }));
        const values = [...(reading.entry?.values ?? [])];
        expect(values.sort()).toEqual([...expected].sort());
        readers.push({ context: reading.context, seen: values });
      }
    }
  },
);

scenario('11: in whatever order and however often messages arrive, all owners end up with the same bytes', async (stage) => {
  const random = seededRandom(11);
  const nodes = new Set<string>(stage.cluster.members.keys());
  stage.cluster.network.shape((source, target) =>
    nodes.has(source) && nodes.has(target)
      ? { delaysMs: Array.from({ length: 1 + random.int(3) }, () => random.float() * 1_500) }
      : 1,
  );
  for (let run = 0; run < 20; run++) {
    const { key, owners } = stage.cast();
    const { context } = await stage.put(key, 'root', { at: owners[0] });
    const writes = [
      stage.bucket(owners[0]).put(key, 'left', { context }),
      stage.bucket(owners[1]).put(key, 'right', { context }),
      stage.bucket(owners[2]).delete(key, { context }),
      stage.bucket(owners[1]).put(key, 'blind'),
    ];
    await stage.of(Promise.allSettled(writes));
    await stage.pass(20_000);
    for (const owner of owners) expect(stage.held(owner, key)).toEqual([DELETED, 'blind', 'left', 'right']);
    expect(stage.differences.filter((one) => one.includes(key))).toEqual([]);
  }
});
