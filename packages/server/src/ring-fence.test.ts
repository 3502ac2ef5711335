import { afterEach, expect, test } from 'vitest';
import { utf8Encode, type BucketName, type NodeId } from '@armature/kernel';
import { addressOf } from '@armature/ring';
import { memoryEngine, type Engine } from '@armature/storage';
import { startLocalCluster, type LocalCluster } from './index.js';

let cluster: LocalCluster | undefined;
afterEach(() => cluster?.stop());

/** An engine whose point reads wait while `gate` says so. */
function gated(engine: Engine, gate: { opened: Promise<void> | undefined }): Engine {
  return {
    name: engine.name,
    get: (key) => (gate.opened === undefined ? engine.get(key) : gate.opened.then(() => engine.get(key))),
    getMany: (keys) => engine.getMany(keys),
    write: (batch, options) => engine.write(batch, options),
    range: (query) => engine.range(query),
    sync: () => engine.sync(),
    sizeBytes: () => engine.sizeBytes(),
    close: () => engine.close(),
  };
}

test('a merge that waits for a slow store while the ring changes is refused when the store takes it, and nothing is stored', async () => {
  const N2 = 'n2' as NodeId;
  const gate: { opened: Promise<void> | undefined } = { opened: undefined };
  const running = (cluster = await startLocalCluster({
    openEngine: (node) => (node === N2 ? gated(memoryEngine(), gate) : memoryEngine()),
  }));
  const bucket = running.client.bucket('default');
  await bucket.put('source', 'x');
  const { coordination, membership } = running.nodes.find(({ options }) => options.node === N2)!.participant;
  const address = (key: string) => addressOf('default' as BucketName, utf8Encode(key));
  const ring = membership.view.ringVersion;
  const { set } = await coordination.ask(N2, { kind: 'read', ring, address: address('source') }, 1_000);
  let open!: () => void;
  gate.opened = new Promise((resolve) => (open = resolve));
  const merge = { kind: 'merge', ring, address: address('copy'), set: set!, durability: 'os' } as const;
  const merged = coordination.ask(N2, merge, 10_000);
  merged.catch(() => undefined);
  await running.client.admin.reweigh('n1', 2);
  await expect.poll(() => membership.view.ringVersion, { timeout: 10_000 }).not.toBe(ring);
  gate.opened = undefined;
  open();
  await expect(merged).rejects.toMatchObject({ code: 'stale-ring' });
  const now = { kind: 'read', ring: membership.view.ringVersion, address: address('copy') } as const;
  expect((await coordination.ask(N2, now, 1_000)).set).toBeUndefined();
});
