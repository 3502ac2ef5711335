/**
 * Scenarios of quorums and limits: what cannot be done is said, by type, and said of nothing that could have been done.
 */
import { expect } from 'vitest';
import type { ArmatureError, NodeId } from '@armature/kernel';
import { scenario } from './stage.js';

scenario('20: PR and PW are not met by fallbacks, and the error says who answered', async (stage) => {
  const { key, owners, fallbacks } = stage.cast();
  const [a, b, c] = owners;
  await stage.put(key, 'v', { w: 3 });
  stage.crash(b, c);
  const patient = { timeoutMs: 8_000 };
  expect(await stage.get(key, { r: 1, ...patient })).toEqual(['v']);
  const read = await stage.failureOf(stage.bucket().get(key, { pr: 2, ...patient }));
  expect(read.code).toMatch(/^(unavailable|timeout)$/);
  expect(read.message).toContain(b);
  const { receipt } = await stage.put(key, 'sloppy', { w: 2, ...patient });
  expect(receipt.replicas.filter(({ role, outcome }) => role === 'fallback' && outcome !== 'waiting')).not.toEqual([]);
  const write = await stage.failureOf(stage.bucket().put(key, 'strict', { pw: 2, ...patient }));
  expect(write.code).toBe('partial-write');
  const replicas = write.details['replicas'] as { node: string; role: string; outcome: string }[];
  const has = (role: string): string[] =>
    replicas.filter((one) => one.role === role && /^(ok|durable)$/.test(one.outcome)).map(({ node }) => node);
  expect(has('primary')).toEqual([a]);
  expect(has('fallback')).toEqual([fallbacks[0]]);
  await stage.start(b, c);
  await stage.untilEqual();
  expect(await stage.get(key, { pr: 3 })).toEqual(['sloppy', 'strict', 'v']);
});

scenario(
  '21: a full hint store refuses hints, never the write that has its quorum, and takes hints again when it has emptied',
  { nodeOptions: { hintLimitBytes: 10_000 } },
  async (stage) => {
    const casts = stage.casts(40, ({ owners }) => owners.includes('n2' as NodeId));
    stage.crash('n2' as NodeId);
    const value = 'x'.repeat(1_000);
    const refused: string[] = [];
    for (const { key } of casts) {
      await stage.put(key, value);
      const wide = await stage.of(
        stage
          .bucket()
          .put(key, value, { w: 3, timeoutMs: 5_000 })
          .then(() => undefined, String),
      );
      if (wide !== undefined) refused.push(wide);
    }
    expect(refused.length).toBeGreaterThan(0);
    for (const one of refused) expect(one).toContain('overloaded');
    await stage.start('n2' as NodeId);
    await stage.until('the hints are home', () => stage.hintCount === 0);
    for (const { key } of casts) await stage.get(key, { r: 3 });
    await stage.untilEqual();
    const { key } = casts[0] as (typeof casts)[number];
    stage.crash('n2' as NodeId);
    await stage.put(key, 'hinted again', { w: 3, timeoutMs: 20_000, context: await stage.contextOf(key) });
  },
);

scenario(
  '21: what is too much for a node that stands still is shed at once, with a pause to make; all goes on when it wakes',
  async (stage) => {
    const { key, owners } = stage.cast();
    const [a] = owners;
    await stage.put(key, 'v', { w: 3 });
    stage.pause(a, 3_000);
    const bucket = stage.bucket(a);
    const outcomes = new Map<string, number>();
    let withPause = 0;
    const note = (code: string): void => void outcomes.set(code, (outcomes.get(code) ?? 0) + 1);
    const requests = Array.from({ length: 17_000 }, () =>
      bucket.get(key, { timeoutMs: 1_000 }).then(
        () => note('answered'),
        (thrown: unknown) => {
          const { code, details } = thrown as ArmatureError;
          note(code);
          if (code === 'overloaded' && typeof details['retryAfterMs'] === 'number') withPause++;
        },
      ),
    );
    await stage.of(Promise.all(requests));
    expect([...outcomes.keys()].sort()).toEqual(['overloaded', 'timeout']);
    expect(withPause).toBe(outcomes.get('overloaded'));
    await stage.pass(5_000);
    expect(await stage.get(key, { at: a, r: 3 })).toEqual(['v']);
  },
);

scenario(
  '22: a value too large and a sibling too many are refused by type before anything is minted; a merge makes room',
  async (stage) => {
    await stage.makeBucket('capped', { maxValueBytes: 1_000, maxSiblings: 5 });
    const { key } = stage.cast();
    const capped = stage.bucket(undefined, 'capped');
    const large = await stage.failureOf(capped.put(key, 'x'.repeat(1_001)));
    expect(large).toMatchObject({ code: 'too-large', details: { sizeBytes: 1_001, maxValueBytes: 1_000 } });
    for (let i = 0; i < 5; i++) await stage.put(key, `${i}`, { bucket: 'capped', w: 3 });
    const { diskWrites } = stage;
    const many = await stage.failureOf(capped.put(key, 'one too many'));
    expect(many).toMatchObject({ code: 'too-large', details: { maxSiblings: 5 } });
    await stage.pass(5_000);
    expect(stage.diskWrites).toBe(diskWrites);
    expect(await stage.get(key, { bucket: 'capped', r: 3 })).toEqual(['0', '1', '2', '3', '4']);
    await stage.of(capped.update(key, (current) => current));
    expect(await stage.get(key, { bucket: 'capped', r: 3 })).toEqual(['0+1+2+3+4']);
    await stage.put(key, 'room again', { bucket: 'capped' });
  },
);
