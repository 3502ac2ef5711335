/**
 * A node: the replica of its share of the ring, and a coordinator beside it (paper, section 5: request coordination, membership and failure
 * detection, and the persistence engine are the three parts of a storage node).
 *
 * Requests come in through `#answer`, and this file is the table of contents of what becomes of each.
 */
import { ArmatureError, unreachable } from '@armature/kernel';
import type { LinkSender, RunningService } from '@armature/bus';
import { Coordinator, Participant, createSealer } from '@armature/coordination';
import {
  unknownBucket,
  type MergeReply,
  type MergeRequest,
  type NodeStatus,
  type PullReply,
  type PullRequest,
  type ReadReply,
  type ReadRequest,
  type Reply,
  type Request,
} from '@armature/protocol';
import { ActorEpoch, Filler, Replica } from '@armature/replica';
import { bucketOfAddress } from '@armature/ring';
import { Store } from '@armature/storage';
import { epochStoreOn, historyStoreOn, recordStoreOn } from './node-storage.js';
import { fenceByRing } from './ring-fence.js';
import { SERVER_VERSION, type NodeOptions, type NodePorts } from './server-options.js';
import { describeService } from './service.js';

/** What a page of a transfer or scan may hold at most. */
const MAX_PULL_ENTRIES = 1_000;
const MAX_PULL_BYTES = 4 * 1024 * 1024;

export class ArmatureNode {
  readonly options: NodeOptions;
  readonly participant: Participant;
  readonly #ports: NodePorts;
  readonly #store: Store;
  readonly #epoch: ActorEpoch;
  readonly #replica: Replica;
  readonly #coordinator: Coordinator;
  readonly #filler: Filler;
  readonly #startedAtMs: number;
  #service: RunningService | undefined;

  private constructor(
    options: NodeOptions,
    ports: NodePorts,
    parts: { store: Store; epoch: ActorEpoch; participant: Participant },
  ) {
    this.options = options;
    this.#ports = ports;
    this.#store = parts.store;
    this.#epoch = parts.epoch;
    this.participant = parts.participant;
    this.#startedAtMs = ports.clock.nowMs();
    const { clock, log, telemetry } = ports;
    this.#replica = new Replica({
      node: options.node,
      store: recordStoreOn(parts.store),
      epoch: parts.epoch,
      clock,
      log,
      telemetry,
    });
    this.#coordinator = new Coordinator({
      env: parts.participant.coordination,
      sealer: createSealer(options.secret, options.cluster),
      replica: this.#replica,
    });
    this.#filler = new Filler({
      node: options.node,
      view: () => parts.participant.membership.view,
      ask: parts.participant.coordination.ask,
      replica: this.#replica,
      declareReady: (change, partitions) => parts.participant.membership.declareReady(change, partitions),
      clock,
      log,
      telemetry,
    });
    parts.store.onCommitFailure(() => parts.epoch.retire('a commit failed: peers may know writes that this store has not kept'));
  }

  /** Opens the store, takes up the actor and the history, and answers. Errors: storage errors, `invalid-config`. The engine is closed by `stop`. */
  static async start(options: NodeOptions, ports: NodePorts): Promise<ArmatureNode> {
    const { engine, clock, random, log, telemetry } = ports;
    const store = new Store({
      engine,
      clock,
      log,
      telemetry,
      ...(options.cacheBytes === undefined ? {} : { cacheBytes: options.cacheBytes }),
    });
    const epoch = await ActorEpoch.open({ store: epochStoreOn(store), clock, random, log, telemetry });
    const participant = await Participant.open(
      { ...options, role: 'node', name: options.node },
      { bus: ports.bus, clock, random, log, telemetry, historyStore: historyStoreOn(store, log) },
    );
    const node = new ArmatureNode(options, ports, { store, epoch, participant });
    participant.start((request, sender) => node.#answer(request, sender));
    participant.membership.onChange(() => node.#filler.wake());
    node.#filler.wake();
    node.#service = await ports.bus.serve(describeService('node', options, options.node, () => node.status()));
    return node;
  }

  /** Whether this node takes part in a cluster and its store works: what a load balancer wants to know. */
  get ready(): boolean {
    return this.notes.length === 0;
  }

  async status(): Promise<NodeStatus> {
    const { view } = this.participant.membership;
    const health = this.#store.health();
    return {
      name: this.options.node,
      role: 'node',
      version: SERVER_VERSION,
      startedAtMs: this.#startedAtMs,
      clusterId: view.cluster?.id,
      historyFingerprint: view.fingerprint,
      ring: view.ringVersion,
      ready: this.ready,
      notes: this.notes,
      suspects: [...view.members.keys()].filter((node) => this.participant.monitor.isSuspect(node)),
      pendingPartitions: view.pendingFor(this.options.node).length,
      storage: {
        engine: this.#ports.engine.name,
        healthy: health.status === 'ok',
        sizeBytes: await this.#ports.engine.sizeBytes(),
      },
      actor: this.#epoch.current,
    };
  }

  /** Finishes what is in hand, marks the store as cleanly closed, and closes it. The bus stays open: it is its owner's. */
  async stop(): Promise<void> {
    this.#filler.stop();
    await this.#service?.stop();
    await this.participant.stop();
    await this.#store.sync();
    await this.#epoch.close();
    await this.#store.close();
  }

  /** Why it is not ready, in words for an operator. */
  get notes(): readonly string[] {
    const { view } = this.participant.membership;
    const notes: string[] = [];
    if (view.cluster === undefined) notes.push('the cluster has not been created yet');
    else if (!view.members.has(this.options.node)) notes.push('this node is not a member: armature cluster join');
    if (this.#store.health().status === 'failing') notes.push('storage is failing');
    if (!this.#ports.bus.connected) notes.push('the message bus is disconnected');
    return notes;
  }

  #answer(request: Request, sender: LinkSender): Reply | Promise<Reply> {
    switch (request.kind) {
      case 'read':
        return this.#read(request);
      case 'merge':
        return this.#merge(request);
      case 'pull':
        return this.#pull(request);
      case 'fetch':
        return this.#coordinator.fetch(request, sender.remainingMs);
      case 'write':
        return this.#coordinator.write(request, sender.remainingMs);
      case 'scan':
        return this.#coordinator.scan(request, sender.remainingMs);
      case 'propose':
        return this.participant.membership.propose(request.change).then((record) => ({ kind: 'propose', record }));
      case 'status':
        return this.status().then((status) => ({ kind: 'status', status }));
      case 'gossip':
      case 'ping':
        throw new ArmatureError('internal', `${request.kind} is answered by the participant`);
      default:
        return unreachable(request);
    }
  }

  #read(request: ReadRequest): ReadReply | Promise<ReadReply> {
    const { membership } = this.participant;
    fenceByRing(membership, membership.view, request.ring, true);
    const set = this.#replica.read(request.address);
    return set instanceof Promise ? set.then((read) => ({ kind: 'read', set: read })) : { kind: 'read', set };
  }

  async #merge(request: MergeRequest): Promise<MergeReply> {
    const { membership } = this.participant;
    fenceByRing(membership, membership.view, request.ring, true);
    const name = bucketOfAddress(request.address);
    const bucket = membership.view.buckets.get(name) ?? (await membership.refresh()).buckets.get(name);
    if (bucket === undefined) throw unknownBucket(name);
    await this.#replica.merge(request.address, request.set, bucket, request.durability);
    return { kind: 'merge', durable: request.durability === 'fsync' };
  }

  async #pull(request: PullRequest): Promise<PullReply> {
    const { membership } = this.participant;
    fenceByRing(membership, membership.view, request.ring, false);
    const page = await this.#replica.page({
      start: request.start,
      end: request.end,
      limit: Math.min(Math.max(1, request.limit), MAX_PULL_ENTRIES),
      limitBytes: Math.min(Math.max(1, request.limitBytes), MAX_PULL_BYTES),
    });
    const { bucket } = request;
    const entries =
      bucket === undefined ? page.entries : page.entries.filter(({ address }) => bucketOfAddress(address) === bucket);
    return { kind: 'pull', entries, next: page.next };
  }
}
