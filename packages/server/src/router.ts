/**
 * A router: the dedicated coordinator tier (paper, section 5: "a generic load balancer" in front of partition-aware
 * coordination). It holds no data and no history; it reads from replicas itself and has a replica mint its writes. Any number of
 * them run side by side.
 *
 * It serves applications at two doors, which take no secret: links, for `@armature/client` (front-door.ts), and the plain API,
 * for any NATS client (plain-api.ts). A third one is for administration (admin-door.ts).
 */
import { ArmatureError, toArmatureError } from '@armature/kernel';
import type { LinkSender, RunningService } from '@armature/bus';
import { Coordinator, Participant, createSealer, serverPace, type RoleHandlers } from '@armature/coordination';
import { nodeAddress, type NodeStatus, type ProposeReply, type ProposeRequest } from '@armature/protocol';
import type { LinkAddress } from '@armature/bus';
import { AdminDoor } from './admin-door.js';
import { busNotes } from './bus-notes.js';
import { FrontDoor } from './front-door.js';
import { Gate, knownAccess } from './gate.js';
import { servePlainApi } from './plain-api.js';
import { RemoteCommands } from './remote-commands.js';
import { SERVER_VERSION, type RouterOptions, type ServerPorts } from './server-options.js';
import type { Presence } from './presence.js';
import { claimName, describeService, historyOf, leaveBus } from './service.js';

export class ArmatureRouter {
  readonly options: RouterOptions;
  readonly participant: Participant;
  readonly #ports: ServerPorts;
  readonly #coordinator: Coordinator;
  readonly #gate: Gate;
  readonly #startedAtMs: number;
  readonly #presence: Presence;
  readonly #doors: readonly (FrontDoor | AdminDoor)[];
  readonly #services: RunningService[] = [];

  private constructor(options: RouterOptions, ports: ServerPorts, participant: Participant, presence: Presence) {
    this.options = options;
    this.#presence = presence;
    this.#ports = ports;
    this.participant = participant;
    this.#gate = new Gate({
      cluster: options.cluster,
      secrets: options.secrets,
      access: () => knownAccess(participant.membership),
      clock: ports.clock,
      telemetry: ports.telemetry,
    });
    this.#startedAtMs = ports.clock.nowMs();
    this.#coordinator = new Coordinator({
      env: participant.coordination,
      sealer: createSealer(options.secrets, options.cluster),
      pace: serverPace(ports.clock, ports.telemetry),
    });
    const server = { ...ports, ...options, server: participant.link.address };
    const front = new FrontDoor({
      ...{ ...server, membership: participant.membership },
      authorize: (bucket, right, key, token) => this.#gate.authorize(bucket, right, key, token),
      answer: (request, sender) => participant.answer(request, sender),
    });
    const commands = new RemoteCommands(participant, ports);
    const admin = new AdminDoor({
      ...{ ...server, membership: participant.membership },
      answer: (request, sender) => participant.answer(request, sender),
      keep: (command) => commands.keep(command),
    });
    this.#doors = [front, admin];
  }

  /** Errors: `name-in-use`, `invalid-config`. */
  static async start(options: RouterOptions, ports: ServerPorts): Promise<ArmatureRouter> {
    const presence = await claimName('router', options.name, options, ports);
    const participant = await Participant.open({ ...options, role: 'router' }, { ...ports, historyStore: undefined });
    const router = new ArmatureRouter(options, ports, participant, presence);
    participant.start(
      router.#handlers(),
      (kind) => new ArmatureError('invalid-argument', `a router holds no replica: ${kind} goes to a node`),
    );
    await participant.membership.refresh().catch((thrown: unknown) => {
      ports.log.warn({ err: toArmatureError(thrown) }, 'no node answers yet; membership follows by gossip');
    });
    router.#services.push(
      await ports.bus.serve(
        describeService('router', options, options.name, {
          access: () => participant.membership.view.access,
          full: () => router.status(),
        }),
      ),
    );
    if (presence.hasMetStrangers && participant.membership.view.cluster === undefined) router.#servePlainLater();
    else await router.#servePlain();
    return router;
  }

  async #servePlain(): Promise<void> {
    const { bus, clock, random, log } = this.#ports;
    const parts = { bus, clock, random, log, coordinator: this.#coordinator, gate: this.#gate, options: this.options };
    this.#services.push(await servePlainApi(parts));
  }

  /**
   * Routers share plain requests, whatever their secrets are. One that knows of no cluster, where there is another one of its
   * name, may have the wrong secret: it would fail the requests of others. So it waits until somebody who holds its secret has
   * told it of its cluster.
   */
  #servePlainLater(): void {
    const { membership } = this.participant;
    const stopWatching = membership.onChange(({ cluster }) => {
      if (cluster === undefined) return;
      stopWatching();
      this.#servePlain().catch((thrown: unknown) => {
        this.#ports.log.error({ err: toArmatureError(thrown) }, 'the plain API could not be served');
      });
    });
  }

  get ready(): boolean {
    return this.notes.length === 0;
  }

  status(): NodeStatus {
    return {
      name: this.options.name,
      role: 'router',
      version: SERVER_VERSION,
      startedAtMs: this.#startedAtMs,
      ...this.participant.standing,
      ready: this.ready,
      notes: this.notes,
      pendingPartitions: 0,
      transfers: undefined,
      hintBytes: 0,
      stuckHints: [],
      storage: undefined,
      actor: undefined,
      clock: undefined,
    };
  }

  async stop(): Promise<void> {
    this.#presence.stop();
    await leaveBus(this.participant, [...this.#services, ...this.#doors], this.#ports.clock, this.options);
  }

  /** Why it is not ready, in words for an operator. */
  get notes(): readonly string[] {
    const notes: string[] = [];
    if (this.#presence.lost !== undefined) notes.push(this.#presence.lost.message);
    if (this.participant.membership.view.cluster === undefined) notes.push('no node has told this router of a cluster yet');
    notes.push(...busNotes(this.#ports.bus));
    return notes;
  }

  #handlers(): RoleHandlers {
    const coordinator = this.#coordinator;
    return {
      fetch: (request, { remainingMs }) => coordinator.fetch(request, remainingMs),
      write: (request, { remainingMs }) => coordinator.write(request, remainingMs),
      scan: (request, { remainingMs }) => coordinator.scan(request, remainingMs),
      status: () => ({ kind: 'status', status: this.status() }),
      history: () => historyOf(this.participant.membership),
      commands: () => ({ kind: 'commands', commands: [] }), // those that were given here are kept at nodes
      propose: (request, sender) => this.#passOn(request, sender),
    };
  }

  /** A router keeps no history, so an administrator's command goes on to a member that does. */
  async #passOn(request: ProposeRequest, sender: LinkSender): Promise<ProposeReply> {
    const { membership, monitor, link } = this.participant;
    const [node] = monitor.order([...membership.view.members.keys()]);
    if (node === undefined) throw new ArmatureError('no-cluster', 'this router knows no node to pass the command to');
    return (await link.request(nodeAddress(node) as LinkAddress, request, sender.remainingMs)) as ProposeReply;
  }
}
