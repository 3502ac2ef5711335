/**
 * A node: the replica of its share of the ring, and a coordinator beside it (paper, section 5: request coordination, membership
 * and failure detection, and the persistence engine are the three parts of a storage node).
 *
 * Requests come in through `#answer`, and this file is the table of contents of what becomes of each. How the parts are put
 * together is in `node-parts.ts`.
 */
import { ArmatureError, unreachable } from '@armature/kernel';
import type { LinkSender, RunningService } from '@armature/bus';
import type { Participant } from '@armature/coordination';
import type { NodeStatus, PullReply, PullRequest, Reply, Request } from '@armature/protocol';
import { pullPage } from '@armature/replica';
import type { Access } from '@armature/rights';
import type { Timer } from '@armature/runtime';
import { AdminDoor } from './admin-door.js';
import { FrontDoor } from './front-door.js';
import { Gate, knownAccess } from './gate.js';
import { nodeNotes } from './node-notes.js';
import { followView, openNodeParts, probeStore, wakeUp, type NodeParts } from './node-parts.js';
import { fenceByRing } from './ring-fence.js';
import { SERVER_VERSION, type NodeOptions, type NodePorts } from './server-options.js';
import { claimName, describeService, historyOf, leaveBus } from './service.js';

export class ArmatureNode {
  readonly options: NodeOptions;
  readonly #ports: NodePorts;
  readonly #parts: NodeParts;
  readonly #startedAtMs: number;
  #service: RunningService | undefined;
  #doors: readonly (FrontDoor | AdminDoor)[] = [];
  #probing: Timer | undefined;

  private constructor(options: NodeOptions, ports: NodePorts, parts: NodeParts) {
    this.options = options;
    this.#ports = ports;
    this.#parts = parts;
    this.#startedAtMs = ports.clock.nowMs();
  }

  /**
   * Takes its name, opens the store, takes up the actor and the history, and answers; whether the store may be asked is found out
   * after that. Errors: `name-in-use`, storage errors, `invalid-config`. The engine is closed by `stop`.
   */
  static async start(options: NodeOptions, ports: NodePorts): Promise<ArmatureNode> {
    const presence = await claimName('node', options.node, options, ports);
    const parts = await openNodeParts(options, ports, presence).catch((thrown: unknown) => {
      presence.stop();
      throw thrown;
    });
    const { participant, identity, hintDelivery } = parts;
    const node = new ArmatureNode(options, ports, parts);
    participant.start((request, sender) => node.#answer(request, sender));
    node.#doors = [node.#openFront(), node.#openAdmin()];
    const follow = (): void => {
      void participant.clocks.compare();
      identity.follow();
      followView(parts);
    };
    participant.membership.onChange(follow);
    follow();
    participant.monitor.onTransition(({ node: peer, to }) => {
      if (to === 'healthy') hintDelivery.recovered(peer);
    });
    participant.whenSlept((sleptMs) => wakeUp(parts, sleptMs));
    await identity.firstLook;
    hintDelivery.start();
    node.#probing = probeStore(parts, ports.clock);
    const access = (): Access => participant.membership.view.access;
    node.#service = await ports.bus.serve(describeService('node', options, options.node, { access, full: () => node.status() }));
    return node;
  }

  #openFront(): FrontDoor {
    const { options } = this;
    const { membership, link } = this.participant;
    const gate = new Gate({ ...this.#ports, ...options, access: () => knownAccess(membership) });
    return new FrontDoor({
      ...{ ...this.#ports, ...options, server: link.address, membership },
      authorize: (bucket, right, key, token) => gate.authorize(bucket, right, key, token),
      answer: (request, sender) => this.#answer(request, sender),
    });
  }

  #openAdmin(): AdminDoor {
    const { options } = this;
    const { membership, link } = this.participant;
    return new AdminDoor({
      ...{ ...this.#ports, ...options, server: link.address, membership },
      answer: (request, sender) => this.#answer(request, sender),
      keep: (command) => this.#parts.commands.keep(command),
    });
  }

  get participant(): Participant {
    return this.#parts.participant;
  }

  /** Whether this node takes part in a cluster and its store works: what a load balancer wants to know. */
  get ready(): boolean {
    return this.notes.length === 0;
  }

  /** Bytes kept for owners that could not be reached. */
  get hintBytes(): number {
    return this.#parts.hints.sizeBytes;
  }

  async status(): Promise<NodeStatus> {
    const { participant, transfers, hintDelivery, store, epoch } = this.#parts;
    const { engine } = this.#ports;
    return {
      name: this.options.node,
      role: 'node',
      version: SERVER_VERSION,
      startedAtMs: this.#startedAtMs,
      ...participant.standing,
      ready: this.ready,
      notes: this.notes,
      pendingPartitions: participant.membership.view.pendingFor(this.options.node).length,
      transfers: transfers.status,
      hintBytes: this.hintBytes,
      stuckHints: hintDelivery.stuck,
      storage: {
        engine: engine.name,
        healthy: store.health().status === 'ok',
        sizeBytes: await engine.sizeBytes().catch(() => 0),
      },
      actor: epoch.current,
      clock: participant.clocks.standing,
    };
  }

  /** Finishes what is in hand, marks the store as cleanly closed, and closes it. The bus stays open: it is its owner's. */
  async stop(): Promise<void> {
    const {
      presence,
      identity,
      transfers,
      departure,
      hintDelivery,
      slices,
      synchronisation,
      participant,
      store,
      epoch,
      commands,
    } = this.#parts;
    for (const part of [presence, identity, transfers, departure, hintDelivery, slices, synchronisation]) part.stop();
    this.#probing?.cancel();
    const services = [this.#service, ...this.#doors].filter((one) => one !== undefined);
    await leaveBus(participant, services, this.#ports.clock, this.options);
    await commands.close();
    epoch.end();
    try {
      await store.sync();
      await epoch.close();
    } finally {
      await store.close(); // what cannot be synced is still closed: without the mark the next start takes a fresh actor
    }
  }

  /** Why it is not ready, in words for an operator. */
  get notes(): readonly string[] {
    const { participant, identity, epoch, store } = this.#parts;
    return nodeNotes({
      node: this.options.node,
      view: participant.membership.view,
      wasMember: identity.wasMember,
      storeNote: identity.note,
      epochNote: epoch.note,
      health: store.health(),
      clockNote: participant.clocks.note,
      bus: this.#ports.bus,
    });
  }

  /**
   * What a replica does for a request is the foreground that background work gives way to. Coordinated requests are left out:
   * most of their time is other nodes', whose background work is their own affair.
   */
  #answer(request: Request, sender: LinkSender): Reply | Promise<Reply> {
    const { foreground } = this.#parts;
    const isForeground = request.kind === 'read' || request.kind === 'merge';
    if (!isForeground || !foreground.isRequestDue()) return this.#serve(request, sender);
    return foreground.request(() => this.#serve(request, sender));
  }

  #serve(request: Request, sender: LinkSender): Reply | Promise<Reply> {
    const { keys, coordinator, participant, synchronisation, commands } = this.#parts;
    switch (request.kind) {
      case 'read':
        return keys.read(request, sender);
      case 'merge':
        return keys.merge(request, sender);
      case 'pull':
        return this.#pull(request, sender);
      case 'fetch':
        return coordinator.fetch(request, sender.remainingMs);
      case 'write':
        return coordinator.write(request, sender.remainingMs);
      case 'scan':
        return coordinator.scan(request, sender.remainingMs);
      case 'propose':
        return participant.membership.propose(request.change, request.author).then((record) => ({ kind: 'propose', record }));
      case 'status':
        return this.status().then((status) => ({ kind: 'status', status }));
      case 'history':
        return historyOf(participant.membership);
      case 'holdings':
        return synchronisation.holdings();
      case 'commands':
        return { kind: 'commands', commands: commands.commands };
      case 'keep-command':
        return commands.keep(request.command).then(() => ({ kind: 'keep-command' }));
      case 'tree':
      case 'digests':
      case 'sets':
      case 'absorb':
      case 'exchange':
      case 'reap':
      case 'clear':
      case 'note':
      case 'drop':
        return synchronisation.answer(request, sender);
      case 'worker':
        throw new ArmatureError('invalid-argument', 'this is a node, and no anti-entropy worker');
      case 'gossip':
      case 'ping':
        throw new ArmatureError('internal', `${request.kind} is answered by the participant`);
      default:
        return unreachable(request);
    }
  }

  async #pull(request: PullRequest, sender: LinkSender): Promise<PullReply> {
    const { inventory, fence, replica } = this.#parts;
    // Of a bucket, somebody waits for the page; all that is held is asked for by audits. Before the fence, which must hold for
    // what is read.
    const isInventory = request.bucket === undefined;
    if (isInventory) await inventory.ready();
    const fenced = fenceByRing(fence, request.ring, sender.address);
    if (fenced !== undefined) await fenced;
    const page = await pullPage(replica, request, this.options.messageBytes);
    if (isInventory) inventory.spend(page.entries.length);
    return page;
  }
}
