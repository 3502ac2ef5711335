/**
 * A node: the replica of its share of the ring, and a coordinator beside it (paper, section 5: request coordination, membership
 * and failure detection, and the persistence engine are the three parts of a storage node).
 *
 * `#handlers` is the table of contents of what becomes of each request. How the parts are put
 * together is in `node-parts.ts`.
 */
import { ArmatureError } from '@armature/kernel';
import type { RunningService } from '@armature/bus';
import type { Participant, RoleHandlers } from '@armature/coordination';
import type { NodeStatus } from '@armature/protocol';
import type { Access } from '@armature/rights';
import type { Timer } from '@armature/runtime';
import { AdminDoor } from './admin-door.js';
import { FrontDoor } from './front-door.js';
import { Gate, knownAccess } from './gate.js';
import { nodeNotes } from './node-notes.js';
import { followView, openNodeParts, probeStore, wakeUp, type NodeParts } from './node-parts.js';
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
    participant.start(
      node.#handlers(),
      (kind) => new ArmatureError('invalid-argument', `this is a node, and no anti-entropy worker: ${kind} goes to one`),
    );
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
      answer: (request, sender) => this.participant.answer(request, sender),
    });
  }

  #openAdmin(): AdminDoor {
    const { options } = this;
    const { membership, link } = this.participant;
    return new AdminDoor({
      ...{ ...this.#ports, ...options, server: link.address, membership },
      answer: (request, sender) => this.participant.answer(request, sender),
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

  /** What becomes of each kind of request. */
  #handlers(): RoleHandlers {
    const { keys, coordinator, participant, synchronisation, commands } = this.#parts;
    return {
      ...keys.handlers,
      ...synchronisation.handlers,
      fetch: (request, { remainingMs }) => coordinator.fetch(request, remainingMs),
      write: (request, { remainingMs }) => coordinator.write(request, remainingMs),
      scan: (request, { remainingMs }) => coordinator.scan(request, remainingMs),
      propose: async ({ change, author }) => ({ kind: 'propose', record: await participant.membership.propose(change, author) }),
      history: () => historyOf(participant.membership),
      status: async () => ({ kind: 'status', status: await this.status() }),
      commands: () => ({ kind: 'commands', commands: commands.commands }),
      'keep-command': ({ command }) => commands.keep(command).then(() => ({ kind: 'keep-command' })),
    };
  }
}
