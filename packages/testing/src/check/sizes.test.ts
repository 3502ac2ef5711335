import { expect, test } from 'vitest';
import { LinkEndpoint, linkAddress } from '@armature/bus';
import { ArmatureError, type BucketName } from '@armature/kernel';
import { DEFAULT_BUCKET_PROPERTIES, protocolCodec } from '@armature/protocol';
import type { Client } from '@armature/client';
import { SimulatedCluster } from '../cluster/simulated-cluster.js';
import { padded, LARGEST_VALUE_BYTES } from '../workload/large-values.js';
import { World } from '../world/world.js';
import { checkUsable, MessageSizes } from './sizes.js';

const BUCKET = { name: 'large-values' as BucketName, properties: DEFAULT_BUCKET_PROPERTIES };

test('a message that is too large to be sent is a violation, and so is one that is too large to be taken', async () => {
  const world = new World({ seed: 1 });
  const sizes = new MessageSizes(world);
  const cluster = await world.until(SimulatedCluster.start(world, { messageBytes: 100_000, payloadBytes: 64 * 1024 }));
  expect(sizes.violations).toEqual([]);
  const client = await world.until(cluster.connect('c1'));
  const put = (sizeBytes: number): Promise<unknown> =>
    world.until(
      client
        .bucket<string>('default', { codec: { ...padded, encode: () => new Uint8Array(sizeBytes) } })
        .put('k', '')
        .catch(() => undefined),
    );
  await put(90_000);
  expect(sizes.violations, 'refused before it is minted').toEqual([]);
  await put(150_000);
  expect(sizes.violations.join()).toMatch(/^too large: n\d and client\.\w+ could not/);

  const { bus, clock, random, log, telemetry } = cluster.stranger('s1');
  const ports = { bus, clock, random, log, telemetry, ...cluster.membership };
  const limits = { messageBytes: 1_000 };
  const link = LinkEndpoint.open(bus, protocolCodec, { ...ports, address: linkAddress('client', 's1'), limits });
  const question = { kind: 'gossip', fingerprint: 'x'.repeat(100_000), records: [] } as const;
  await world.until(link.request(linkAddress('node', 'n1'), question, 100).catch(() => undefined));
  expect(sizes.violations.join()).toContain('s1');
});

test('a key that cannot be read, replaced or deleted is a violation; one that can is none, and nothing is left of it', async () => {
  const world = new World({ seed: 1 });
  const cluster = await world.until(SimulatedCluster.start(world));
  const client = await world.until(cluster.connect('c1'));
  const bucket = client.bucket('default', { codec: padded });
  await world.until(bucket.put('k', 'value'));
  const usable = { bucket: { ...BUCKET, name: 'default' as BucketName }, keys: ['k', 'never'], connections: [client] };
  expect(await checkUsable(world, usable)).toEqual([]);
  expect(await world.until(bucket.get('k'))).toBeUndefined();

  const refusing = {
    bucket: () => ({
      read: () => Promise.resolve({ context: undefined }),
      put: () => Promise.reject(new ArmatureError('too-large', 'merge first')),
      delete: () => Promise.reject(new ArmatureError('unavailable', 'nobody answers')),
    }),
  } as unknown as Client;
  expect(await checkUsable(world, { bucket: BUCKET, keys: ['k'], connections: [refusing] })).toEqual([
    'unusable: k of large-values cannot be replaced (too-large: merge first)',
    'unusable: k of large-values cannot be deleted (unavailable: nobody answers)',
  ]);
});

test('padded values are read as what they are, whatever their size', () => {
  const sizes = ['0000000000000000', 'ffffffffffffffff', '8f3a00b2deadbeef'].map((id) => {
    const stored = padded.encode(id);
    expect(padded.decode(stored)).toBe(id);
    return stored.length;
  });
  expect(Math.min(...sizes)).toBeGreaterThanOrEqual(16);
  expect(Math.max(...sizes)).toBeLessThan(LARGEST_VALUE_BYTES);
});
