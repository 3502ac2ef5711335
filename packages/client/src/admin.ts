/**
 * Administration: explicit commands, given at any node (paper, section 4.8.1), and what the processes say of themselves. It is
 * asked at the door of administration of each process, with a token that has a role; who holds the cluster's secret has made one
 * for himself (`admin-link.ts`). What a role does not allow is refused by the process that is asked, with `forbidden`.
 */
import {
  type ArmatureError,
  parseBucketName,
  toArmatureError,
  toHex,
  unwrap,
  type BucketName,
  type NodeId,
  type Random,
  parseNodeId,
} from '@armature/kernel';
import type { Bus, LinkAddress } from '@armature/bus';
import { discover, nobodyAnswers, type Inbox } from '@armature/coordination';
import { History, foldHistory, type MembershipChange, type View } from '@armature/membership';
import {
  DEFAULT_BUCKET_PROPERTIES,
  adminAddress,
  leastRoleFor,
  nodeAddress,
  parseBucketProperties,
  parseChange,
  type AdministrationRequest,
  type BucketProperties,
  type Change,
  type ChangeRecord,
  type CommandRecord,
  type ExchangeReply,
  type ExchangeRequest,
  type Holdings,
  type NodeStatus,
  type ReapReply,
  type ReapRequest,
  type Reply,
  type ReplyTo,
  type Subjects,
  type WorkerCommand,
  type WorkerStatus,
} from '@armature/protocol';
import { missingRole, type Access, type Role, type TokenDemand } from '@armature/rights';
import type { Clock } from '@armature/runtime';
import type { AdminLink } from './admin-link.js';
import { commitPlan, makePlan, type Committed, type CostedPlan, type PlannedAgainst, type PlanningEnv } from './change-plan.js';
import { callWorkers } from './roll-call.js';

export interface AdminEnv {
  readonly bus: Bus;
  /** Undefined for those who have shown neither a token with a role nor the secret of the cluster. */
  readonly link: AdminLink | undefined;
  readonly subjects: Subjects;
  readonly inbox: Inbox;
  readonly clock: Clock;
  readonly random: Random;
  /** Who gives the commands, for the history. */
  readonly author: string;
}

export interface CreateClusterOptions {
  readonly cluster: string;
  readonly members: readonly { readonly node: string; readonly zone?: string; readonly weight?: number }[];
  /** Q; a power of two, 256 by default: enough for some 30 nodes with 8 partitions each. */
  readonly partitionCount?: number;
  readonly strategy?: 2 | 3;
  readonly targetN?: number;
}

/** A member and what it said when asked, or why it said nothing. */
export interface MemberStatus {
  readonly node: NodeId;
  readonly status: NodeStatus | undefined;
  readonly problem: ArmatureError | undefined;
}

export interface GivenCommands {
  /** Oldest first. */
  readonly commands: readonly CommandRecord[];
  /** Members that did not answer. */
  readonly silent: readonly NodeId[];
}

const COMMAND_TIMEOUT_MS = 10_000;
const STATUS_TIMEOUT_MS = 1_500;
/** A node ends a run of its own accord after about half of that. */
const EXCHANGE_TIMEOUT_MS = 40_000;
const REAP_TIMEOUT_MS = 40_000;
export class Admin {
  readonly #env: AdminEnv;

  constructor(env: AdminEnv) {
    this.#env = env;
  }

  /** Whether this client has a token with a role, or the secret. Without, everything here fails with `unauthenticated`. */
  get hasCredentials(): boolean {
    return this.#env.link !== undefined;
  }

  /** Makes one cluster of nodes that run and belong to none. Given once, at one of them. */
  create(options: CreateClusterOptions): Promise<ChangeRecord> {
    const change = {
      kind: 'create',
      clusterId: toHex(this.#env.random.bytes(16)),
      cluster: options.cluster,
      strategy: options.strategy ?? 3,
      partitionCount: options.partitionCount ?? 256,
      targetN: options.targetN ?? DEFAULT_BUCKET_PROPERTIES.n,
      members: options.members.map(({ node, zone = 'default', weight = 1 }) => ({ node, zone, weight })),
    };
    const [first] = options.members;
    return this.propose(unwrap(parseChange(change)), first === undefined ? undefined : (`node.${first.node}` as LinkAddress));
  }

  join(node: string, options: { zone?: string; weight?: number } = {}): Promise<ChangeRecord> {
    return this.propose(
      unwrap(parseChange({ kind: 'join', node, zone: options.zone ?? 'default', weight: options.weight ?? 1 })),
    );
  }

  leave(node: string): Promise<ChangeRecord> {
    return this.propose(unwrap(parseChange({ kind: 'leave', node })));
  }

  remove(node: string): Promise<ChangeRecord> {
    return this.propose(unwrap(parseChange({ kind: 'remove', node })));
  }

  /**
   * Has `successor`, a node that runs and is no member, take over the share of `node`; weight and zone are those of `node` unless
   * given. `dead`: the old node is gone for good, and is asked nothing any more.
   */
  async replace(
    node: string,
    successor: string,
    options: { zone?: string; weight?: number; dead?: boolean } = {},
  ): Promise<ChangeRecord> {
    const old = (await this.view()).members.get(unwrap(parseNodeId(node)));
    const { zone = old?.zone ?? 'default', weight = old?.weight ?? 1, dead = false } = options;
    return this.propose(unwrap(parseChange({ kind: 'replace', node, by: { node: successor, zone, weight }, dead })));
  }

  reweigh(node: string, weight: number): Promise<ChangeRecord> {
    return this.propose(unwrap(parseChange({ kind: 'weight', node, weight })));
  }

  rezone(node: string, zone: string): Promise<ChangeRecord> {
    return this.propose(unwrap(parseChange({ kind: 'zone', node, zone })));
  }

  /** Makes a bucket, or changes the given properties of one; `n` stays as it was made. */
  async setBucket(name: string, properties: Partial<BucketProperties>): Promise<ChangeRecord> {
    const bucket = unwrap(parseBucketName(name));
    const present = (await this.view()).buckets.get(bucket);
    const merged = unwrap(parseBucketProperties(properties, present ?? DEFAULT_BUCKET_PROPERTIES));
    return this.propose({ kind: 'bucket', bucket, properties: merged });
  }

  /** What the cluster demands of those who come to its doors. */
  async access(): Promise<Access> {
    return (await this.view()).access;
  }

  /** From now on requests without a token are refused, or let in again. Errors: those of the rules for changes, `unreachable`. */
  async demandTokens(tokens: TokenDemand): Promise<ChangeRecord> {
    const { revision, generation } = await this.access();
    return this.propose({ kind: 'access', tokens, revision: revision + 1, generation });
  }

  /**
   * Raises the generation: all tokens that have been made are void from then on. Errors: those of the rules for changes,
   * `unreachable`.
   */
  async revokeTokens(): Promise<ChangeRecord> {
    const access = await this.access();
    return this.propose({ kind: 'access', ...access, generation: access.generation + 1 });
  }

  async buckets(): Promise<ReadonlyMap<BucketName, BucketProperties>> {
    return (await this.view()).buckets;
  }

  /** Makes a change part of the history, at `at` or at any node. Errors: those of the rules for changes, `unreachable`. */
  async propose(change: Change, at?: LinkAddress): Promise<ChangeRecord> {
    const request = { kind: 'propose', change, author: this.#env.author } as const;
    return (await this.#ask(at ?? (await this.#anyServer('administrator')), request, COMMAND_TIMEOUT_MS)).record;
  }

  /**
   * What these changes would do, made together in this order; nothing is changed. Errors: those of the rules for changes,
   * `unreachable`.
   */
  plan(changes: readonly MembershipChange[]): Promise<CostedPlan> {
    return makePlan(this.#planning, changes);
  }

  /** Makes planned changes, if the membership is still the one they were planned for. Errors: see `commitPlan`. */
  commit(changes: readonly MembershipChange[], against: PlannedAgainst): Promise<Committed> {
    return commitPlan(this.#planning, changes, against);
  }

  /** The cluster as one node sees it now. */
  async view(): Promise<View> {
    return foldHistory(unwrap(History.empty.merge(await this.history())).history);
  }

  async history(at?: LinkAddress): Promise<readonly ChangeRecord[]> {
    const peer = at ?? (await this.#anyServer('viewer'));
    return (await this.#ask(peer, { kind: 'history' }, COMMAND_TIMEOUT_MS)).records;
  }

  /** What the members keep of the commands that were given, other than changes of the membership; oldest first. */
  async commands(): Promise<GivenCommands> {
    const members = [...(await this.view()).members.keys()].sort();
    const told = await Promise.all(
      members.map((node) =>
        this.#ask(nodeAddress(node) as LinkAddress, { kind: 'commands' }, STATUS_TIMEOUT_MS).catch((thrown: unknown) => {
          throwIfRefused(thrown);
          return undefined;
        }),
      ),
    );
    return {
      commands: told.flatMap((reply) => reply?.commands ?? []).sort((a, b) => a.firstMs - b.firstMs || (a.id < b.id ? -1 : 1)),
      silent: members.filter((_, i) => told[i] === undefined),
    };
  }

  /**
   * Asks every member. A node that does not answer is in the list too, with the reason. Errors: `unauthenticated`, `forbidden`,
   * `unreachable`.
   */
  async members(): Promise<MemberStatus[]> {
    const view = await this.view();
    return Promise.all([...view.members.keys()].sort().map((node) => this.member(node)));
  }

  /** Asks one node, a member or not yet. Errors: `unauthenticated`, `forbidden`. */
  async member(node: NodeId): Promise<MemberStatus> {
    try {
      const { status } = await this.#ask(nodeAddress(node) as LinkAddress, { kind: 'status' }, STATUS_TIMEOUT_MS);
      return { node, status, problem: undefined };
    } catch (thrown) {
      throwIfRefused(thrown);
      return { node, status: undefined, problem: toArmatureError(thrown) };
    }
  }

  /**
   * Has a node compare a share with another of its replicas, and merge what differs both ways. Errors: `overloaded` when it runs
   * as many as it may, `stale-ring` when `ring` is not that of its view any more, `unreachable`.
   */
  exchange(initiator: NodeId, request: Omit<ExchangeRequest, 'kind'>): Promise<ExchangeReply> {
    return this.#ask(nodeAddress(initiator) as LinkAddress, { kind: 'exchange', ...request }, EXCHANGE_TIMEOUT_MS);
  }

  /** How much a node holds of each of its shares. Errors: `unreachable`, storage errors of the node. */
  async holdings(node: NodeId): Promise<Holdings> {
    return (await this.#ask(nodeAddress(node) as LinkAddress, { kind: 'holdings' }, COMMAND_TIMEOUT_MS)).holdings;
  }

  /**
   * Has the first owner of a share look for tombstones that nobody needs any more, as far as one run goes. Errors: `overloaded`
   * when it is reaping already, `stale-ring`, `unreachable`, `invalid-argument` when another node is the first owner.
   */
  reap(first: NodeId, request: Omit<ReapRequest, 'kind'>): Promise<ReapReply> {
    return this.#ask(nodeAddress(first) as LinkAddress, { kind: 'reap', ...request }, REAP_TIMEOUT_MS);
  }

  /**
   * Says it to all anti-entropy workers that answer a roll call within a second; resolves with what they say of themselves, by
   * name. Those that fall silent are left out. Errors: `unauthenticated`, `forbidden`.
   */
  async workers(command: WorkerCommand): Promise<WorkerStatus[]> {
    this.#requireLink(leastRoleFor({ kind: 'worker', command }));
    const answers = await Promise.all(
      [...(await callWorkers(this.#env))].map((address) =>
        this.#ask(address, { kind: 'worker', command }, COMMAND_TIMEOUT_MS).catch((thrown: unknown) => {
          throwIfRefused(thrown);
          return undefined;
        }),
      ),
    );
    const told = answers.flatMap((answer) => answer?.status ?? []);
    return told.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  get #planning(): PlanningEnv {
    return {
      anyNode: () => this.#anyServer('viewer'),
      history: (at) => this.history(at),
      holdings: (node) => this.holdings(node),
      propose: (change, at) => this.propose(change, at),
    };
  }

  /**
   * A node, or where none answers a router, which passes commands on. Errors: `unauthenticated`, before anybody is looked for
   * where nothing was given; `unreachable`.
   */
  async #anyServer(needed: Role): Promise<LinkAddress> {
    const link = await this.#requireLink(needed).open();
    const prove = (server: LinkAddress, timeoutMs: number): Promise<Reply> =>
      link.request(adminAddress(server) as LinkAddress, { kind: 'ping' }, timeoutMs);
    const address = await discover({ ...this.#env, own: link.address, prove }, 'node', 'newcomer', 'router');
    if (address !== undefined) return address;
    throw nobodyAnswers(
      this.#env.bus,
      'no node of this cluster answers on the bus',
      'Check the cluster name and prefix, that nodes run, and that the cluster was created: armature cluster create',
    );
  }

  #requireLink(needed: Role): AdminLink {
    if (this.#env.link === undefined) throw missingRole(needed);
    return this.#env.link;
  }

  /** At the door of the process at that address. */
  async #ask<Q extends AdministrationRequest>(server: LinkAddress, request: Q, timeoutMs: number): Promise<ReplyTo<Q>> {
    const link = await this.#requireLink(leastRoleFor(request)).open();
    return (await link.request(adminAddress(server) as LinkAddress, request, timeoutMs)) as ReplyTo<Q>;
  }
}

/** That we may not ask is no fault of the one who was asked. */
function throwIfRefused(thrown: unknown): void {
  const { code } = toArmatureError(thrown);
  if (code === 'unauthenticated' || code === 'forbidden') throw thrown;
}
