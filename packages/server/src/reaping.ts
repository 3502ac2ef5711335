/**
 * Reaping as a node takes part in it: it clears and drops what it is asked about, and runs the passes over the shares whose first
 * owner it is. When a pass is run is not decided here but by whoever asks: an anti-entropy worker, or an administrator.
 */
import type { NodeId } from '@armature/kernel';
import type { Participant, RequestHandlers } from '@armature/coordination';
import {
  HOLD_REASONS,
  type ClearRequest,
  type DropRequest,
  type HoldReason,
  type ReapingRequest,
  type ReapReply,
  type ReapRequest,
} from '@armature/protocol';
import {
  Clearing,
  type AskedRequest,
  DEFAULT_REAP_QUARANTINE_MS,
  Reaper,
  type ReapedReplica,
  type ScanQuery,
} from '@armature/repair';
import type { Replica } from '@armature/replica';
import type { Address } from '@armature/ring';
import type { Clock, Counter, Logger, Telemetry } from '@armature/runtime';
import type { ClearingCounts } from './clearing-counts.js';
import { fenced, type Fence } from './ring-fence.js';

export interface ReapingEnv {
  readonly node: NodeId;
  readonly participant: Participant;
  readonly fence: Fence;
  readonly replica: ReapedReplica & Pick<Replica, 'reapable'>;
  readonly hints: { kept(addresses: readonly Address[]): Promise<ReadonlySet<Address>> };
  /** Whether this node is making the key's partition equal with a peer's just now. */
  readonly isExchanging: (address: Address) => boolean;
  readonly store: { sync(): Promise<void> };
  readonly clearings: Pick<ClearingCounts, 'mayCount' | 'count' | 'note'>;
  /** `DEFAULT_REAP_QUARANTINE_MS` by default. */
  readonly reapQuarantineMs: number | undefined;
  /** See `NodeOptions`. */
  readonly pruneAbove: number | undefined;
  readonly slice: (kind: 'reap') => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly telemetry: Telemetry;
}

/** What is not in hand by name ends within seconds: a page of a copy, a merge that waits for the membership. */
const MAX_SETTLE_MS = 60_000;

export class Reaping {
  readonly #env: ReapingEnv;
  readonly #clearing: Clearing;
  readonly #reaper: Reaper;
  readonly #candidates: Counter;
  readonly #reaped: Counter;
  readonly #pruned: Counter;
  readonly #heldBack: Readonly<Record<HoldReason, Counter>>;
  readonly #blocked: Counter;

  constructor(env: ReapingEnv) {
    this.#env = env;
    const { node, participant, replica, hints, slice, clock, telemetry } = env;
    const quarantineMs = env.reapQuarantineMs ?? DEFAULT_REAP_QUARANTINE_MS;
    const view = (): typeof participant.membership.view => participant.membership.view;
    this.#clearing = new Clearing({
      node,
      view,
      replica,
      hinted: (addresses) => hints.kept(addresses),
      isInHand: (address) => participant.inHand.has(address) || env.isExchanging(address),
      steadyForMs: () => participant.pauses.steadyForMs,
      settleMs: Math.min(MAX_SETTLE_MS, quarantineMs),
      counts: env.clearings,
      sync: () => env.store.sync(),
    });
    const reaper = {
      node,
      view,
      clearing: this.#clearing,
      reapable: (query: ScanQuery) => replica.reapable.page(query),
      ask: <Q extends AskedRequest>(member: NodeId, request: Q, timeoutMs: number) =>
        participant.request(member, request, timeoutMs),
      isSuspect: (member: NodeId) => participant.monitor.isSuspect(member),
      slice,
      clock,
    };
    this.#reaper = new Reaper(reaper, { quarantineMs, ...(env.pruneAbove === undefined ? {} : { pruneAbove: env.pruneAbove }) });
    const heldBack = (reason: HoldReason): Counter =>
      telemetry.counter('armature_reap_held_back_total', 'Tombstones and long clocks that a pass found and could not take.', {
        reason,
      });
    this.#candidates = telemetry.counter(
      'armature_reap_candidates_total',
      'Tombstones and long clocks that passes of this node found.',
    );
    this.#reaped = telemetry.counter('armature_reap_reaped_total', 'Tombstones that passes of this node dropped, at all owners.');
    this.#pruned = telemetry.counter('armature_reap_pruned_total', 'Clocks that passes of this node pruned, at all owners.');
    this.#blocked = telemetry.counter('armature_reap_blocked_total', 'Runs that a member or a moving partition has stopped.');
    this.#heldBack = Object.fromEntries(HOLD_REASONS.map((reason) => [reason, heldBack(reason)])) as Record<HoldReason, Counter>;
    telemetry.observedGauge(
      'armature_reap_waiting',
      'Tombstones and long clocks in quarantine at this node.',
      () => this.#reaper.quarantined,
    );
  }

  get handlers(): RequestHandlers<ReapingRequest['kind']> {
    const { fence, slice } = this.#env;
    const clear = fenced(fence, (request: ClearRequest) => this.#clearing.clear(request));
    const drop = fenced(fence, (request: DropRequest) => this.#clearing.drop(request));
    return {
      reap: fenced(fence, (request) => this.#run(request)),
      note: fenced(fence, (request) => this.#clearing.note(request)),
      // A slice of time is waited for before the fence, which must hold for what is then read.
      clear: (request, sender) => slice('reap').then(() => clear(request, sender)),
      drop: (request, sender) => slice('reap').then(() => drop(request, sender)),
    };
  }

  async #run(request: ReapRequest): Promise<ReapReply> {
    const { node, log } = this.#env;
    const reply = await this.#reaper.run(request);
    this.#candidates.add(reply.candidates);
    this.#reaped.add(reply.reaped);
    this.#pruned.add(reply.pruned);
    for (const reason of HOLD_REASONS) this.#heldBack[reason].add(reply.heldBack[reason]);
    if (reply.blocked !== '') this.#blocked.add();
    const { kind: _kind, next: _next, ...facts } = reply;
    const what = { node, partition: request.partition, n: request.n, ...facts };
    log[reply.reaped + reply.pruned > 0 ? 'info' : 'debug'](what, 'looked for tombstones and clock entries that can go');
    return reply;
  }
}
