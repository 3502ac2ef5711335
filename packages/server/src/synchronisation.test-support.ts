/**
 * Nodes on memory disks in one process, that can be stopped, robbed of records, and started again; and a sweep over all their
 * pairs.
 */
import { parseClusterName, parseNodeId, parseZoneName, unwrap, type BinaryString, type NodeId } from '@armature/kernel';
import { InProcessBroker, type LinkAddress } from '@armature/bus';
import { connectOver, type Client } from '@armature/client';
import { nodeAddress, type ExchangeReply, type ExchangeRequest } from '@armature/protocol';
import { NOTHING_SWEPT, roundsOf, runSweep, type Sweep, type SweepTally } from '@armature/repair';
import { memoryTelemetry, silentLog, sleep, systemClock, systemRandom } from '@armature/runtime';
import { MemoryDisk, spaceBounds } from '@armature/storage';
import { ArmatureNode } from './node.js';
import type { ServerOptions, ServerPorts } from './server-options.js';
import type { TransferOptions } from './transfers.js';

const NAMES = ['n1', 'n2', 'n3'].map((name) => unwrap(parseNodeId(name)));
const ZONE = unwrap(parseZoneName('z'));

export class Trio {
  readonly disks = new Map(NAMES.map((name) => [name, new MemoryDisk()]));
  readonly nodes = new Map<NodeId, ArmatureNode>();
  readonly telemetry = memoryTelemetry();
  readonly #broker = new InProcessBroker({ clock: systemClock, log: silentLog });
  readonly #server: ServerOptions = {
    prefix: 'armature',
    cluster: unwrap(parseClusterName('trio')),
    secrets: [new Uint8Array(32).fill(7)],
    seeds: [],
    gossipIntervalMs: 50,
  };
  #client: Client | undefined;

  static async start(partitionCount = 8): Promise<Trio> {
    const trio = new Trio();
    for (const name of NAMES) await trio.run(name);
    const members = NAMES.map((node) => ({ node, weight: 1, zone: ZONE }));
    const create = { kind: 'create', clusterId: 'c1'.repeat(16), cluster: trio.#server.cluster, strategy: 3 } as const;
    await trio.node('n1').participant.membership.propose({ ...create, partitionCount, targetN: 3, members });
    while (![...trio.nodes.values()].every((node) => node.ready)) await sleep(systemClock, 5);
    trio.#client = await connectOver(trio.#ports(), { cluster: 'trio', routing: 'direct', secret: trio.#server.secrets });
    return trio;
  }

  get client(): Client {
    if (this.#client === undefined) throw new Error('started with Trio.start');
    return this.#client;
  }

  node(name: string): ArmatureNode {
    return this.nodes.get(name as NodeId) as ArmatureNode;
  }

  disk(name: string): MemoryDisk {
    const disk = this.disks.get(name as NodeId) ?? new MemoryDisk();
    this.disks.set(name as NodeId, disk);
    return disk;
  }

  async run(name: string, own: TransferOptions = {}): Promise<void> {
    const node = name as NodeId;
    const options = { ...this.#server, ...own, node };
    this.nodes.set(node, await ArmatureNode.start(options, { ...this.#ports(), engine: this.disk(name).open() }));
  }

  async halt(name: string): Promise<void> {
    await this.node(name).stop();
    this.nodes.delete(name as NodeId);
  }

  /** All records of a stopped or running node, in the order of their keys. */
  records(name: string): [BinaryString, string][] {
    const { start, end } = spaceBounds('data', '', undefined);
    const { entries } = this.disk(name).page({ start, end, limit: 1_000_000 });
    return entries.map(({ key, value }) => [key, Buffer.from(value).toString('hex')]);
  }

  /** Removes records of a stopped node, as if its disk had lost them. */
  lose(name: string, isLost: (index: number) => boolean): number {
    const lost = this.records(name).filter((_, index) => isLost(index));
    this.disk(name).apply(
      lost.map(([key]) => ({ kind: 'delete', key })),
      true,
    );
    return lost.length;
  }

  exchange(request: Omit<ExchangeRequest, 'kind' | 'ring'> & { readonly at: string }): Promise<ExchangeReply> {
    const { at, ...share } = request;
    const asker = [...this.nodes.values()].find(({ options }) => options.node !== at) as ArmatureNode;
    const { link, membership } = asker.participant;
    const question: ExchangeRequest = { kind: 'exchange', ring: membership.view.ringVersion, ...share };
    return link.request(nodeAddress(at as NodeId) as LinkAddress, question, 20_000) as Promise<ExchangeReply>;
  }

  /** Every pair of every partition, once. */
  async sweep(): Promise<SweepTally> {
    const [some] = this.nodes.values();
    if (some === undefined) return NOTHING_SWEPT;
    const sweep: Sweep = await runSweep(
      {
        exchange: ({ initiator, peer, partition, n }) => this.exchange({ at: initiator, peer, partition, n, bucket: undefined }),
        isDown: (node) => !this.nodes.has(node),
        pace: () => Promise.resolve(),
        isCancelled: () => false,
        onResult: () => undefined,
        clock: systemClock,
        random: systemRandom(),
      },
      roundsOf(some.participant.membership.view),
      { atOnce: 2, perNode: 2, attempts: 20, retryMs: 50 },
    );
    return sweep.tally;
  }

  async stop(): Promise<void> {
    await this.#client?.close();
    for (const name of [...this.nodes.keys()]) await this.halt(name);
  }

  #ports(): ServerPorts {
    const bus = this.#broker.connect();
    return { bus, clock: systemClock, random: systemRandom(), log: silentLog, telemetry: this.telemetry };
  }
}
