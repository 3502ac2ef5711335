/**
 * Membership as a process holds it: its history, the view folded from it, and the talk that keeps both in step with the others.
 *
 * Everything that changes the history (an administrator's command, gossip in either direction, a node's own `ready`) goes through
 * one queue: merge, fold, persist, and only then take effect. So a record is never acted upon, nor answered for, before it would
 * survive a crash, and when the store fails nothing has happened.
 *
 * Times: a new record is stamped after all that are known here, so that causes precede effects in the fold, and by the wall clock
 * unless that is known to be wrong. Records from a clock that runs far ahead are taken in, with a warning: to refuse them would
 * split the cluster from its author for as long as that clock is wrong. They only order the history, and never reach the data's
 * clocks. What they cost: until real time gets there, records are stamped one tick after another, so that two which are made
 * without knowledge of each other are in no order that a clock would give.
 *
 * Nodes gossip every second. Routers and direct clients hold the view in memory only, and pull it from a random node every
 * ten (paper, section 6.4), at once when they hear of a change or are told that they are behind.
 */
import {
  ArmatureError,
  assert,
  hlcAfter,
  hlcTick,
  hlcToMs,
  isFarAhead,
  toHex,
  unwrap,
  type ClusterName,
  type NodeId,
  type Random,
} from '@armature/kernel';
import { nodeOfAddress, type Change, type ChangeRecord, type GossipReply, type GossipRequest } from '@armature/protocol';
import { repeat, type Clock, type Counter, type Logger, type Telemetry, type Timer } from '@armature/runtime';
import { Conversations, type Sounding } from './conversations.js';
import { answer, type ClearingExchange, type GossipTransport, type Party } from './gossip.js';
import type { HistoryStore } from './history-store.js';
import { History, MANY_RECORDS } from './history.js';
import { checkProposal, checkStillHolds } from './propose.js';
import { Pulls } from './pulls.js';
import { SerialQueue } from './serial-queue.js';
import { foldHistory, type View } from './view.js';

export interface MembershipEnv {
  /** `node` is undefined for routers and clients: they see the membership and are not part of it. */
  readonly self: { readonly address: string; readonly node: NodeId | undefined };
  readonly clusterName: ClusterName;
  /** Undefined for those who may forget it: routers and clients. */
  readonly historyStore: HistoryStore | undefined;
  readonly transport: GossipTransport;
  /** Undefined for those who keep no such counts. */
  readonly clearings?: ClearingExchange | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly telemetry: Telemetry;
  /** Link addresses to gossip with whether or not they are members. */
  readonly seeds: readonly string[];
  /** Between two rounds of gossip. Default 1000, as in the paper; clients take 10000. */
  readonly intervalMs?: number | undefined;
  /** Whether the wall clock is not known to be wrong. Default: always. */
  readonly isClockRight?: () => boolean;
}

/** In the place of the peer that a refresh begins with. */
const ANYBODY = '';

export type ViewListener = (view: View, previous: View) => void;

const DEFAULT_INTERVAL_MS = 1_000;
/** Own fingerprints remembered: whoever announces one of them is behind, and will hear from us or from gossip. */
const MAX_PAST_FINGERPRINTS = 256;
/** Records left out that are remembered, so that each is said once. */
const MAX_SAID_LATE = 100;

export class Membership {
  readonly #env: MembershipEnv;
  readonly #queue = new SerialQueue();
  readonly #listeners = new Set<ViewListener>();
  readonly #pastFingerprints = new Set<string>();
  readonly #pulls: Pulls;
  readonly #party: Party;
  readonly #talk: Conversations;
  readonly #early: Counter;
  readonly #late: Counter;
  /** Ids of records that were said to be left out. */
  readonly #saidLate = new Set<string>();
  #history: History;
  #view: View;
  /** By whom is asked first. One that waits for a silent peer holds up none that another peer can answer. */
  readonly #refreshing = new Map<string, Promise<View>>();
  #timer: Timer | undefined;
  #stopped = false;

  /** Loads what the store has. Errors: the store's own; `storage-foreign` when it holds another cluster's history. */
  static async open(env: MembershipEnv): Promise<Membership> {
    const stored = (await env.historyStore?.load()) ?? [];
    const merged = History.empty.merge(stored);
    if (!merged.ok) {
      throw new ArmatureError('storage-corrupt', `the stored membership history is not one: ${merged.error.message}`, {
        remedy: merged.error.remedy,
        cause: merged.error,
      });
    }
    const { history } = merged.value;
    const view = foldHistory(history);
    if (view.cluster !== undefined && view.cluster.name !== env.clusterName) {
      throw new ArmatureError(
        'storage-foreign',
        `the data directory belongs to cluster ${view.cluster.name}, not ${env.clusterName}`,
        {
          remedy: 'Configure the cluster name or the data directory that belong together.',
        },
      );
    }
    return new Membership(env, history, view);
  }

  private constructor(env: MembershipEnv, history: History, view: View) {
    this.#env = env;
    this.#history = history;
    this.#view = view;
    this.#party = {
      history: () => this.#history,
      view: () => this.#view,
      absorb: (records) => this.#absorb(records),
      clearings: env.clearings,
    };
    this.#talk = new Conversations(env, this.#party);
    this.#pulls = new Pulls(env.clock, (address) => this.#talk.converse(address));
    const { telemetry } = env;
    this.#early = telemetry.counter(
      'armature_membership_early_records_total',
      'Change records stamped by a clock that runs far ahead of ours.',
    );
    telemetry.observedGauge(
      'armature_membership_records',
      'Records in the membership history.',
      () => this.#history.records.length,
    );
    this.#late = telemetry.counter(
      'armature_membership_late_records_total',
      'Change records that were not taken, because they are stamped beyond what clocks may say.',
    );
    telemetry.observedGauge(
      'armature_membership_nodes',
      'Members of the cluster, leaving ones included.',
      () => this.#view.members.size,
    );
  }

  get view(): View {
    return this.#view;
  }

  /** How many records the history has. */
  get recordCount(): number {
    return this.#history.records.length;
  }

  /** Calls `listener` after each change of the view. Returns how to stop that. */
  onChange(listener: ViewListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Begins to gossip. */
  start(): void {
    const { clock, random, intervalMs = DEFAULT_INTERVAL_MS } = this.#env;
    if (this.#timer !== undefined || this.#stopped) return;
    // Somewhere within the first interval, so that nodes started together do not gossip in step.
    this.#timer = clock.after(random.float() * intervalMs, () => {
      void this.#talk.round();
      this.#timer = repeat(clock, intervalMs, () => this.#talk.round());
    });
  }

  /**
   * Stops to gossip. Resolves when what was under way is persisted or given up; later calls that would change the history reject.
   */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#talk.stop();
    this.#pulls.stop();
    await this.#queue.close();
  }

  /** Answers a peer's gossip. Rejects with `wrong-cluster` and the like, for the peer to see, or with the store's error. */
  answerGossip(request: GossipRequest): Promise<GossipReply> {
    return answer(this.#party, request);
  }

  /** A process has announced the fingerprint of its history: reconcile with it, unless it is known. */
  heard(fromAddress: string, fingerprint: string): void {
    if (this.#stopped || fromAddress === this.#env.self.address) return;
    if (fingerprint === this.#history.fingerprint || this.#pastFingerprints.has(fingerprint)) return;
    const node = nodeOfAddress(fromAddress);
    this.#pulls.want(fromAddress, node !== undefined && this.#view.members.has(node));
  }

  /**
   * An administrator's command, given at this node: checked, recorded, persisted, announced. Errors: `invalid-argument` (also
   * when a command given elsewhere at the same moment has prevailed), `no-cluster`, `wrong-cluster`, `closed`, the store's own.
   * `author`: who gave it; this node itself unless said.
   */
  async propose(change: Change, author?: string): Promise<ChangeRecord> {
    // A second `create` for a cluster that exists elsewhere cannot be taken back, so first have a look around.
    if (change.kind === 'create') await this.refresh().catch(() => undefined);
    const { self, clusterName, transport } = this.#env;
    const by = self.node;
    if (by === undefined) throw notANode();
    const record = await this.#queue.run(() => this.#record(by, unwrap(checkProposal(this.#view, clusterName, change)), author));
    transport.announce(this.#history.fingerprint);
    await this.#talk.handOut(record);
    const holds = checkStillHolds(this.#view, record.change);
    if (!holds.ok) throw holds.error;
    return record;
  }

  /**
   * States that this node holds these partitions, which ring change `change` made it a future owner of. What it is no longer
   * pending for is left out; undefined when nothing remains to be said. Errors: `closed`, the store's own.
   */
  async declareReady(change: string, partitions: readonly number[]): Promise<ChangeRecord | undefined> {
    return this.#state((view, node) => {
      const pending = new Set<number>(view.pendingFor(node).map((copy) => copy.partition));
      const held = [...new Set(partitions)].filter((partition) => pending.has(partition)).sort((a, b) => a - b);
      return held.length === 0 ? undefined : { kind: 'ready', node, change, partitions: held };
    });
  }

  /**
   * States that this node has left: it keeps nothing that another node needs. Undefined, and nothing stated, unless it is leaving
   * and owns nothing under the view that stands when its turn comes. Errors: `closed`, the store's own.
   */
  async declareLeft(): Promise<ChangeRecord | undefined> {
    return this.#state((view, node) =>
      view.members.get(node)?.state === 'leaving' && !view.holds(node) ? { kind: 'left', node } : undefined,
    );
  }

  /**
   * States under which actor this node's store mints. Undefined where that is known, or this node no member. Errors: `closed`,
   * the store's own.
   */
  async declareActor(actor: string): Promise<ChangeRecord | undefined> {
    return this.#state((view, node) => {
      const member = view.members.get(node);
      return member === undefined || member.actors.at(-1)?.id === actor ? undefined : { kind: 'actor', node, actor };
    });
  }

  /**
   * States that this node's store is not the one that was here last, and mints under this actor now. Undefined where that is
   * known, or this node no member. Errors: `closed`, the store's own.
   */
  async declareLost(actor: string): Promise<ChangeRecord | undefined> {
    return this.#state((view, node) => {
      const member = view.members.get(node);
      return member === undefined || member.actors.at(-1)?.id === actor ? undefined : { kind: 'lost', node, actor };
    });
  }

  /**
   * Reconciles at once, first with `from` where given, then with others; resolves with the view after that. Calls made while one
   * is under way share it. Rejects with the last peer's error when none answered.
   */
  refresh(from = ANYBODY): Promise<View> {
    const underWay = this.#refreshing.get(from);
    if (underWay !== undefined) return underWay;
    const first = from === ANYBODY ? undefined : from;
    const refreshing = this.#talk.refresh(first).finally(() => this.#refreshing.delete(from));
    this.#refreshing.set(from, refreshing);
    return refreshing;
  }

  /** Asks everybody at once, and reconciles with whoever answers. */
  sound(): Promise<Sounding> {
    return this.#talk.sound();
  }

  #absorb(records: readonly ChangeRecord[]): Promise<void> {
    return records.length === 0 ? Promise.resolve() : this.#queue.run(() => this.#commit(records));
  }

  /** Makes a fact that only this node may state, if there is one to be stated when its turn comes, and spreads the news. */
  async #state(fact: (view: View, node: NodeId) => Change | undefined): Promise<ChangeRecord | undefined> {
    const { node } = this.#env.self;
    if (node === undefined) throw notANode();
    const record = await this.#queue.run(async () => {
      const change = fact(this.#view, node);
      return change === undefined ? undefined : this.#record(node, change);
    });
    if (record !== undefined) this.#env.transport.announce(this.#history.fingerprint);
    return record;
  }

  /** Makes a record of a change. Only ever runs in the queue. */
  async #record(by: NodeId, change: Change, author: string = by): Promise<ChangeRecord> {
    const { clock, random, isClockRight = () => true } = this.#env;
    const { lastAt } = this.#history;
    const at = isClockRight() ? hlcTick(lastAt, clock.nowMs()) : hlcAfter(lastAt);
    const made: ChangeRecord = { id: toHex(random.bytes(8)), at, by, author, change };
    await this.#commit([made]);
    assert(this.#history.has(made.id), 'a record of our own is never stamped too late');
    return made;
  }

  /** Merge, fold, persist, take effect. Only ever runs in the queue. */
  async #commit(records: readonly ChangeRecord[]): Promise<void> {
    const { historyStore, clusterName } = this.#env;
    const merged = this.#history.merge(records);
    if (!merged.ok) throw merged.error;
    const { history, added, leftOut } = merged.value;
    this.#warnOfLate(leftOut);
    if (added.length === 0) return;
    const view = foldHistory(history, this.#view);
    if (view.cluster !== undefined && view.cluster.name !== clusterName) throw otherName(clusterName, view.cluster.name);
    await historyStore?.append(added);
    this.#warnOfEarly(added);
    this.#warnOfMany(history.records.length - added.length, history.records.length);
    const previous = this.#view;
    this.#rememberFingerprint(this.#history.fingerprint);
    this.#history = history;
    this.#view = view;
    this.#tell(view, previous);
  }

  #warnOfEarly(added: readonly ChangeRecord[]): void {
    const { clock, log } = this.#env;
    const nowMs = clock.nowMs();
    const early = added.filter(({ at }) => isFarAhead(at, nowMs));
    const [first] = early;
    if (first === undefined) return;
    this.#early.add(early.length);
    const aheadMs = Math.round(hlcToMs(first.at) - nowMs);
    log.warn(
      { id: first.id, by: first.by, aheadMs, records: early.length },
      'a membership record is from the future: check the clocks (NTP) of its author and of this machine',
    );
  }

  /** Each is said once: whoever has it sends it with every gossip. */
  #warnOfLate(leftOut: readonly ChangeRecord[]): void {
    for (const { id, by, at } of leftOut) {
      if (this.#saidLate.has(id) || this.#saidLate.size === MAX_SAID_LATE) continue;
      this.#saidLate.add(id);
      this.#late.add();
      this.#env.log.error({ id, by, at }, 'a membership record is stamped beyond what clocks may say, and is not taken');
    }
  }

  #warnOfMany(before: number, records: number): void {
    if (Math.floor(records / MANY_RECORDS) === Math.floor(before / MANY_RECORDS)) return;
    const remedy = 'Find what keeps changing the membership (armature cluster history), and stop it.';
    this.#env.log.error(
      { records, remedy },
      'the membership history has become very long: gossip of it takes ever more time and memory',
    );
  }

  #rememberFingerprint(fingerprint: string): void {
    this.#pastFingerprints.add(fingerprint);
    for (const oldest of this.#pastFingerprints) {
      if (this.#pastFingerprints.size <= MAX_PAST_FINGERPRINTS) break;
      this.#pastFingerprints.delete(oldest);
    }
  }

  #tell(view: View, previous: View): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(view, previous);
      } catch (thrown) {
        this.#env.log.error({ err: thrown }, 'a listener to membership changes failed');
      }
    }
  }
}

function notANode(): ArmatureError {
  return new ArmatureError('invalid-argument', 'only a node can make membership records', {
    remedy: 'Send the command to a node.',
  });
}

function otherName(ours: string, theirs: string): ArmatureError {
  return new ArmatureError('wrong-cluster', `these records are of cluster ${theirs}; this process is configured for ${ours}`, {
    remedy: 'Configure the cluster name or the subject prefix of one of the two.',
  });
}
