/**
 * `armature cluster create`: one cluster out of nodes that run and belong to none. It is done once and cannot be undone, so
 * every named node must answer first: a typing error would make a member that never was.
 */
import type { MemberStatus } from '@armature/client';
import { ArmatureError, clipped, parseNodeId, unwrap } from '@armature/kernel';
import { DEFAULT_BUCKET_PROPERTIES } from '@armature/protocol';
import { sleep } from '@armature/runtime';
import { define, option, type Outcome } from '../command.js';
import { plural } from '../format.js';
import { decimal, integerBetween, invalid, pairs, words } from '../parse.js';
import type { Session } from '../session.js';

interface CreateOptions {
  readonly nodes: readonly string[];
  readonly partitions: number;
  readonly zones?: ReadonlyMap<string, string>;
  readonly weights?: ReadonlyMap<string, string>;
  readonly strategy: number;
  readonly targetN: number;
}

/** A node that has just been started answers a moment later. */
const WAIT_MS = 10_000;
const PAUSE_MS = 250;

export const clusterCreateCommand = define<CreateOptions>({
  details:
    'Done once. The nodes must be running. The number of partitions stays for ever: take 10 or more per node of the\n' +
    'largest cluster it may become. Buckets (default: n=3) can have any N; the ring is arranged for --target-n.',
  options: [
    option('--nodes <names>', 'the first members, separated by commas', words('--nodes')).makeOptionMandatory(),
    option('--partitions <count>', 'a power of two', integerBetween('--partitions', 1, 65_536)).default(256),
    option('--zones <node=zone,...>', 'zones of nodes; the others are in zone "default"', pairs('--zones')),
    option('--weights <node=weight,...>', 'capacities relative to 1', pairs('--weights')),
    option(
      '--strategy <number>',
      "the paper's partitioning strategy: 3, or 2 to compare",
      integerBetween('--strategy', 2, 3),
    ).default(3),
    option('--target-n <count>', 'replicas that the ring is arranged for', integerBetween('--target-n', 1, 32)).default(3),
  ],
  examples: [
    'cluster create --nodes n1,n2,n3',
    'cluster create --nodes a1,a2,b1,b2 --zones a1=east,a2=east,b1=west,b2=west --partitions 1024',
  ],
  run: (session, _args, options) => create(session, options),
});

async function create(session: Session, options: CreateOptions): Promise<Outcome> {
  const members = options.nodes.map((node) => {
    const zone = options.zones?.get(node);
    const weight = options.weights?.get(node);
    return {
      node,
      ...(zone === undefined ? {} : { zone }),
      ...(weight === undefined ? {} : { weight: decimal(`the weight of ${node}`)(weight) }),
    };
  });
  for (const [name, map] of [['--zones', options.zones] as const, ['--weights', options.weights] as const]) {
    const stray = [...(map?.keys() ?? [])].find((node) => !options.nodes.includes(node));
    if (stray !== undefined)
      throw invalid(`${name} names ${clipped(stray)}, which is not among --nodes`, 'Correct one of the two.');
  }
  await waitForNodes(session, options.nodes);
  const { admin } = await session.client();
  const record = await admin.create({
    cluster: session.settings.cluster,
    members,
    partitionCount: options.partitions,
    strategy: options.strategy === 2 ? 2 : 3,
    targetN: options.targetN,
  });
  if (session.voice.json) await session.printJson(record);
  else {
    await session.print(
      `cluster ${session.settings.cluster} created: ${plural(members.length, 'node')}, ${plural(options.partitions, 'partition')}`,
    );
    if (members.length < options.targetN) {
      await session.note(
        `With fewer nodes than replicas (${options.targetN}), each key has ${plural(members.length, 'copy', 'copies')} until more nodes join.`,
      );
    }
    const { r, w } = DEFAULT_BUCKET_PROPERTIES;
    if (members.length < Math.max(r, w)) {
      const count = members.length;
      await session.note(
        `The bucket default reads from ${plural(r, 'replica')} and writes to ${w}, so it waits for more nodes. ` +
          `A bucket for ${plural(count, 'node')}: armature bucket create <name> --n ${count} --r ${count} --w ${count}`,
      );
    }
  }
  return undefined;
}

async function waitForNodes(session: Session, names: readonly string[]): Promise<void> {
  const { admin } = await session.client();
  const { clock } = session.io;
  const nodes = names.map((name) => unwrap(parseNodeId(name)));
  const deadlineMs = clock.monotonicMs() + Math.max(WAIT_MS, session.timeoutMs);
  for (let attempt = 0; ; attempt++) {
    const silent = (await Promise.all(nodes.map((node) => admin.member(node)))).filter(({ status }) => status === undefined);
    if (silent.length === 0) return;
    if (clock.monotonicMs() > deadlineMs) throw doNotAnswer(silent, session);
    if (attempt === 0) await session.note(`waiting for ${silent.map(({ node }) => node).join(', ')}`);
    await sleep(clock, PAUSE_MS);
  }
}

function doNotAnswer(silent: readonly MemberStatus[], session: Session): ArmatureError {
  const names = silent.map(({ node }) => node).join(', ');
  return new ArmatureError('unreachable', `${names} ${silent.length === 1 ? 'does' : 'do'} not answer; nothing was created`, {
    remedy: `Start them with --cluster ${session.settings.cluster} and the same NATS and prefix, and check the names.`,
    details: { nodes: silent.map(({ node }) => node) },
  });
}
