/** Scenario of mixed versions: a node of a later release, whose frames nobody here can read and who reads none of ours. */
import { expect } from 'vitest';
import type { ReadContext } from '@armature/client';
import type { NodeId } from '@armature/kernel';
import { laterRelease, VERSION_REFUSAL } from '@armature/testing';
import { scenario } from './stage.js';

scenario(
  '23: a node of another protocol version is told so and worked around: requests go to others, and its hints wait for it',
  async (stage) => {
    const n4 = 'n4' as NodeId;
    const casts = stage.casts(20, ({ owners }) => owners.includes(n4));
    for (const { key } of casts) await stage.put(key, 'v', { w: 3 });
    const contexts = new Map<string, ReadContext | undefined>();
    for (const { key } of casts) contexts.set(key, await stage.contextOf(key));
    const fastest = [...contexts.values()].filter((context) => context?.fastest === n4);
    expect(fastest.length, 'reads that it answered first: the writes that follow go there first').toBeGreaterThan(0);
    await stage.stop(n4);
    const later = laterRelease(stage.cluster, n4);
    for (const peer of ['n1', 'n2', 'n3'] as NodeId[]) later.speakTo(peer);
    await stage.pass(1_000);
    expect(later.answers).toEqual([VERSION_REFUSAL, VERSION_REFUSAL, VERSION_REFUSAL]);
    for (const { key, owners } of casts) {
      expect(await stage.get(key)).toEqual(['v']);
      await stage.put(key, 'w', { context: contexts.get(key) });
      await stage.put(key, 'x', { at: owners.find((owner) => owner !== n4) as NodeId, context: await stage.contextOf(key) });
    }
    const { key } = casts[0] as (typeof casts)[number];
    const unmet = await stage.failureOf(stage.bucket().get(key, { pr: 3, timeoutMs: 4_000 }));
    expect(unmet.code).toBe('unavailable');
    expect(unmet.message).toContain(`${n4}: protocol-mismatch`);
    const partial = await stage.failureOf(stage.bucket().put(key, 'y', { pw: 3, timeoutMs: 4_000 }));
    expect(partial.code).toBe('partial-write');
    expect(partial.message).toContain(`${n4}: protocol-mismatch`);
    await stage.of(later.end());
    await stage.start(n4);
    await stage.untilEqual();
    for (const one of casts) expect(stage.held(n4, one.key)).toEqual(one.key === key ? ['x', 'y'] : ['x']);
  },
);
