/**
 * A whole cluster in one process: nodes, a router and the in-process bus, on memory or on engines that the caller opens. For
 * tests, for trying things out, and for applications that want the client's interface before they want a cluster.
 *
 *   const cluster = await startLocalCluster();
 *   const bucket = cluster.client.bucket('default');
 *   await bucket.put('greeting', 'hello');
 */
import {
  ArmatureError,
  parseClusterName,
  parseNodeId,
  parseZoneName,
  unwrap,
  utf8Encode,
  type NodeId,
  type Random,
} from '@armature/kernel';
import { InProcessBroker, type Bus, type InProcessConnection } from '@armature/bus';
import { connectOver, type Client } from '@armature/client';
import type { MemberSettings } from '@armature/protocol';
import {
  noTelemetry,
  silentLog,
  sleep,
  systemClock,
  systemRandom,
  type Clock,
  type Logger,
  type Telemetry,
} from '@armature/runtime';
import { memoryEngine, type Engine } from '@armature/storage';
import { ArmatureNode } from './node.js';
import { ArmatureRouter } from './router.js';
import { DEFAULT_GOSSIP_INTERVAL_MS, type ServerOptions, type ServerPorts } from './server-options.js';

export interface LocalClusterOptions {
  /** Names of the nodes; three by default. */
  readonly nodes?: readonly string[];
  /** Zone of each node; `default` for all by default. */
  readonly zoneOf?: (node: NodeId) => string;
  readonly cluster?: string;
  /** Q; 64 by default, plenty for a handful of nodes. */
  readonly partitionCount?: number;
  /** Opens the engine of a node; memory by default. Closed with the cluster. */
  readonly openEngine?: (node: NodeId) => Engine | Promise<Engine>;
  /** The cluster's secret; random by default, so that contexts do not outlive the cluster. */
  readonly secret?: string;
  /** How long a tombstone stays after it was first found unneeded; ten minutes by default. */
  readonly reapQuarantineMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly log?: Logger;
  readonly telemetry?: Telemetry;
}

export interface LocalCluster {
  readonly nodes: readonly ArmatureNode[];
  readonly router: ArmatureRouter;
  /** Direct: coordinates its own reads. */
  readonly client: Client;
  readonly broker: InProcessBroker;
  /** A node's connection to the bus, to cut it off and let it back. */
  connectionOf(node: NodeId): InProcessConnection;
  readonly options: ServerOptions;
  stop(): Promise<void>;
}

const READY_POLL_MS = 10;

export async function startLocalCluster(options: LocalClusterOptions = {}): Promise<LocalCluster> {
  const { clock = systemClock, random = systemRandom(), log = silentLog, telemetry = noTelemetry } = options;
  const broker = new InProcessBroker({ clock, log });
  const server: ServerOptions = {
    prefix: 'armature',
    cluster: unwrap(parseClusterName(options.cluster ?? 'local')),
    secrets: [options.secret === undefined ? random.bytes(32) : utf8Encode(options.secret)],
    seeds: [],
    gossipIntervalMs: DEFAULT_GOSSIP_INTERVAL_MS,
  };
  const ports = (bus: Bus): ServerPorts => ({ bus, clock, random, log, telemetry });
  const connections = new Map<NodeId, InProcessConnection>();
  const names = (options.nodes ?? ['n1', 'n2', 'n3']).map((name) => unwrap(parseNodeId(name)));
  const open = options.openEngine ?? (() => memoryEngine());

  const quarantine = options.reapQuarantineMs === undefined ? {} : { reapQuarantineMs: options.reapQuarantineMs };
  const nodes: ArmatureNode[] = [];
  for (const node of names) {
    const bus = broker.connect(node);
    connections.set(node, bus);
    nodes.push(await ArmatureNode.start({ ...server, ...quarantine, node }, { ...ports(bus), engine: await open(node) }));
  }
  const first = nodes[0] as ArmatureNode;
  if (first.participant.membership.view.cluster === undefined) {
    const zone = (node: NodeId): MemberSettings['zone'] => unwrap(parseZoneName(options.zoneOf?.(node) ?? 'default'));
    await first.participant.membership.propose({
      kind: 'create',
      clusterId: Buffer.from(random.bytes(16)).toString('hex'),
      cluster: server.cluster,
      strategy: 3,
      partitionCount: options.partitionCount ?? 64,
      targetN: 3,
      members: names.map((node) => ({ node, weight: 1, zone: zone(node) })),
    });
  }
  const router = await ArmatureRouter.start({ ...server, name: 'r1' }, ports(broker.connect('r1')));
  while (!nodes.every((node) => node.ready) || !router.ready) await sleep(clock, READY_POLL_MS);

  const client = await connectOver(
    { bus: broker.connect(), clock, random, log, telemetry },
    { ...server, routing: 'direct', secret: server.secrets },
  );
  return {
    nodes,
    router,
    client,
    broker,
    connectionOf(node) {
      const connection = connections.get(node);
      if (connection === undefined) throw new ArmatureError('invalid-argument', `this cluster has no node ${node}`);
      return connection;
    },
    options: server,
    async stop() {
      await client.close();
      await router.stop();
      await Promise.all(nodes.map((node) => node.stop()));
    },
  };
}
