/**
 * A node: the replica of its share of the ring, and a coordinator beside it (paper, section 5: request coordination, membership and failure
 * detection, and the persistence engine are the three parts of a storage node).
 *
 * Requests come in through `#answer`, and this file is the table of contents of what becomes of each.
 */
import { ArmatureError, unreachable } from '@armature/kernel';
import type { LinkSender, RunningService } from '@armature/bus';
import type { View } from '@armature/membership';
import { Coordinator, Participant, createSealer } from '@armature/coordination';
import type { NodeStatus, PullReply, PullRequest, Reply, Request } from '@armature/protocol';
import {
  ActorEpoch,
  BackgroundSlices,
  DEFAULT_HINT_LIMIT_BYTES,
  ForegroundWatch,
  HintDelivery,
  HintStore,
  Replica,
  SliceBudget,
  type MintRequest,
  type MintResult,
} from '@armature/replica';
import { bucketOfAddress } from '@armature/ring';
import { Store } from '@armature/storage';
import { Departure } from './departure.js';
import { discard } from './discard.js';
import { KeyRequests } from './key-requests.js';
import { nodeNotes } from './node-notes.js';
import { epochStoreOn, hintSpaceOn, historyStoreOn, recordStoreOn, tenureStoreOn } from './node-storage.js';
import { observedEngine } from './observed-engine.js';
import { fenceByRing, type Fence } from './ring-fence.js';
import { SERVER_VERSION, type NodeOptions, type NodePorts } from './server-options.js';
import { describeService, leaveBus } from './service.js';
import { StoreIdentity } from './store-identity.js';
import { Synchronisation } from './synchronisation.js';
import { Transfers } from './transfers.js';

/** What a page of a scan may hold at most. */
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
  readonly #transfers: Transfers;
  readonly #hints: HintStore;
  readonly #hintDelivery: HintDelivery;
  readonly #departure: Departure;
  readonly #identity: StoreIdentity;
  readonly #keys: KeyRequests;
  readonly #fence: Fence;
  readonly #foreground: ForegroundWatch;
  readonly #slices: BackgroundSlices;
  /** For listings of all that is held. */
  readonly #inventory: SliceBudget;
  readonly #synchronisation: Synchronisation;
  readonly #startedAtMs: number;
  #service: RunningService | undefined;

  private constructor(
    options: NodeOptions,
    ports: NodePorts,
    parts: {
      store: Store;
      epoch: ActorEpoch;
      hints: HintStore;
      participant: Participant;
      identity: StoreIdentity;
      foreground: ForegroundWatch;
    },
  ) {
    this.options = options;
    this.#ports = ports;
    this.#store = parts.store;
    this.#epoch = parts.epoch;
    this.participant = parts.participant;
    this.#identity = parts.identity;
    this.#fence = { membership: parts.participant.membership, identity: parts.identity };
    this.#startedAtMs = ports.clock.nowMs();
    const { clock, log, telemetry } = ports;
    this.#foreground = parts.foreground;
    this.#slices = new BackgroundSlices({
      clock,
      telemetry,
      look: (nowMs) =>
        parts.foreground.look(nowMs, {
          storeQueueShare: parts.store.queueShare,
          eventLoopDelayMs: parts.participant.pauses.delayMs,
        }),
    });
    parts.store.askBeforeFlush(() => this.#slices.slice('flush'));
    this.#inventory = new SliceBudget(this.#slices.slice, 'repair');
    this.#replica = new Replica({
      node: options.node,
      store: recordStoreOn(parts.store),
      epoch: parts.epoch,
      clock,
      log,
      telemetry,
      observer: {
        wrote: (address, before, after) => this.#synchronisation.observer.wrote(address, before, after),
        dropped: (address, before) => this.#synchronisation.observer.dropped(address, before),
        doubted: (address) => this.#synchronisation.observer.doubted(address),
      },
    });
    this.#synchronisation = new Synchronisation({
      node: options.node,
      participant: parts.participant,
      fence: this.#fence,
      replica: this.#replica,
      hints: parts.hints,
      store: parts.store,
      reapQuarantineMs: options.reapQuarantineMs,
      slice: this.#slices.slice,
      verifyCycleMs: options.verifyCycleMs,
      clock,
      log,
      telemetry,
    });
    this.#coordinator = new Coordinator({
      env: parts.participant.coordination,
      sealer: createSealer(options.secret, options.cluster),
      replica: {
        mint: (request) => this.#mint(request),
        merge: (address, set, bucket, durability) => this.#replica.merge(address, set, bucket, durability),
      },
      hints: parts.hints,
    });
    this.#hints = parts.hints;
    this.#keys = new KeyRequests({
      membership: parts.participant.membership,
      fence: this.#fence,
      replica: this.#replica,
      hints: parts.hints,
    });
    this.#hintDelivery = new HintDelivery({
      node: options.node,
      hints: parts.hints,
      view: () => parts.participant.membership.view,
      ask: parts.participant.coordination.ask,
      isSuspect: (node) => parts.participant.monitor.isSuspect(node),
      ...(options.hintMaxAgeMs === undefined ? {} : { maxAgeMs: options.hintMaxAgeMs }),
      mayDeliver: () => parts.identity.isSettled,
      slice: this.#slices.slice,
      clock,
      log,
      telemetry,
    });
    this.#departure = new Departure({
      node: options.node,
      membership: parts.participant.membership,
      isEmptyHanded: () => this.#isEmptyHanded(),
      clock,
      log,
    });
    this.#transfers = new Transfers({
      node: options.node,
      options,
      participant: parts.participant,
      replica: this.#replica,
      share: this.#synchronisation.share,
      trees: this.#synchronisation.trees,
      ask: (peer, request, timeoutMs) => this.#synchronisation.ask(peer, request, timeoutMs),
      sync: () => parts.store.sync(),
      isOwnStore: () => parts.identity.isSettled,
      slice: this.#slices.slice,
      clock,
      log,
      telemetry,
    });
    parts.store.onCommitFailure(() => {
      parts.epoch.retire('a commit failed: peers may know writes that this store has not kept');
      parts.hints.commitFailed();
    });
  }

  /** Opens the store, takes up the actor and the history, and answers. Errors: storage errors, `invalid-config`. The engine is closed by `stop`. */
  static async start(options: NodeOptions, ports: NodePorts): Promise<ArmatureNode> {
    const { engine, clock, random, log, telemetry } = ports;
    const foreground = new ForegroundWatch(clock, telemetry);
    const store = new Store({
      engine: observedEngine(engine, foreground),
      clock,
      log,
      telemetry,
      ...(options.cacheBytes === undefined ? {} : { cacheBytes: options.cacheBytes }),
      ...(options.bufferFlushMs === undefined ? {} : { bufferFlushMs: options.bufferFlushMs }),
    });
    const epoch = await ActorEpoch.open({ store: epochStoreOn(store), clock, random, log, telemetry });
    const participant = await Participant.open(
      { ...options, role: 'node', name: options.node },
      { bus: ports.bus, clock, random, log, telemetry, historyStore: historyStoreOn(store, log) },
    );
    const hints = await HintStore.open({
      node: options.node,
      space: hintSpaceOn(store),
      clock,
      random,
      log,
      telemetry,
      limitBytes: options.hintLimitBytes ?? DEFAULT_HINT_LIMIT_BYTES,
      isTaking: () => node.#isTakingHints,
    });
    const identity = await StoreIdentity.open({
      ...options,
      membership: participant.membership,
      epoch,
      tenures: tenureStoreOn(store),
      discard: (all) => node.#discard(all),
      onSettled: () => node.#follow(),
      clock,
      log,
    });
    const node: ArmatureNode = new ArmatureNode(options, ports, { store, epoch, hints, participant, identity, foreground });
    participant.start((request, sender) => node.#answer(request, sender));
    const follow = (): void => {
      identity.follow();
      node.#follow();
    };
    participant.membership.onChange(follow);
    follow();
    participant.monitor.onTransition(({ node: peer, to }) => {
      if (to === 'healthy') node.#hintDelivery.recovered(peer);
    });
    await identity.confirm();
    node.#hintDelivery.start();
    node.#service = await ports.bus.serve(describeService('node', options, options.node, () => node.status()));
    return node;
  }

  /** What depends on the view catches up with it. */
  #follow(): void {
    this.#transfers.follow();
    this.#synchronisation.follow();
    this.#departure.follow();
  }

  /** Nobody would look for a hint on a node that is no member, and none may come to one that has been found without any. */
  get #isTakingHints(): boolean {
    return this.#identity.isSettled && this.#departure.phase !== 'clearing';
  }

  #discard(all: boolean): Promise<void> {
    const view = (): View => this.participant.membership.view;
    return discard({ node: this.options.node, view, replica: this.#replica, hints: this.#hints, log: this.#ports.log }, all);
  }

  /** Whether nothing is left here, as this node leaves, that another one lacks. */
  async #isEmptyHanded(): Promise<boolean> {
    if (!this.#transfers.isClear) return false;
    if (await this.#hints.isEmpty()) return true;
    await this.#hintDelivery.deliverAll();
    return this.#hints.isEmpty();
  }

  /** Whether this node takes part in a cluster and its store works: what a load balancer wants to know. */
  get ready(): boolean {
    return this.notes.length === 0;
  }

  /** Bytes kept for owners that could not be reached. */
  get hintBytes(): number {
    return this.#hints.sizeBytes;
  }

  async status(): Promise<NodeStatus> {
    const { view } = this.participant.membership;
    const health = this.#store.health();
    return {
      name: this.options.node,
      role: 'node',
      version: SERVER_VERSION,
      startedAtMs: this.#startedAtMs,
      ...this.participant.standing,
      ready: this.ready,
      notes: this.notes,
      pendingPartitions: view.pendingFor(this.options.node).length,
      transfers: this.#transfers.status,
      hintBytes: this.hintBytes,
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
    this.#identity.stop();
    this.#transfers.stop();
    this.#departure.stop();
    this.#hintDelivery.stop();
    this.#slices.stop();
    this.#synchronisation.stop();
    await leaveBus(this.participant, this.#service === undefined ? [] : [this.#service], this.#ports.clock, this.options);
    try {
      await this.#store.sync();
      await this.#epoch.close();
    } finally {
      await this.#store.close(); // what cannot be synced is still closed: without the mark the next start takes a fresh actor
    }
  }

  /** Why it is not ready, in words for an operator. */
  get notes(): readonly string[] {
    return nodeNotes({
      node: this.options.node,
      view: this.participant.membership.view,
      wasMember: this.#identity.wasMember,
      storeNote: this.#identity.note,
      health: this.#store.health(),
      connected: this.#ports.bus.connected,
    });
  }

  /**
   * What a replica does for a request is the foreground that background work gives way to. Coordinated requests are left out: most of their time is
   * other nodes', whose background work is their own affair.
   */
  #answer(request: Request, sender: LinkSender): Reply | Promise<Reply> {
    const isForeground = request.kind === 'read' || request.kind === 'merge';
    if (!isForeground || !this.#foreground.isRequestDue()) return this.#serve(request, sender);
    return this.#foreground.request(() => this.#serve(request, sender));
  }

  #serve(request: Request, sender: LinkSender): Reply | Promise<Reply> {
    switch (request.kind) {
      case 'read':
        return this.#keys.read(request, sender);
      case 'merge':
        return this.#keys.merge(request, sender);
      case 'pull':
        return this.#pull(request, sender);
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
      case 'holdings':
        return this.#synchronisation.holdings();
      case 'tree':
      case 'digests':
      case 'sets':
      case 'absorb':
      case 'exchange':
      case 'reap':
      case 'clear':
      case 'drop':
        return this.#synchronisation.answer(request, sender);
      case 'gossip':
      case 'ping':
        throw new ArmatureError('internal', `${request.kind} is answered by the participant`);
      default:
        return unreachable(request);
    }
  }

  /** As `Replica.mint`; foreground, from taking a put on until it is stored here. */
  #mint(request: MintRequest): Promise<MintResult> {
    this.#identity.check();
    const minted = this.#replica.mint(request);
    if (this.#foreground.isRequestDue()) {
      const stored = this.#foreground.request(() => minted.then(({ committed }) => committed));
      void Promise.resolve(stored).catch(() => undefined); // the coordinator deals with it
    }
    return minted;
  }

  async #pull(request: PullRequest, sender: LinkSender): Promise<PullReply> {
    // Of a bucket, somebody waits for the page; all that is held is asked for by audits. Before the fence, which must hold for what is read.
    const isInventory = request.bucket === undefined;
    if (isInventory) await this.#inventory.ready();
    const fenced = fenceByRing(this.#fence, request.ring, sender.address);
    if (fenced !== undefined) await fenced;
    const page = await this.#replica.page({
      start: request.start,
      end: request.end,
      limit: Math.min(Math.max(1, request.limit), MAX_PULL_ENTRIES),
      limitBytes: Math.min(Math.max(1, request.limitBytes), MAX_PULL_BYTES),
    });
    if (isInventory) this.#inventory.spend(page.entries.length);
    const { bucket } = request;
    const entries =
      bucket === undefined ? page.entries : page.entries.filter(({ address }) => bucketOfAddress(address) === bucket);
    return { kind: 'pull', entries, next: page.next };
  }
}
