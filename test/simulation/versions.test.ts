/**
 * Scenario of mixed versions: a node of a later release, whose frames nobody here can read and who reads none of ours. The header up to the address, and the text
 * of a refusal, are all that two such releases share (docs/protocol.md).
 */
import { expect } from 'vitest';
import type { ReadContext } from '@armature/client';
import type { NodeId } from '@armature/kernel';
import type { ServerPorts } from '@armature/server';
import { scenario, type Stage } from './stage.js';

const LATER_VERSION = 200;
const MAGIC = 0xa7;
const REFUSAL = 'refused protocol-mismatch';

/** In the place of a node that is down: refuses every frame, and says things of its own to `peers`. What they answered, and how it ends. */
function laterRelease(stage: Stage, node: NodeId, peers: readonly NodeId[]): { answers: string[]; end: () => Promise<void> } {
  const ports: ServerPorts = stage.cluster.stranger(node);
  const { prefix, cluster } = stage.cluster.names;
  const subjectOf = (name: string): string => `${prefix}.${cluster}.link.node.${name}`;
  const text = (word: string): number[] => [word.length, ...Buffer.from(word)];
  const frame = Uint8Array.from([MAGIC, LATER_VERSION, ...text(cluster), ...text(`node.${node}`), 1, 2, 3, 4, 5, 6, 7, 8]);
  const answers: string[] = [];
  ports.bus.subscribe(subjectOf(node), (message) => void message.respond(Buffer.from(REFUSAL)));
  ports.bus.subscribe(`later.${node}`, (message) => void answers.push(Buffer.from(message.payload).toString()));
  for (const peer of peers) ports.bus.publish(subjectOf(peer), frame, { reply: `later.${node}` });
  return { answers, end: () => stage.of(ports.bus.drain()) };
}

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
    const later = laterRelease(stage, n4, ['n1', 'n2', 'n3'] as NodeId[]);
    await stage.pass(1_000);
    expect(later.answers).toEqual([REFUSAL, REFUSAL, REFUSAL]);
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
    await later.end();
    await stage.start(n4);
    await stage.untilEqual();
    for (const one of casts) expect(stage.held(n4, one.key)).toEqual(one.key === key ? ['x', 'y'] : ['x']);
  },
);
