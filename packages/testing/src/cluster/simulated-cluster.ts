/**
 * A whole cluster in a simulated world: nodes, routers and clients as they run in production, over a simulated bus and simulated
 * disks, and the means to do to them what the world does. Names of processes are those of their connections to the bus, by which
 * the network is cut.
 *
 * Nothing here lets time pass. Whoever awaits something has the world run meanwhile: `await
 * world.until(cluster.startNode(name))`.
 */
import {
  parseClusterName,
  parseNodeId,
  parseZoneName,
  toHex,
  unwrap,
  type BinaryString,
  type NodeId,
  type Random,
  type Secrets,
  type ZoneName,
} from '@armature/kernel';
import { InProcessBroker, type BusMessage, type InProcessNetwork, type LinkOptions, type Passage } from '@armature/bus';
import { connectOver, type Client, type RoutingKind } from '@armature/client';
import type { Change, ChangeRecord } from '@armature/protocol';
import type { Transition } from '@armature/membership';
import { linkKeys } from '@armature/coordination';
import { noTelemetry, type Clock } from '@armature/runtime';
import {
  AntiEntropyWorker,
  ArmatureNode,
  ArmatureRouter,
  type NodeOptions,
  type ServerOptions,
  type ServerPorts,
} from '@armature/server';
import type { StorageOperation } from '@armature/storage';
import { SimulatedDisk, type DiskImage } from '../world/disk.js';
import { SimulatedProcess } from '../world/process.js';
import type { World } from '../world/world.js';
import type { SimulatedClusterOptions } from './simulated-cluster-options.js';
import type { Namesake, SimulatedMember } from './simulated-member.js';

const GOSSIP_INTERVAL_MS = 1_000;
const DEFAULT_LATENCY_MS = 0.3;
/** For a node to start. */
const START_LIMIT_MS = 120_000;
/** A day, shortened to what a run lasts. */
const VERIFY_CYCLE_MS = 60_000;
/**
 * Tombstones go within a run: a pass takes a few seconds, and the quarantine is longer than any request or pause of a run lasts.
 */
const REAP_CYCLE_MS = 4_000;
const REAP_QUARANTINE_MS = 12_000;
const DEFAULT_CYCLE_MS = 20_000;
/** For a change to be made: its node may be killed meanwhile, and then never says anything. */
const PROPOSE_LIMIT_MS = 10_000;
const READY_POLL_MS = 10;
/** How long the bus server is away. */
export const BUS_RESTART_MS = 500;

export class SimulatedCluster {
  readonly world: World;
  readonly members = new Map<NodeId, SimulatedMember>();
  readonly routers = new Map<string, ArmatureRouter>();
  /** What honest applications show, where the cluster requires a token. */
  token: Uint8Array | undefined;
  /** Told of everything that is about to be written to any disk, a namesake's included. */
  onDiskWrite: (node: NodeId, batch: readonly StorageOperation[], disk: SimulatedDisk) => void = () => undefined;
  /** Told of everything that a disk has made sure of, a namesake's included. */
  onDiskSync: (node: NodeId, batch: readonly StorageOperation[], disk: SimulatedDisk) => void = () => undefined;
  /** Told of the stored keys under which a disk holds something else now; undefined: perhaps under all. */
  onDiskChange: (node: NodeId, keys: readonly BinaryString[] | undefined) => void = () => undefined;
  /** Told of every peer that a node or a router begins to take for failed, or ceases to. */
  onTransition: (observer: string, transition: Transition) => void = () => undefined;
  /** Told when a node must end, because another process of its name has been up for longer. */
  onNameLost: (node: NodeId) => void = () => undefined;
  /** Told of all that is published on the bus, and by which process. */
  overheard: (source: string, message: BusMessage) => void = () => undefined;
  readonly #options: SimulatedClusterOptions;
  readonly #broker: InProcessBroker;
  readonly #server: ServerOptions;
  readonly #networkRandom: Random;
  readonly #incarnations = new Map<string, number>();
  readonly #clocks = new Map<string, number>();
  readonly #processes = new Map<string, SimulatedProcess>();

  private constructor(world: World, options: SimulatedClusterOptions) {
    this.world = world;
    this.#options = options;
    const clock = {
      nowMs: () => world.nowMs,
      monotonicMs: () => world.nowMs,
      after: (delayMs: number, task: () => void) => ({ cancel: world.at(world.nowMs + delayMs, task) }),
      defer: (task: () => void) => void world.at(world.nowMs, task),
    };
    const { messageBytes, payloadBytes } = options;
    const payload = payloadBytes === undefined ? {} : { maxPayloadBytes: payloadBytes };
    const overhear: typeof this.overheard = (source, message) => this.overheard(source, message);
    this.#broker = new InProcessBroker({ clock, random: world.random('broker'), overhear, ...payload });
    this.#server = {
      prefix: 'armature',
      cluster: unwrap(parseClusterName('simulated')),
      secrets: [world.random('secret').bytes(32)],
      seeds: [],
      gossipIntervalMs: GOSSIP_INTERVAL_MS,
      ...(messageBytes === undefined ? {} : { messageBytes }),
    };
    this.#networkRandom = world.random('network');
    this.shapeAsUsual();
  }

  /** Starts everything, creates the cluster, and waits until all know it. */
  static async start(world: World, options: SimulatedClusterOptions = {}): Promise<SimulatedCluster> {
    const cluster = new SimulatedCluster(world, options);
    const names = (options.nodes ?? ['n1', 'n2', 'n3']).map((name) => unwrap(parseNodeId(name)));
    for (const name of names) await cluster.startNode(name);
    await cluster.propose(names[0] as NodeId, {
      kind: 'create',
      clusterId: toHex(world.random('cluster id').bytes(16)),
      cluster: cluster.#server.cluster,
      strategy: options.strategy ?? 3,
      partitionCount: options.partitionCount ?? 16,
      targetN: 3,
      members: names.map((node) => ({ node, weight: 1, zone: cluster.zoneOf(node) })),
    });
    for (const name of options.routers ?? []) await cluster.startRouter(name);
    for (const name of options.workers ?? []) await cluster.startWorker(name);
    await cluster.untilReady();
    return cluster;
  }

  /** Under which all subjects and link addresses of this cluster are. */
  get names(): Pick<ServerOptions, 'prefix' | 'cluster'> {
    const { prefix, cluster } = this.#server;
    return { prefix, cluster };
  }

  get secrets(): Secrets {
    return this.#server.secrets;
  }

  /** What a link endpoint inside of the trust domain is opened with. */
  get membership(): Pick<LinkOptions, 'prefix' | 'cluster' | 'keys'> {
    return { ...this.names, keys: linkKeys(this.#server.secrets, this.#server.cluster) };
  }

  get network(): InProcessNetwork {
    return this.#broker.network;
  }

  /** Messages take their usual time from now on, or what `worse` makes of it. */
  shapeAsUsual(worse: (usualMs: number) => ReturnType<Passage> = (usualMs) => usualMs): void {
    const meanMs = this.#options.latencyMs ?? DEFAULT_LATENCY_MS;
    const random = this.#networkRandom;
    // Most messages take about the mean; one in a hundred ten times as long.
    this.network.shape(() => worse(meanMs * (random.int(100) === 0 ? 10 : 1) * (0.5 + random.float())));
  }

  /** Names of all processes that run, for cutting the network between them. */
  get connections(): ReadonlySet<string> {
    return new Set([...this.#processes.values()].filter((life) => life.isAlive).map(({ name }) => name));
  }

  /** The nodes that run. */
  get running(): readonly ArmatureNode[] {
    return [...this.members.values()].flatMap(({ node }) => node ?? []);
  }

  member(name: NodeId): SimulatedMember {
    let member = this.members.get(name);
    if (member === undefined) {
      const disk = new SimulatedDisk(this.world, name, this.#options.reads);
      disk.onWrite = (batch) => this.onDiskWrite(name, batch, disk);
      disk.onSync = (batch) => this.onDiskSync(name, batch, disk);
      disk.onChange = (keys) => this.onDiskChange(name, keys);
      member = { name, disk, process: undefined, node: undefined, isStopping: false, namesake: undefined };
      this.members.set(name, member);
    }
    return member;
  }

  /** Starts the process of a node over its disk. Rejects as the node does, e.g. while its disk is failing. */
  async startNode(name: NodeId): Promise<ArmatureNode> {
    const member = this.member(name);
    const life = this.#process(name);
    member.process = life;
    this.world.trace.note(name, 'starts');
    member.node = await this.#nodeOver(name, life, member.disk, () => {
      if (member.process === life) this.onNameLost(name);
    });
    member.node.participant.monitor.onTransition((transition) => this.onTransition(name, transition));
    return member.node;
  }

  /** SIGTERM: the node leaves in good order, as far as it can in that time. */
  async stopNode(name: NodeId, limitMs = 30_000): Promise<void> {
    const member = this.member(name);
    const { node } = member;
    if (node === undefined) return;
    this.world.trace.note(name, 'is stopped');
    member.isStopping = true;
    const ended = await this.#within(limitMs, node.stop()).then(
      () => 'in good order' as const,
      () => 'killed' as const,
    );
    this.#end(member);
    member.disk.release(ended);
  }

  /** SIGKILL, or the power goes. */
  crashNode(name: NodeId, how: 'process' | 'machine'): void {
    const member = this.member(name);
    this.world.trace.note(name, how === 'process' ? 'is killed' : 'loses its power');
    this.#end(member);
    if (how === 'process') member.disk.release('killed');
    else member.disk.crash();
  }

  /** A process that did not come up is taken away. */
  abandonNode(name: NodeId): void {
    const member = this.member(name);
    this.#end(member);
    member.disk.release('killed');
  }

  /**
   * Starts a second process under the name of a node, over a disk of its own: an empty one, or one with this image. It ends when
   * it must. Rejects as a node does that may not start.
   */
  async startNamesake(name: NodeId, image?: DiskImage): Promise<void> {
    const other = `${name}'`;
    const disk = new SimulatedDisk(this.world, other, this.#options.reads);
    if (image !== undefined) disk.restore(image);
    const member = this.member(name);
    const namesake: Namesake = { process: this.#process(other), disk, endBypass: undefined };
    disk.onWrite = (batch) => {
      namesake.endBypass ??= member.disk.bypass();
      this.onDiskWrite(name, batch, disk);
    };
    disk.onSync = (batch) => this.onDiskSync(name, batch, disk);
    member.namesake = namesake;
    this.world.trace.note(other, `starts with ${image === undefined ? 'an empty disk' : `a copy of the disk of ${name}`}`);
    try {
      await this.#nodeOver(name, namesake.process, disk, () => this.endNamesake(name));
    } catch (thrown) {
      this.endNamesake(name);
      throw thrown;
    }
  }

  /** The second process of that name is killed, and its disk thrown away. */
  endNamesake(name: NodeId): void {
    const member = this.member(name);
    const { namesake } = member;
    if (namesake === undefined) return;
    this.world.trace.note(`${name}'`, 'ends');
    namesake.process.kill();
    member.namesake = undefined;
    namesake.endBypass?.();
  }

  async startRouter(name: string): Promise<ArmatureRouter> {
    const ports = this.#ports(this.#process(name));
    const router = await this.#within(START_LIMIT_MS, ArmatureRouter.start({ ...this.#server, name }, ports));
    router.participant.monitor.onTransition((transition) => this.onTransition(name, transition));
    this.routers.set(name, router);
    return router;
  }

  async startWorker(name: string): Promise<AntiEntropyWorker> {
    const { prefix, cluster, secrets, seeds, gossipIntervalMs } = this.#server;
    const cycleMs = this.#options.cycleMs ?? DEFAULT_CYCLE_MS;
    const options = { name, prefix, cluster, secrets, seeds, gossipIntervalMs, cycleMs, reapCycleMs: REAP_CYCLE_MS };
    return this.#within(START_LIMIT_MS, AntiEntropyWorker.start(options, this.#ports(this.#process(name))));
  }

  /** A client in a process of its own. */
  async connect(name: string, routing: RoutingKind = 'direct'): Promise<Client> {
    const ports = this.#ports(this.#process(name));
    const token = routing === 'router' ? this.token : undefined;
    return this.#within(START_LIMIT_MS, connectOver(ports, { ...this.#server, secret: this.#server.secrets, routing, token }));
  }

  /** The wall clock of a machine jumps, and stays so, whatever processes come and go there. */
  setClock(name: string, aheadMs: number): void {
    this.#clocks.set(name, aheadMs);
    this.#processes.get(name)?.setClock(aheadMs);
  }

  /** What a wall clock is ahead by, besides what it is off from the beginning, ms. */
  clockAheadMs(name: string): number {
    return this.#clocks.get(name) ?? 0;
  }

  /** Of the process of that name, which runs or has run. */
  clockOf(name: string): Clock {
    const life = this.#processes.get(name);
    if (life === undefined) throw new Error(`there is no process ${name}`);
    return life.clock;
  }

  /** A process of nobody's making, on the same bus: it speaks as its owner lets it. */
  stranger(name: string): ServerPorts {
    return this.#ports(this.#process(name));
  }

  /** An administrator's command at a node that runs. */
  propose(at: NodeId, change: Change): Promise<ChangeRecord> {
    const { node } = this.member(at);
    if (node === undefined) return Promise.reject(new Error(`${at} does not run`));
    this.world.trace.note('admin', `${change.kind} at ${at}: ${JSON.stringify(change)}`);
    const isGone = change.kind === 'remove' || (change.kind === 'replace' && change.dead);
    if (isGone) this.member(change.node).disk.suffered('replaced');
    return this.#within(PROPOSE_LIMIT_MS, node.participant.membership.propose(change));
  }

  /** The bus server restarts: what was under way is lost. */
  restartBus(): void {
    this.world.trace.note('bus', 'restarts');
    this.#broker.stop();
    this.world.at(this.world.nowMs + BUS_RESTART_MS, () => this.#broker.start());
  }

  /** Until all nodes that run are ready. */
  async untilReady(limitMs = 60_000): Promise<void> {
    const untilMs = this.world.nowMs + limitMs;
    while (this.world.nowMs < untilMs && !this.running.every((node) => node.ready)) await this.world.sleep(READY_POLL_MS);
    const late = this.running.filter((node) => !node.ready).map((node) => `${node.options.node}: ${node.notes.join(', ')}`);
    if (late.length > 0) throw new Error(`not ready after ${limitMs} ms: ${late.join('; ')}`);
  }

  /** As the promise, unless that much virtual time passes first. */
  #within<T>(limitMs: number, promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const cancel = this.world.at(this.world.nowMs + limitMs, () =>
        reject(new Error(`not done after ${limitMs} ms of virtual time`)),
      );
      promise.then(resolve, reject).finally(cancel);
    });
  }

  #nodeOver(name: NodeId, life: SimulatedProcess, disk: SimulatedDisk, onNameLost: () => void): Promise<ArmatureNode> {
    const options: NodeOptions = {
      ...this.#server,
      node: name,
      verifyCycleMs: VERIFY_CYCLE_MS,
      reapQuarantineMs: REAP_QUARANTINE_MS,
      ...(this.#options.reads === 'waiting' ? { cacheBytes: 0 } : {}),
      ...this.#options.nodeOptions,
      onNameLost,
    };
    return this.#within(START_LIMIT_MS, ArmatureNode.start(options, { ...this.#ports(life), engine: disk.open(life) }));
  }

  #end(member: SimulatedMember): void {
    member.process?.kill();
    member.process = undefined;
    member.node = undefined;
    member.isStopping = false;
  }

  #process(name: string): SimulatedProcess {
    const incarnation = (this.#incarnations.get(name) ?? 0) + 1;
    this.#incarnations.set(name, incarnation);
    const { skewOf, rateOf } = this.#options;
    const connection = this.#broker.connect(name);
    const life = new SimulatedProcess(
      this.world,
      { name, connection, skewMs: skewOf?.(name) ?? 0, rate: rateOf?.(name) ?? 1, setAheadMs: this.clockAheadMs(name) },
      incarnation,
    );
    this.#processes.set(name, life);
    return life;
  }

  #ports(life: SimulatedProcess): ServerPorts {
    const { bus, clock, random, log } = life;
    return { bus, clock, random, log, telemetry: noTelemetry };
  }

  /** The zone in which a node is, or would be. */
  zoneOf(node: string): ZoneName {
    return unwrap(parseZoneName(this.#options.zoneOf?.(node) ?? 'default'));
  }
}
