/**
 * The failure detector's driver: one per process, told the outcome of every request to a peer, asked whom to send the next one
 * to. It keeps each peer's health (`failure-detector.ts`) and latency (`latency-estimate.ts`), probes suspects until
 * they answer, and tells listeners of transitions.
 *
 * `order` prefers the fastest replica, as the paper does for the write that follows a read (section 5), but by powers of two
 * of the latency only: peers of about equal speed are ordered by a rank drawn once per process, so that
 * a hundred clients do not all rush to the one replica that was 3 % faster this second.
 */
import { toArmatureError, type ErrorCode, type NodeId, type Random } from '@armature/kernel';
import type { Clock, Logger, Telemetry, Timer } from '@armature/runtime';
import {
  ANSWERED,
  DEFAULT_DETECTOR_SETTINGS,
  forgive,
  HEALTHY,
  observe,
  probeDelayMs,
  probedInVain,
  type DetectorSettings,
  type Health,
  type SuspicionReason,
} from './failure-detector.js';
import { LatencyEstimate } from './latency-estimate.js';

/** Twice the largest cluster: some removed nodes linger until `retain`. Others are not tracked, and pass for healthy. */
const MAX_PEERS = 2_048;
/** Timeouts that were already due when our pause ended still arrive in the turns right after it. */
const GRACE_AFTER_PAUSE_MS = 50;

/** Of a probe: nobody waits for it. */
const PROBE_TIMEOUT_MS = 2_000;
/**
 * Of a ping that settles a doubt. Three make a suspect; longer than a round trip to the other side of the earth, and most garbage
 * collections.
 */
const DOUBT_TIMEOUT_MS = 300;

/** When to hedge while too little is known of a peer: well above a healthy quorum read, well below a user's patience. */
const DEFAULT_HEDGE_MS = 50;
/** A hedge within the jitter of timers only doubles the load. */
const MIN_HEDGE_MS = 1;
const MAX_HEDGE_MS = 2_000;

export interface FailureMonitorEnv {
  /** Undefined for routers and clients. */
  readonly self: NodeId | undefined;
  /**
   * Resolves when the peer has answered; rejects with `timeout`, `unreachable` or another code after `timeoutMs` at the latest.
   */
  ping(node: NodeId, timeoutMs: number): Promise<void>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly telemetry: Telemetry;
  readonly settings?: Partial<DetectorSettings> | undefined;
  /** Whether this process has too much to do to hear anybody in time: then silence says nothing about who is silent. */
  readonly isBusy?: (() => boolean) | undefined;
}

export interface Transition {
  readonly node: NodeId;
  readonly to: 'healthy' | 'suspect';
  /** Why it became suspect; undefined on recovery. */
  readonly reason: SuspicionReason | undefined;
}

interface Peer {
  readonly node: NodeId;
  /** Breaks ties between peers of equal speed, differently in each process. */
  readonly rank: number;
  readonly latency: LatencyEstimate;
  health: Health;
  probe: Timer | undefined;
  /** Whether it is being pinged because it kept somebody waiting. */
  doubted: boolean;
  /** When it answered last, monotonic ms. */
  heardMs: number;
}

export class FailureMonitor {
  readonly #env: FailureMonitorEnv;
  readonly #settings: DetectorSettings;
  readonly #peers = new Map<NodeId, Peer>();
  readonly #listeners = new Set<(transition: Transition) => void>();
  readonly #suspected;
  readonly #recovered;
  #forgivenUntilMs = -Infinity;
  #stopped = false;

  constructor(env: FailureMonitorEnv) {
    this.#env = env;
    this.#settings = { ...DEFAULT_DETECTOR_SETTINGS, ...env.settings };
    const { telemetry } = env;
    this.#suspected = telemetry.counter('armature_peers_suspected_total', 'Peers that this process began to take for failed.');
    this.#recovered = telemetry.counter('armature_peers_recovered_total', 'Suspected peers that answered again.');
    telemetry.observedGauge(
      'armature_peers_suspect',
      'Peers that this process takes for failed now.',
      () => this.suspects().length,
    );
  }

  /** A request to the peer was answered after `latencyMs`. */
  succeeded(node: NodeId, latencyMs: number): void {
    const peer = this.#peer(node);
    if (peer === undefined) return;
    const nowMs = this.#env.clock.monotonicMs();
    peer.latency.sample(latencyMs, nowMs);
    this.#answered(peer, nowMs);
  }

  /**
   * A request to the peer failed, which was sent at `askedMs`, monotonic; undefined for a ping. Any code may be reported; most of
   * them show that the peer lives. A timeout does not count if the peer has answered something else since: it waits for others
   * then, as the coordinator of a put does whose quorum needs a node that is down. A request that had less time than a ping says
   * too little, so the peer is pinged.
   */
  failed(node: NodeId, code: ErrorCode, askedMs?: number): void {
    const peer = this.#peer(node);
    if (peer === undefined) return;
    const nowMs = this.#env.clock.monotonicMs();
    if (code === 'timeout' && (nowMs <= this.#forgivenUntilMs || peer.heardMs > (askedMs ?? Infinity))) return;
    if (code === 'timeout' && askedMs !== undefined && nowMs - askedMs < DOUBT_TIMEOUT_MS) {
      this.doubt(node);
      return;
    }
    this.#become(peer, observe(peer.health, { kind: 'failed', code }, nowMs, this.#settings));
  }

  /** This process itself did nothing for the last `pausedMs`. */
  paused(pausedMs: number): void {
    const nowMs = this.#env.clock.monotonicMs();
    this.#forgivenUntilMs = nowMs + GRACE_AFTER_PAUSE_MS;
    for (const peer of this.#peers.values()) this.#become(peer, forgive(peer.health, nowMs - pausedMs));
  }

  /**
   * A request to the peer waits for longer than it should. It is pinged until it has answered, or has let so many pings time out
   * that it is a suspect: so a peer that is silent is found out in a second, whatever the deadlines of requests, and one that is
   * only slow is left in peace.
   */
  doubt(node: NodeId): void {
    const peer = this.#peer(node);
    if (this.#stopped || peer === undefined || peer.doubted || peer.health.state === 'suspect' || this.#isBusy) return;
    peer.doubted = true;
    void this.#settleDoubt(peer).finally(() => (peer.doubted = false));
  }

  isSuspect(node: NodeId): boolean {
    return this.#peers.get(node)?.health.state === 'suspect';
  }

  suspects(): NodeId[] {
    return [...this.#peers.values()].filter((peer) => peer.health.state === 'suspect').map((peer) => peer.node);
  }

  /** The same nodes: this one first, then the healthy by speed, then the suspects. */
  order(nodes: readonly NodeId[]): NodeId[] {
    const nowMs = this.#env.clock.monotonicMs();
    const ordered: NodeId[] = [];
    const costs: number[] = [];
    for (const node of nodes) {
      const cost = this.#cost(node, nowMs);
      let at = ordered.length;
      while (at > 0 && (costs[at - 1] ?? 0) > cost) {
        ordered[at] = ordered[at - 1] as NodeId;
        costs[at] = costs[at - 1] as number;
        at--;
      }
      ordered[at] = node;
      costs[at] = cost;
    }
    return ordered;
  }

  /** After how many ms without an answer another replica should be asked as well: about the peer's 99th percentile. */
  hedgeDelayMs(node: NodeId): number {
    const p99Ms = this.#peers.get(node)?.latency.p99Ms ?? DEFAULT_HEDGE_MS;
    return Math.min(MAX_HEDGE_MS, Math.max(MIN_HEDGE_MS, p99Ms));
  }

  /** Forgets all peers but these, so that a node that was removed is probed no more: to be called when the membership changes. */
  retain(nodes: { has(node: NodeId): boolean }): void {
    for (const peer of [...this.#peers.values()]) {
      if (nodes.has(peer.node)) continue;
      peer.probe?.cancel();
      this.#peers.delete(peer.node);
    }
  }

  onTransition(listener: (transition: Transition) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  stop(): void {
    this.#stopped = true;
    for (const peer of this.#peers.values()) peer.probe?.cancel();
  }

  /** Lower is better: class of speed, then rank. */
  #cost(node: NodeId, nowMs: number): number {
    if (node === this.#env.self) return -1;
    const peer = this.#peer(node);
    if (peer === undefined) return SUSPECT_COST;
    const averageMs = peer.latency.averageMs(nowMs);
    const speed = averageMs < 1 ? 0 : 1 + Math.floor(Math.log2(averageMs));
    return speed * RANKS + peer.rank + (peer.health.state === 'suspect' ? SUSPECT_COST : 0);
  }

  #peer(node: NodeId): Peer | undefined {
    const known = this.#peers.get(node);
    if (known !== undefined) return known;
    if (this.#peers.size >= MAX_PEERS) return undefined;
    const peer: Peer = {
      node,
      rank: this.#env.random.u32(),
      latency: new LatencyEstimate(),
      health: HEALTHY,
      probe: undefined,
      doubted: false,
      heardMs: -Infinity,
    };
    this.#peers.set(node, peer);
    return peer;
  }

  #answered(peer: Peer, nowMs: number): void {
    peer.heardMs = nowMs;
    this.#become(peer, observe(peer.health, ANSWERED, nowMs, this.#settings));
  }

  #become(peer: Peer, health: Health): void {
    const before = peer.health;
    if (health === before) return;
    peer.health = health;
    if (health.state === before.state) return;
    const { node } = peer;
    if (health.state === 'suspect') {
      this.#suspected.add();
      this.#env.log.warn({ node, reason: health.reason }, 'a peer does not answer: taken for failed until it does');
      this.#scheduleProbe(peer);
      this.#tell({ node, to: 'suspect', reason: health.reason });
    } else {
      peer.probe?.cancel();
      peer.probe = undefined;
      this.#recovered.add();
      this.#env.log.info({ node }, 'a suspected peer answers again');
      this.#tell({ node, to: 'healthy', reason: undefined });
    }
  }

  #tell(transition: Transition): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(transition);
      } catch (thrown) {
        this.#env.log.error({ err: thrown, node: transition.node }, 'a listener to peer transitions failed');
      }
    }
  }

  #scheduleProbe(peer: Peer): void {
    if (this.#stopped || peer.health.state !== 'suspect') return;
    const delayMs = probeDelayMs(peer.health, this.#env.random.float(), this.#settings);
    peer.probe = this.#env.clock.after(delayMs, () => void this.#probe(peer));
  }

  async #settleDoubt(peer: Peer): Promise<void> {
    for (let pings = 0; pings < this.#settings.timeoutsToSuspect; pings++) {
      try {
        await this.#env.ping(peer.node, DOUBT_TIMEOUT_MS);
        if (this.#isKnown(peer)) this.#answered(peer, this.#env.clock.monotonicMs());
        return;
      } catch (thrown) {
        const { code } = toArmatureError(thrown);
        if (!this.#isKnown(peer) || (code === 'timeout' && this.#isBusy)) return;
        this.failed(peer.node, code);
        if (code !== 'timeout' || peer.health.state === 'suspect') return;
      }
    }
  }

  get #isBusy(): boolean {
    return this.#env.isBusy?.() ?? false;
  }

  #isKnown(peer: Peer): boolean {
    return !this.#stopped && this.#peers.get(peer.node) === peer;
  }

  async #probe(peer: Peer): Promise<void> {
    const suspicion = peer.health;
    let code: ErrorCode | undefined;
    try {
      await this.#env.ping(peer.node, PROBE_TIMEOUT_MS);
    } catch (thrown) {
      code = toArmatureError(thrown).code;
    }
    // Forgotten, recovered, or recovered and suspected anew (then with a probe of its own) while we waited.
    if (!this.#isKnown(peer) || peer.health !== suspicion || suspicion.state !== 'suspect') return;
    const outcome = code === undefined ? ANSWERED : ({ kind: 'failed', code } as const);
    const health = observe(suspicion, outcome, this.#env.clock.monotonicMs(), this.#settings);
    if (health.state === 'suspect') {
      peer.health = probedInVain(health);
      this.#scheduleProbe(peer);
    } else this.#become(peer, health);
  }
}

/** Ranks are 32-bit numbers below the class of speed. */
const RANKS = 2 ** 32;
/** Above every class of speed: log2 of the slowest answer is below 2^8. */
const SUSPECT_COST = RANKS * 2 ** 8;
