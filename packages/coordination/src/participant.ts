/**
 * A participant: what every process of a cluster has, whatever its role. A link to its peers, a view of membership that gossip
 * keeps fresh, a local opinion on who is up, and from these the environment in which coordination runs. Nodes, routers and direct
 * clients are participants that differ in what else they bring.
 *
 * It answers the control messages that every participant must (gossip, ping), and hands the rest to its owner.
 */
import {
  ArmatureError,
  quoted,
  toArmatureError,
  type ClusterName,
  type NodeId,
  type Random,
  type Secrets,
} from '@armature/kernel';
import {
  LinkEndpoint,
  parseLinkAddress,
  type Bus,
  type BusMessage,
  type BusSubscription,
  type LinkAddress,
  type LinkSender,
} from '@armature/bus';
import { FailureMonitor, Membership, type ClearingExchange, type HistoryStore } from '@armature/membership';
import {
  MAX_MESSAGE_BYTES,
  formatAnnouncement,
  handlerOf,
  mayHaveLargeAnswer,
  nodeAddress,
  nodeOfAddress,
  parseAnnouncement,
  protocolCodec,
  subjectsOf,
  type DiscoverableRole,
  type Handlers,
  type Kind,
  type LinkRole,
  type NodeStatus,
  type Reply,
  type ReplyTo,
  type Request,
  type Subjects,
} from '@armature/protocol';
import { AlarmWheel, waitAtMost, type Clock, type Logger, type Telemetry } from '@armature/runtime';
import { ClockWatch, type HeardClock } from './clock-watch.js';
import { linkKeys } from './cluster-domain.js';
import { CoordinationMetrics } from './coordination-metrics.js';
import { discover } from './discovery.js';
import type { CoordinationEnv, ReplicaRequest } from './environment.js';
import { InHand, NOBODY_ASKS } from './in-hand.js';
import { Inbox } from './inbox.js';
import { whileUp } from './patience.js';
import { PauseWatch } from './pause-watch.js';

export interface ParticipantOptions {
  readonly prefix: string;
  readonly cluster: ClusterName;
  readonly role: LinkRole;
  /** Unique among the participants of its role. */
  readonly name: string;
  /**
   * Link addresses of nodes to gossip with whether or not they are members: they heal partitions of membership (paper, 4.8.2).
   */
  readonly seeds: readonly LinkAddress[];
  /** Every second for nodes and routers, every ten for clients (paper, 4.8.1 and 6.4). */
  readonly gossipIntervalMs: number;
  /** Largest message of the link; `MAX_MESSAGE_BYTES` by default. */
  readonly messageBytes?: number;
  /** The cluster's secret, or two while it is being changed. */
  readonly secrets: Secrets;
}

export interface ParticipantPorts {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly telemetry: Telemetry;
  /** Undefined for those who keep no history of their own: routers and clients. */
  readonly historyStore: HistoryStore | undefined;
  /** See `MembershipEnv`. */
  readonly clearings?: ClearingExchange;
}

/** What answers requests of these kinds. */
export type RequestHandlers<K extends Kind> = Handlers<K, LinkSender>;
/** What a role answers; what every participant answers is not among it. */
export type RoleHandlers = Partial<RequestHandlers<Exclude<Kind, 'gossip' | 'ping'>>>;

/** What a stop waits for requests in hand and the bus. */
const DEFAULT_PATIENCE_MS = 5_000;
/** Hedges and put deadlines are told apart at this grain. */
const ALARM_TICK_MS = 5;

/** Timers that are so late on average tell that answers are, too: a third of what a ping may take. */
const BUSY_DELAY_MS = 100;
/** What says that the peer may be down. Every other error is an answer, and proves that it is up. */
const SILENCE = new Set(['unreachable', 'timeout']);

export class Participant {
  readonly options: ParticipantOptions;
  readonly link: LinkEndpoint<Request, Reply>;
  /** Where answers to questions come that it asks of nobody in particular. */
  readonly inbox: Inbox;
  readonly membership: Membership;
  readonly monitor: FailureMonitor;
  /** Whether this process stood still, and how late it is. */
  readonly pauses: PauseWatch;
  /** Whether this process's wall clock can be believed. Only nodes stamp anything, so only they watch. */
  readonly clocks: ClockWatch;
  readonly subjects: Subjects;
  /** What a node's operations have in hand. */
  readonly inHand = new InHand();
  /** The environment of a coordinator that lives here. */
  readonly coordination: CoordinationEnv;
  readonly #ports: ParticipantPorts;
  readonly #subscriptions: BusSubscription[] = [];
  readonly #sleepers = new Set<(sleptMs: number) => void>();
  #handlers: Partial<RequestHandlers<Kind>> = {};
  /** Why a kind without a handler is not answered. */
  #refusal: (kind: Kind) => ArmatureError = (kind) => new ArmatureError('unavailable', `${kind} is not answered yet`);

  private constructor(
    options: ParticipantOptions,
    ports: ParticipantPorts,
    { link, inbox }: { readonly link: LinkEndpoint<Request, Reply>; readonly inbox: Inbox },
    membership: Membership,
    monitor: FailureMonitor,
  ) {
    this.options = options;
    this.#ports = ports;
    this.link = link;
    this.inbox = inbox;
    this.membership = membership;
    this.monitor = monitor;
    this.subjects = subjectsOf(options.prefix, options.cluster);
    const { clock, random, log, telemetry } = ports;
    this.pauses = new PauseWatch({ clock, log, telemetry, onPause: (pausedMs, sleptMs) => this.#paused(pausedMs, sleptMs) });
    this.clocks = new ClockWatch({
      heard: () => this.#heardClocks(),
      peers: () => this.#otherMembers(),
      ping: (peer, timeoutMs) => link.request(nodeAddress(peer) as LinkAddress, { kind: 'ping' }, timeoutMs),
      clock,
      log,
      telemetry,
    });
    this.coordination = {
      view: () => membership.view,
      refresh: () => membership.refresh(),
      ask: (node, request, timeoutMs) => this.#ask(node, request, timeoutMs),
      monitor,
      clock,
      alarms: new AlarmWheel(clock, ALARM_TICK_MS),
      random,
      log,
      metrics: new CoordinationMetrics(clock, telemetry),
      messageBytes: options.messageBytes ?? MAX_MESSAGE_BYTES,
      inHand: options.role === 'node' ? this.inHand : NOBODY_ASKS,
      self: options.role === 'node' ? (options.name as NodeId) : undefined,
    };
  }

  static async open(options: ParticipantOptions, ports: ParticipantPorts): Promise<Participant> {
    const { bus, clock, random, log, telemetry } = ports;
    const address = linkAddressOf(options.role, options.name);
    const link = LinkEndpoint.open(bus, protocolCodec, {
      prefix: options.prefix,
      cluster: options.cluster,
      address,
      clock,
      random,
      log,
      telemetry,
      limits: { messageBytes: options.messageBytes ?? MAX_MESSAGE_BYTES },
      keys: linkKeys(options.secrets, options.cluster),
    });
    const subjects = subjectsOf(options.prefix, options.cluster);
    const inbox = new Inbox(bus, subjects, address, random);
    const ask = async <Q extends Request>(peer: string, request: Q, timeoutMs: number): Promise<ReplyTo<Q>> =>
      (await link.request(peer as LinkAddress, request, timeoutMs)) as ReplyTo<Q>;
    const prove = (peer: LinkAddress, timeoutMs: number): Promise<Reply> => link.request(peer, { kind: 'ping' }, timeoutMs);
    const node = options.role === 'node' ? (options.name as NodeId) : undefined;
    const membership = await Membership.open({
      self: { address, node },
      clusterName: options.cluster,
      historyStore: ports.historyStore,
      clearings: ports.clearings,
      transport: {
        gossip: (peer, request, timeoutMs) => ask(peer, request, timeoutMs),
        announce: (fingerprint) => bus.publish(subjects.announce, formatAnnouncement({ address, fingerprint })),
        discover: () => discover({ bus, clock, subjects, inbox, own: address, prove }, 'node'),
      },
      clock,
      random,
      log,
      telemetry,
      seeds: options.seeds,
      intervalMs: options.gossipIntervalMs,
      isClockRight: () => participant.clocks.isRight,
    });
    const monitor = new FailureMonitor({
      self: node,
      ping: async (peer, timeoutMs) => {
        await ask(nodeAddress(peer), { kind: 'ping' }, timeoutMs);
      },
      clock,
      random,
      log,
      telemetry,
      isBusy: () => participant.pauses.delayMs > BUSY_DELAY_MS,
    });
    const participant: Participant = new Participant(options, ports, { link, inbox }, membership, monitor);
    return participant;
  }

  /** Starts to answer, to gossip and to listen. `refusal` is the error for kinds that this role does not answer. */
  start(handlers: RoleHandlers, refusal: (kind: Kind) => ArmatureError): void {
    const { bus } = this.#ports;
    this.#handlers = {
      ...handlers,
      gossip: (request) => this.membership.answerGossip(request),
      ping: () => ({ kind: 'ping' }),
    };
    this.#refusal = refusal;
    this.link.serve((request, sender) => this.answer(request, sender), { mayHaveLargeAnswer });
    this.#subscriptions.push(
      bus.subscribe(this.subjects.announce, (message) => {
        const said = parseAnnouncement(message.payload);
        // Only nodes change the history.
        const isNode = said !== undefined && nodeOfAddress(said.address) !== undefined && parseLinkAddress(said.address).ok;
        if (isNode && said.address !== this.link.address) this.membership.heard(said.address, said.fingerprint);
      }),
    );
    if (this.options.role !== 'client') this.#answerDiscovery(this.options.role);
    this.membership.onChange(({ members }) => this.monitor.retain(members));
    this.membership.start();
    this.pauses.start();
    if (this.options.role === 'node') this.clocks.start();
  }

  /** Answers a request that came by the link, by a door, or from a coordinator in this process. Errors: those of its handler. */
  answer(request: Request, sender: LinkSender): Reply | Promise<Reply> {
    const handler = handlerOf(this.#handlers, request);
    if (handler === undefined) throw this.#refusal(request.kind);
    return handler(request, sender);
  }

  /** What every process says of itself and of what it sees of the cluster. */
  get standing(): Pick<NodeStatus, 'clusterId' | 'historyFingerprint' | 'historyRecords' | 'ring' | 'suspects'> {
    const { view } = this.membership;
    return {
      clusterId: view.cluster?.id,
      historyFingerprint: view.fingerprint,
      historyRecords: this.membership.recordCount,
      ring: view.ringVersion,
      suspects: [...view.members.keys()].filter((node) => this.monitor.isSuspect(node)),
    };
  }

  /** The machine was suspended for so long, as far as its clocks tell: somebody may have gone on from a copy of it. */
  whenSlept(listener: (sleptMs: number) => void): void {
    this.#sleepers.add(listener);
  }

  #paused(pausedMs: number, sleptMs: number): void {
    this.monitor.paused(pausedMs);
    for (const listener of this.#sleepers) listener(sleptMs);
  }

  /**
   * Whoever looks for some node or router wants one that knows the cluster; until it does, a node is found as a newcomer only.
   */
  #answerDiscovery(role: 'node' | 'router'): void {
    const listen = (as: DiscoverableRole): BusSubscription => {
      const answer = (message: BusMessage): void => void message.respond(Buffer.from(this.link.address, 'utf8'));
      const subscription = this.#ports.bus.subscribe(this.subjects.discover(as), answer, { queue: as });
      this.#subscriptions.push(subscription);
      return subscription;
    };
    if (this.membership.view.cluster !== undefined) {
      listen(role);
      return;
    }
    const newcomer = role === 'node' ? listen('newcomer') : undefined;
    const stopWatching = this.membership.onChange((view) => {
      if (view.cluster === undefined) return;
      stopWatching();
      newcomer?.unsubscribe();
      listen(role);
    });
  }

  /**
   * Takes no new requests, finishes those in hand, leaves the bus to its owner. Nothing is waited for longer than `patienceMs`: a
   * server that stands still holds what is in hand for ever. Those who wait for it here fail with `closed` then.
   */
  async stop(patienceMs = DEFAULT_PATIENCE_MS): Promise<void> {
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    this.inbox.close();
    this.monitor.stop();
    this.pauses.stop();
    this.clocks.stop();
    if (!(await waitAtMost(this.#ports.clock, patienceMs, this.link.drain()))) {
      this.#ports.log.warn({ patienceMs }, 'the bus does not answer: leaving without the last words');
      this.link.close();
    }
    await this.membership.stop();
  }

  /**
   * Has a node do something that takes it long, so that `timeoutMs` is long too: whether it is there is found out meanwhile, and
   * its time says nothing about how fast it is. Errors: those of the node; `timeout`, at the latest then or as soon as it has
   * turned out to be silent; `unreachable`.
   */
  async delegate<Q extends Request>(node: NodeId, request: Q, timeoutMs: number): Promise<ReplyTo<Q>> {
    return whileUp(this.coordination, node, this.request(node, request, timeoutMs));
  }

  /**
   * Asks a node; its silence is noted as a sign that it is down, and its time says nothing about how fast it is. Errors: those of
   * the node and of the link.
   */
  async request<Q extends Request>(node: NodeId, request: Q, timeoutMs: number): Promise<ReplyTo<Q>> {
    const askedMs = this.#ports.clock.monotonicMs();
    try {
      return (await this.link.request(nodeAddress(node) as LinkAddress, request, timeoutMs)) as ReplyTo<Q>;
    } catch (thrown) {
      throw this.#noteSilence(node, toArmatureError(thrown), askedMs);
    }
  }

  #otherMembers(): readonly NodeId[] {
    return [...this.membership.view.members.keys()].filter((node) => node !== this.coordination.self);
  }

  *#heardClocks(): Iterable<HeardClock> {
    const { members } = this.membership.view;
    for (const { address, wallMs, heardAtMs } of this.link.peerClocks()) {
      const node = nodeOfAddress(address);
      if (node !== undefined && members.has(node)) yield { node, wallMs, heardAtMs };
    }
  }

  #ask<Q extends ReplicaRequest>(node: NodeId, request: Q, timeoutMs: number): Promise<ReplyTo<Q>> {
    if (node === this.coordination.self) return this.#askSelf(request, timeoutMs);
    const { clock } = this.#ports;
    const startedMs = clock.monotonicMs();
    return this.link.request(nodeAddress(node) as LinkAddress, request, timeoutMs).then(
      (reply) => {
        this.monitor.succeeded(node, clock.monotonicMs() - startedMs);
        return reply as ReplyTo<Q>;
      },
      (thrown: unknown) => {
        throw this.#noteSilence(node, toArmatureError(thrown), startedMs);
      },
    );
  }

  #noteSilence(node: NodeId, error: ArmatureError, askedMs: number): ArmatureError {
    // A release that reads no frame of ours is as good as down. What it could not decode within a frame is another matter, and
    // names no peer.
    const readsNothing = error.code === 'protocol-mismatch' && 'peer' in error.details;
    if (!SILENCE.has(error.code) && !readsNothing) return error;
    this.pauses.check(); // all deadlines are past when we wake, whoever answered meanwhile
    this.monitor.failed(node, error.code, askedMs);
    return error;
  }

  /** What a node asks of itself does not go over the bus. */
  async #askSelf<Q extends ReplicaRequest>(request: Q, timeoutMs: number): Promise<ReplyTo<Q>> {
    return (await this.answer(request, { address: this.link.address, remainingMs: timeoutMs, token: undefined })) as ReplyTo<Q>;
  }
}

function linkAddressOf(role: LinkRole, name: string): LinkAddress {
  const address = parseLinkAddress(`${role}.${name}`);
  if (!address.ok) throw new ArmatureError('invalid-argument', `${quoted(name)} cannot be part of a subject`);
  return address.value;
}
