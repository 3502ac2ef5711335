/**
 * `armature ring`: who owns what, how evenly, and where a key lives (paper, sections 4.2 and 6.2). All of it is computed here,
 * from the history that one node hands over: the ring is a function of it.
 */
import { ArmatureError, toHex, unwrap, parseBucketName, type PartitionId } from '@armature/kernel';
import type { View } from '@armature/membership';
import { unknownBucket } from '@armature/protocol';
import { addressOf, balanceOf, OUT_OF_BALANCE, positionOf, type Ring } from '@armature/ring';
import { define, option, type Outcome } from '../command.js';
import { bytesField, keyText, percentText, tableText } from '../format.js';
import { barText, drawRing, letterOf } from '../ring-drawing.js';
import type { Session } from '../session.js';
import { base64Key, keyOf } from './key-options.js';

interface RingOptions {
  readonly key?: string;
  readonly bucket: string;
  readonly base64Key?: boolean;
}

const BAR_CELLS = 24;

export const ringShowCommand = define<RingOptions>({
  details:
    'Each letter of the drawing is a partition, named for its first owner. With --key: the partition of the key, the nodes\n' +
    'that serve it now, those that are to, and who stands in for one that is down, in this order.',
  options: [
    option('--key <key>', 'say where this key lives'),
    option('--bucket <bucket>', 'the bucket of the key').default('default'),
    base64Key,
  ],
  examples: ['ring', 'ring --key alice --bucket carts', 'ring --json'],
  run: (session, _args, options) => show(session, options),
});

async function show(session: Session, options: RingOptions): Promise<Outcome> {
  const view = await (await session.client()).admin.view();
  const { ring } = view;
  if (ring === undefined || view.cluster === undefined) {
    throw new ArmatureError('no-cluster', `cluster ${session.settings.cluster} has not been created yet`, {
      remedy: 'armature cluster create --nodes <names>',
    });
  }
  if (options.key !== undefined) return showKey(session, view, ring, options);
  const shares = sharesOf(ring, view.cluster.targetN);
  const balance = balanceOf(ring, view.cluster.targetN);
  if (session.voice.json) {
    await session.printJson({
      cluster: view.cluster.name,
      strategy: ring.strategy,
      partitions: ring.partitionCount,
      targetN: view.cluster.targetN,
      fingerprint: ring.fingerprint,
      efficiency: balance.efficiency,
      outOfBalance: balance.outOfBalance,
      nodes: shares,
      owners: Array.from({ length: ring.partitionCount }, (_, partition) => ring.ownerOf(partition as PartitionId)),
    });
    return undefined;
  }
  const most = Math.max(...shares.map(({ owned }) => owned));
  const rows = shares.map(({ node, zone, weight, owned, replicas }, index) => [
    letterOf(index),
    node,
    zone,
    String(weight),
    `${barText(owned, most, BAR_CELLS)} ${owned}`,
    percentText(owned / ring.partitionCount),
    String(replicas),
  ]);
  await session.print(
    [
      drawRing(session, ring, undefined).text,
      '',
      tableText(session, ['', 'node', 'zone', 'weight', 'first owner of', 'share', 'replicas'], rows),
      '',
      `balance ${percentText(balance.efficiency)} (mean load per node / load of the hottest), ` +
        `${percentText(balance.outOfBalance)} of the nodes more than ${percentText(OUT_OF_BALANCE)} off the mean`,
    ].join('\n'),
  );
  return undefined;
}

interface Share {
  readonly node: string;
  readonly zone: string;
  readonly weight: number;
  readonly owned: number;
  readonly replicas: number;
}

function sharesOf(ring: Ring, n: number): Share[] {
  const owned = new Map<string, number>();
  const replicas = new Map<string, number>();
  for (let partition = 0; partition < ring.partitionCount; partition++) {
    ring.primariesOf(partition as PartitionId, n).forEach((node, index) => {
      replicas.set(node, (replicas.get(node) ?? 0) + 1);
      if (index === 0) owned.set(node, (owned.get(node) ?? 0) + 1);
    });
  }
  return ring.members.map(({ node, zone, weight }) => ({
    node,
    zone,
    weight,
    owned: owned.get(node) ?? 0,
    replicas: replicas.get(node) ?? 0,
  }));
}

async function showKey(session: Session, view: View, ring: Ring, options: RingOptions): Promise<Outcome> {
  const key = keyOf(options, options.key);
  const bucket = unwrap(parseBucketName(options.bucket));
  const properties = view.buckets.get(bucket);
  if (properties === undefined) throw unknownBucket(bucket);
  const { partition, owners, pending, fallbacks } = view.placement(addressOf(bucket, key), properties.n);
  const position = toHex(positionOf(bucket, key));
  if (session.voice.json) {
    await session.printJson({
      bucket,
      ...bytesField('key', key),
      position,
      partition,
      n: properties.n,
      owners,
      pending,
      fallbacks,
    });
    return undefined;
  }
  await session.print(
    [
      `${keyText(key)} in ${bucket} (n=${properties.n})`,
      `  position   ${position}`,
      `  partition  ${partition} of ${ring.partitionCount}`,
      `  owners     ${owners.join(', ')}`,
      ...(pending.length > 0 ? [`  to be      ${pending.join(', ')} (still copying)`] : []),
      `  fallbacks  ${fallbacks.length > 0 ? fallbacks.join(', ') : 'none: every node is an owner'}`,
      '',
      drawRing(session, ring, partition).text,
      session.colors.dim(ring.members.map(({ node }, index) => `${letterOf(index)}: ${node}`).join('  ')),
    ].join('\n'),
  );
  return undefined;
}
