/**
 * Replica synchronisation as a node takes part in it (paper, section 4.7): it keeps hash trees of what it holds, answers its
 * peers' questions about them, and runs exchanges when it is told to. Who is to exchange with whom, and when, is not decided here
 * but by whoever asks: an anti-entropy worker, or an administrator. Reaping, which such a worker asks for too, is `reaping.ts`.
 */
import { isHolder } from '@armature/membership';
import { ArmatureError, type NodeId } from '@armature/kernel';
import type { Participant, RequestHandlers } from '@armature/coordination';
import type {
  AbsorbRequest,
  DigestsReply,
  DigestsRequest,
  ExchangeReply,
  ExchangeRequest,
  HoldingsReply,
  ReapingRequest,
  ReplyTo,
  SetsRequest,
  SynchronisationRequest,
  SynchronisedShare,
} from '@armature/protocol';
import type { Replica, TakeSlice } from '@armature/replica';
import { LocalShare, measureHoldings, runExchange, SourceGate, TreeKeeper, type SynchronisedReplica } from '@armature/repair';
import type { Address } from '@armature/ring';
import { LATENCY_BUCKETS_S, type Clock, type Counter, type Histogram, type Logger, type Telemetry } from '@armature/runtime';
import { Reaping, type ReapingEnv } from './reaping.js';
import { checkGiver, fenced, type Fence } from './ring-fence.js';

export interface SynchronisationEnv extends Pick<
  ReapingEnv,
  'hints' | 'store' | 'clearings' | 'reapQuarantineMs' | 'pruneAbove'
> {
  readonly node: NodeId;
  readonly participant: Participant;
  readonly fence: Fence;
  readonly replica: SynchronisedReplica & ReapingEnv['replica'] & Pick<Replica, 'reapable'>;
  /** Resolves when background work may take its next piece. */
  readonly slice: TakeSlice;
  /** See `TreeKeeperEnv`. */
  readonly verifyCycleMs?: number | undefined;
  /** See `ServerOptions`. */
  readonly messageBytes?: number | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  readonly telemetry: Telemetry;
}

/** Exchanges that a node runs at a time; more are refused with `overloaded`. Both replicas read, hash and merge for each. */
const MAX_EXCHANGES = 2;

/** How long a peer that was silent lately has to answer, before anything is compared with it. */
const PRESENCE_TIMEOUT_MS = 1_000;

export class Synchronisation {
  readonly #env: SynchronisationEnv;
  readonly trees: TreeKeeper;
  /** What is held here, as peers may ask for it. */
  readonly share: LocalShare;
  readonly #gate: SourceGate;
  readonly #reaping: Reaping;
  readonly #seconds: Histogram;
  readonly #count: Readonly<Record<ExchangeReply['outcome'] | 'refused', Counter>>;
  readonly #sets: { readonly pulled: Counter; readonly pushed: Counter };
  /** The shares of the exchanges under way. */
  readonly #running: SynchronisedShare[] = [];

  constructor(env: SynchronisationEnv) {
    this.#env = env;
    const { node, participant, replica, slice, verifyCycleMs, clock, log, telemetry } = env;
    const view = (): typeof participant.membership.view => participant.membership.view;
    this.trees = new TreeKeeper({
      node,
      view,
      scan: async (query) => {
        const page = await replica.page(query);
        await replica.reapable.enlist(page);
        return page;
      },
      slice,
      verifyCycleMs,
      clock,
      log,
      telemetry,
    });
    this.share = new LocalShare({ node, trees: this.trees, replica, view, log, messageBytes: env.messageBytes });
    this.#gate = new SourceGate(slice, clock, telemetry);
    this.#reaping = new Reaping({ ...env, isExchanging: (address) => this.#isExchanging(address) });
    const exchanges = (outcome: string): Counter =>
      telemetry.counter('armature_repair_exchanges_total', 'Exchanges with a peer run by this node.', { outcome });
    this.#count = {
      equal: exchanges('equal'),
      repaired: exchanges('repaired'),
      partial: exchanges('partial'),
      failed: exchanges('failed'),
      refused: exchanges('refused'),
    };
    const sets = (direction: string): Counter =>
      telemetry.counter('armature_repair_sets_total', 'Version sets that exchanges of this node moved.', { direction });
    this.#sets = { pulled: sets('pulled'), pushed: sets('pushed') };
    this.#seconds = telemetry.histogram('armature_repair_exchange_seconds', 'Duration of an exchange.', LATENCY_BUCKETS_S);
  }

  /** Takes up the partitions held under the present view. Call it at the start and at every change of the view. */
  follow(): void {
    this.trees.follow();
  }

  stop(): void {
    this.trees.stop();
  }

  /** How much this node holds of each of its shares. */
  async #holdings(): Promise<HoldingsReply> {
    const { node, participant, replica } = this.#env;
    const holdings = await measureHoldings({
      node,
      view: () => participant.membership.view,
      trees: this.trees,
      page: (query) => replica.page(query),
    });
    return { kind: 'holdings', holdings };
  }

  get handlers(): RequestHandlers<'holdings' | SynchronisationRequest['kind'] | ReapingRequest['kind']> {
    const { participant, fence } = this.#env;
    const digests = fenced(fence, (request: DigestsRequest) => this.#digestsKept(request));
    const sets = fenced(fence, ({ addresses }: SetsRequest) => this.share.sets(addresses));
    const absorb = fenced(fence, ({ entries, durable }: AbsorbRequest, sender) => {
      checkGiver(participant.membership.view, sender.address);
      return this.share.absorb(entries, durable);
    });
    return {
      ...this.#reaping.handlers,
      holdings: () => this.#holdings(),
      tree: fenced(fence, (request) => this.share.answerTree(request)),
      exchange: fenced(fence, (request) => this.#exchange(request)),
      // A slice of time is waited for before the fence, which must hold for what is then read.
      digests: (request, sender) =>
        this.#gate.pass(
          () => digests(request, sender),
          ({ entries }) => entries.length,
        ),
      sets: (request, sender) =>
        this.#gate.pass(
          () => sets(request, sender),
          (reply) => reply.sets.length,
        ),
      absorb: (request, sender) =>
        this.#gate.pass(
          () => absorb(request, sender),
          ({ merged }) => merged,
        ),
    };
  }

  /** On stable storage: whoever finds here what he holds may drop his own for that. */
  async #digestsKept(request: DigestsRequest): Promise<DigestsReply> {
    const reply = await this.share.digests(request);
    if (reply.entries.length > 0) await this.#env.store.sync();
    return reply;
  }

  /** Whether an exchange of this node may have a state of the key in hand. */
  #isExchanging(address: Address): boolean {
    if (this.#running.length === 0) return false;
    const partition = this.#env.participant.membership.view.ring?.partitionOf(address);
    return this.#running.some((share) => share.partition === partition);
  }

  async #exchange(request: ExchangeRequest): Promise<ExchangeReply> {
    const { node, participant, slice, clock, log } = this.#env;
    this.#checkShare(request);
    await this.#checkPresence(request.peer);
    if (this.#running.length >= MAX_EXCHANGES) {
      this.#count.refused.add();
      throw new ArmatureError('overloaded', `this node runs ${MAX_EXCHANGES} exchanges already`, {
        remedy: 'Repeat in a second.',
      });
    }
    this.#running.push(request);
    try {
      // A sweep waits for each exchange: a peer that is silent is pinged meanwhile, and given up once it is taken for down.
      const reply = await runExchange(
        { local: this.share, ask: (peer, question, timeoutMs) => participant.delegate(peer, question, timeoutMs), slice, clock },
        request,
      );
      this.#count[reply.outcome].add();
      this.#sets.pulled.add(reply.pulled);
      this.#sets.pushed.add(reply.pushed);
      this.#seconds.observe(reply.elapsedMs / 1_000);
      const { kind: _kind, ...facts } = reply;
      const what = { node, peer: request.peer, partition: request.partition, n: request.n, ...facts };
      log[reply.outcome === 'equal' ? 'debug' : 'info'](what, 'an exchange with a replica has ended');
      return reply;
    } finally {
      this.#running.splice(this.#running.indexOf(request), 1);
    }
  }

  /** Both must be replicas of the share, or the exchange would copy data to where it does not belong. */
  #checkShare({ partition, n, peer }: ExchangeRequest): void {
    const { view } = this.#env.participant.membership;
    const isShare = view.ns.includes(n) && partition < (view.ring?.partitionCount ?? 0);
    const placement = isShare ? view.placementOf(partition, n) : { owners: [], pending: [] };
    if (peer !== this.#env.node && isHolder(placement, peer) && isHolder(placement, this.#env.node)) return;
    throw new ArmatureError(
      'invalid-argument',
      `${this.#env.node} and ${peer} are not two replicas of partition ${partition} for n=${n}`,
      {
        remedy: 'Take partitions and replicas from the present view.',
      },
    );
  }

  /** One that was silent lately may be back, or would let each question of an exchange run into its deadline. */
  async #checkPresence(peer: NodeId): Promise<void> {
    const { participant } = this.#env;
    if (!participant.monitor.isSuspect(peer)) return;
    await participant.delegate(peer, { kind: 'ping' }, PRESENCE_TIMEOUT_MS).catch((thrown: unknown) => {
      throw new ArmatureError('unavailable', `${peer} seems to be down`, {
        cause: thrown,
        remedy: 'It is compared when it is back.',
      });
    });
  }

  /** Asks a peer. A copy waits for a peer behind a slow link, as nobody waits for the copy. */
  ask<Q extends SynchronisationRequest>(peer: NodeId, request: Q, timeoutMs: number): Promise<ReplyTo<Q>> {
    return this.#env.participant.request(peer, request, timeoutMs);
  }
}
